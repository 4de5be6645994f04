//! The text that describes a VMDK disk: its type, its parent, its pieces.

use crate::{qcow2::printable, refuse};
use nestbox_model::Result;

/// Pieces a disk may have: 2 TiB in pieces of 2 GiB and some to spare.
const EXTENTS_MAX: usize = 2048;
/// Lines of all kinds.
const LINES_MAX: usize = 8192;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtentKind {
    Flat,
    Sparse,
    Zero,
}

/// `RW 4192256 SPARSE "disk-s001.vmdk"`
#[derive(Debug)]
pub(crate) struct ExtentLine {
    pub kind: ExtentKind,
    pub sectors: u64,
    /// Untrusted text; whoever opens it judges it.
    pub name: String,
    /// Sectors from the start of the file.
    pub offset: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Descriptor {
    create_type: String,
    pub extents: Vec<ExtentLine>,
}

impl Descriptor {
    /// # Errors
    /// `image-damaged`; `image-refers-elsewhere` for a parent, a device, or a piece whose name is more than a name.
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        // Embedded ones are padded with zeros.
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        let text = String::from_utf8_lossy(&text[..end]);
        let mut out = Self::default();
        for (count, line) in text.lines().enumerate() {
            if count == LINES_MAX {
                return Err(refuse::damaged("its description has lines without end"));
            }
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some((key, value)) = line.split_once('=') {
                let key = key.trim();
                // An extent's file may have `=` in its name; its line begins with an access mode.
                if !key.contains(' ') {
                    out.entry(key, value.trim().trim_matches('"'))?;
                    continue;
                }
            }
            if out.extents.len() == EXTENTS_MAX {
                return Err(refuse::damaged("its description has pieces without end"));
            }
            out.extents.push(extent(line)?);
        }
        Ok(out)
    }

    fn entry(&mut self, key: &str, value: &str) -> Result<()> {
        match key.to_ascii_lowercase().as_str() {
            "createtype" => self.create_type = printable(value),
            "encoding" | "version" | "cid" => {}
            "parentcid" if !value.eq_ignore_ascii_case("ffffffff") => return Err(has_parent()),
            "parentfilenamehint" => return Err(has_parent().with_detail("parent", printable(value))),
            _ => {}
        }
        Ok(())
    }

    fn is(&self, kinds: &[&str]) -> bool {
        kinds
            .iter()
            .any(|kind| self.create_type.eq_ignore_ascii_case(kind))
    }

    /// The description inside a sparse file: of that one file.
    pub(crate) fn judge_embedded(&self) -> Result<()> {
        self.refuse_devices()?;
        let one_file = self.is(&["monolithicSparse", "streamOptimized", "twoGbMaxExtentSparse"]);
        let itself = matches!(&self.extents[..], [line] if line.kind == ExtentKind::Sparse);
        if one_file && itself {
            return Ok(());
        }
        Err(refuse::refers_elsewhere(
            "The image's own description says that its data are in another file.".into(),
            "Export the disk anew with the program that made it, for example as an OVA.",
        ))
    }

    /// The description in a file of its own.
    pub(crate) fn judge_described(&self) -> Result<()> {
        self.refuse_devices()?;
        if self.extents.is_empty() {
            return Err(refuse::damaged("its description names no data"));
        }
        if self.is(&[
            "monolithicFlat",
            "twoGbMaxExtentFlat",
            "twoGbMaxExtentSparse",
            "vmfs",
            "monolithicSparse",
        ]) {
            return Ok(());
        }
        Err(refuse::unsupported_feature(format!(
            "The image is a VMDK of the type “{}”, which Nestbox does not know.",
            self.create_type
        )))
    }

    fn refuse_devices(&self) -> Result<()> {
        if self.is(&[
            "fullDevice",
            "partitionedDevice",
            "vmfsRaw",
            "vmfsRawDeviceMap",
            "vmfsPassthroughRawDeviceMap",
        ]) {
            return Err(device());
        }
        Ok(())
    }

    pub(crate) fn words(&self) -> String {
        let kind = match self.create_type.to_ascii_lowercase().as_str() {
            "monolithicsparse" => "one file",
            "streamoptimized" => "compressed",
            "monolithicflat" | "vmfs" => "fixed size",
            "twogbmaxextentflat" => "fixed size, in pieces",
            _ => "in pieces",
        };
        format!("VMDK, {kind}")
    }
}

fn extent(line: &str) -> Result<ExtentLine> {
    let bad = || {
        refuse::damaged(format_args!(
            "its description has a line that means nothing: “{}”",
            printable(line)
        ))
    };
    let (head, name, tail) = match line.split_once('"') {
        Some((head, rest)) => {
            let (name, tail) = rest.rsplit_once('"').ok_or_else(bad)?;
            (head, name, tail)
        }
        None => (line, "", ""),
    };
    let [access, sectors, kind] = head.split_whitespace().collect::<Vec<_>>()[..] else {
        return Err(bad());
    };
    if !["RW", "RDONLY"].contains(&access) {
        return Err(bad());
    }
    let kind = match kind {
        "FLAT" | "VMFS" => ExtentKind::Flat,
        "SPARSE" => ExtentKind::Sparse,
        "ZERO" => ExtentKind::Zero,
        "VMFSRDM" | "VMFSRAW" => return Err(device()),
        other => {
            return Err(refuse::unsupported_feature(format!(
                "The image has a piece of the kind “{}”, which Nestbox does not know.",
                printable(other)
            )));
        }
    };
    if kind != ExtentKind::Zero {
        crate::beside::judge_name(name)?;
    }
    let mut after = tail.split_whitespace();
    let offset = match (kind, after.next()) {
        (ExtentKind::Flat, Some(offset)) => offset.parse().map_err(|_| bad())?,
        _ => 0,
    };
    // A device's partition would follow.
    if after.next().is_some() {
        return Err(device());
    }
    Ok(ExtentLine {
        kind,
        sectors: sectors.parse().map_err(|_| bad())?,
        name: name.to_owned(),
        offset,
    })
}

fn has_parent() -> nestbox_model::Error {
    refuse::differencing(
        "VMDK",
        "In VMware, delete or consolidate the snapshots, or export the machine as an OVA; then import that.",
    )
}

fn device() -> nestbox_model::Error {
    refuse::refers_elsewhere(
        "The image stands for a disk or a partition of the computer it was made on.".into(),
        "Copy that disk into an image first, for example with qemu-img convert.",
    )
}
