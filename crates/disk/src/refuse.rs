//! Why an image is refused, in words. One function a code; every one has exit kind “unsafe”.

use nestbox_model::Error;

fn refuse(code: &str, message: impl Into<String>, hint: &str) -> Error {
    Error::unsafe_input(code, message).with_hint(hint)
}

/// It is cut off.
pub(crate) fn truncated(why: &str) -> Error {
    refuse(
        "image-truncated",
        format!("The image is cut off: {why}."),
        "Download or copy it again; the transfer probably broke off.",
    )
}

/// Its structures contradict themselves.
pub(crate) fn damaged(why: impl std::fmt::Display) -> Error {
    refuse(
        "image-damaged",
        format!("The image is damaged or was made to do harm: {why}."),
        "Get it again from where it came from. If it is your own, `qemu-img check` may be able to repair a copy.",
    )
}

/// It is beyond a limit.
pub(crate) fn too_large(why: impl std::fmt::Display) -> Error {
    refuse(
        "image-too-large",
        format!("The image is too large for Nestbox: {why}."),
        "Make its virtual disk smaller in the program that made it.",
    )
}

/// It names other files.
pub(crate) fn refers_elsewhere(message: String, hint: &str) -> Error {
    refuse("image-refers-elsewhere", message, hint)
}

/// It needs what we don't know.
pub(crate) fn unsupported_feature(message: impl Into<String>) -> Error {
    refuse(
        "image-feature-unsupported",
        message,
        "Convert it with the program that made it to a plain qcow2, for example: qemu-img convert -O qcow2 OLD NEW",
    )
}

/// It is encrypted.
pub(crate) fn encrypted() -> Error {
    refuse(
        "image-encrypted",
        "The image is encrypted, and Nestbox can't open encrypted images yet.",
        "Decrypt a copy with qemu-img convert and its --object secret options, then import the copy.",
    )
}

/// It grows out of all proportion.
pub(crate) fn bomb() -> Error {
    refuse(
        "image-expands",
        "The image claims the same stored data for many places of its disk, so that it would grow out of all \
         proportion when used. No program makes such images by accident.",
        "Don't use it. Get the image from its maker again.",
    )
}

/// It unpacks to more data than any file of its length holds.
pub(crate) fn unpacks_out_of_proportion() -> Error {
    refuse(
        "image-expands",
        "The compressed file unpacks to data (not empty space) out of all proportion to its size. No disk is like that.",
        "Don't use it. Get the image from its maker again.",
    )
}

/// It holds nothing.
pub(crate) fn empty(message: &str) -> Error {
    refuse(
        "image-empty",
        message,
        "Download or copy it again, or make a machine with a blank disk.",
    )
}

/// It holds only the differences to another image.
pub(crate) fn differencing(format: &str, hint: &str) -> Error {
    refers_elsewhere(
        format!(
            "The image is a snapshot or a differencing {format}: it holds only the changes to another image, and Nestbox \
             does not open files that an image names."
        ),
        hint,
    )
}

/// The program that wrote it did not finish.
pub(crate) fn not_closed(message: &str, hint: &str) -> Error {
    refuse("image-not-closed", message, hint)
}

/// A file that belongs to it is not there.
pub(crate) fn part_missing(name: &str) -> Error {
    let shown = crate::qcow2::printable(name);
    refuse(
        "part-missing",
        format!("A part of it is missing: “{shown}” should lie beside it."),
        "Put all files that belong together into one folder, under the names they had, then try again.",
    )
    .with_detail("part", shown)
}

/// Something compressed is compressed again.
pub(crate) fn nested() -> Error {
    refuse(
        "format-nested",
        "Inside the compressed file is another compressed file.",
        "Unpack it once, then import what was inside.",
    )
}

/// A machine that we can't make.
pub(crate) fn unsupported_machine(message: impl Into<String>, hint: &str) -> Error {
    refuse("machine-unsupported", message, hint)
}
