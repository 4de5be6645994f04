//! OVA: an OVF description, its disks and a list of checksums in one tar file.

use super::{
    Bundle, BundleFacts, TEXT_MAX,
    draft::Draft,
    ovf, read_manifest,
    tar::{Archive, Member},
};
use crate::{
    detect::{Detector, Fate},
    foreign::Beside,
    refuse,
    source::{OpenFile, Source, piece},
};
use nestbox_model::{Error, Recognised, Result};

pub(crate) const DETECTOR: Detector = Detector {
    name: "OVA",
    found: |p| p.at(257, b"ustar"),
    fate: Fate::Bundle(Recognised::Ova, open),
};

/// # Errors
/// What [`Archive::read`] and [`ovf`] refuse; `archive-no-image`, `checksum-mismatch`.
pub(crate) fn open(file: &OpenFile, _: &dyn Beside) -> Result<Bundle> {
    let archive = Archive::read(file)?;
    if let [only] = &archive.members[..]
        && description(&archive).is_err()
    {
        return lone_disk(&archive, only);
    }
    let description = description(&archive)?;
    let text = archive.file(&description.name)?;
    let manifest = with_end(&archive, "mf").next();
    let checksums = match manifest {
        Some(list) => read_manifest(&super::text_of(&archive.file(&list.name)?)?, &archive)?,
        None => Vec::new(),
    };
    // The description is small, so it is checked at once.
    for checksum in checksums
        .iter()
        .filter(|checksum| checksum.name == description.name)
    {
        checksum.verify(None)?;
    }
    let mut draft = Draft::new("machine in an OVA file", &archive);
    if with_end(&archive, "cert").next().is_some() {
        draft.dropped("The signature", "who signed it says nothing about what is in it");
    }
    if manifest.is_none() {
        draft
            .facts
            .warnings
            .push("It has no list of checksums, so nobody can tell whether it was changed.".into());
    }
    ovf::read(&super::text_of(&text)?, &archive, &mut draft)?;
    draft.finish(checksums)
}

/// One disk and nothing else: clouds hand out disks like that. `archive-no-image` if it is none.
fn lone_disk(archive: &Archive, only: &Member) -> Result<Bundle> {
    let mut draft = Draft::new("disk in a tar archive", archive);
    match draft.disk_at(&only.name) {
        Err(error) if error.code == "format-unknown" => description(archive).map(|_| draft)?,
        outcome => outcome.map(|()| draft)?,
    }
    .finish(Vec::new())
}

/// What the first part of a compressed OVA says, if the description is in it.
pub(crate) fn look(head: &dyn Source) -> Option<BundleFacts> {
    let archive = Archive::read_start(head).ok()?;
    let member = description(&archive).ok()?;
    let text = piece(head, member.offset, member.length.min(TEXT_MAX)).ok()?;
    let mut draft = Draft::unjudged("machine in an OVA file", &archive);
    ovf::read(&text, &archive, &mut draft).ok()?;
    Some(draft.facts)
}

fn with_end<'a>(archive: &'a Archive, end: &'static str) -> impl Iterator<Item = &'a Member> {
    archive.members.iter().filter(move |member| {
        member
            .name
            .rsplit_once('.')
            .is_some_and(|(_, found)| found.eq_ignore_ascii_case(end))
    })
}

fn description(archive: &Archive) -> Result<&Member> {
    let mut found = with_end(archive, "ovf");
    match (found.next(), found.next()) {
        (Some(member), None) => Ok(member),
        (Some(_), Some(_)) => Err(super::several_machines()),
        (None, _) => Err(Error::unsafe_input(
            "archive-no-image",
            "The tar archive holds no description of a machine (.ovf).",
        )
        .with_hint("Unpack it, then import what was inside.")),
    }
}

/// Compressed by itself: other programs do that to a disk, and nobody needs it.
pub(super) fn compressed_disk() -> Error {
    refuse::unsupported_machine(
        "The machine's disk is compressed or cut into parts inside its bundle.",
        "Export it again without that, or unpack the bundle and the disk, then import the disk.",
    )
}
