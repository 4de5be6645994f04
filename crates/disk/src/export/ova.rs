//! Writes OVA: a description, a list of checksums and the disks, in this order, in one tar file.

use super::{
    hash_file,
    ovf::{OvfDisk, describe},
    tar,
};
use crate::work::{self, Control, Progress};
use nestbox_model::{Error, MachineSpec, Result};
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio_util::sync::CancellationToken;

/// Longest machine name in the names of files, letters.
const NAME_MAX: usize = 60;
const PIECE: usize = 4 << 20;

/// A disk for an OVA: a stream-optimized vmdk file of our own, and the bytes that a guest sees.
#[derive(Clone, Debug)]
pub struct OvaDisk {
    /// The file. It is removed as soon as it is in the archive.
    pub file: PathBuf,
    /// Bytes.
    pub capacity: u64,
}

/// Writes the machine with these disks to the new file `to`. Progress counts bytes of the disks' files, which are read
/// twice: to know their checksums, and to put them in.
///
/// # Errors
/// `no-space` and friends, `cancelled`. A partial file may be left.
pub async fn write_ova(
    spec: &MachineSpec,
    disks: Vec<OvaDisk>,
    to: &Path,
    progress: Progress<'_>,
    cancel: &CancellationToken,
) -> Result<()> {
    let (spec, to, token) = (spec.clone(), to.to_owned(), cancel.clone());
    work::run(progress, cancel, move |control| {
        let failed = |error: io::Error| Error::io("write the machine", &to, &error);
        let name = plain(&spec.name);
        let mut files = Vec::new();
        let mut list = String::new();
        for (number, disk) in (1..).zip(&disks) {
            let bytes = std::fs::metadata(&disk.file).map_err(failed)?.len();
            let file = format!("{name}-disk{number}.vmdk");
            control.add_total(2 * bytes);
            let _ = writeln!(list, "SHA256({file})= {}", hash_file(&disk.file, &token)?);
            control.advance(bytes);
            files.push(OvfDisk {
                file,
                bytes,
                capacity: disk.capacity,
            });
        }
        let text = describe(&spec, &files);
        let own = format!("SHA256({name}.ovf)= {}\n", hex::encode(Sha256::digest(&text)));
        let mut out = File::create_new(&to).map_err(failed)?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let mut small = |name: String, text: &str| -> io::Result<()> {
            out.write_all(&tar::header(&name, text.len() as u64, b'0', now, 0o644))?;
            out.write_all(text.as_bytes())?;
            out.write_all(&vec![0; tar::padding(text.len() as u64)])
        };
        small(format!("{name}.ovf"), &text).map_err(failed)?;
        small(format!("{name}.mf"), &(own + &list)).map_err(failed)?;
        for (file, disk) in files.iter().zip(&disks) {
            out.write_all(&tar::header(&file.file, file.bytes, b'0', now, 0o644))
                .map_err(failed)?;
            append(&disk.file, &mut out, control, &failed)?;
            out.write_all(&vec![0; tar::padding(file.bytes)])
                .map_err(failed)?;
            // Ours; the room may be needed for the next.
            std::fs::remove_file(&disk.file).map_err(failed)?;
        }
        out.write_all(&[0; 2 * tar::BLOCK as usize]).map_err(failed)
    })
    .await
}

fn append(from: &Path, out: &mut File, control: &Control, failed: &dyn Fn(io::Error) -> Error) -> Result<()> {
    let mut file = File::open(from).map_err(failed)?;
    let mut piece = vec![0; PIECE];
    loop {
        control.go_on()?;
        let length = file.read(&mut piece).map_err(failed)?;
        if length == 0 {
            return Ok(());
        }
        out.write_all(&piece[..length]).map_err(failed)?;
        control.advance(length as u64);
    }
}

/// A name that every program takes as a file's.
fn plain(name: &str) -> String {
    let plain: String = name
        .chars()
        .take(NAME_MAX)
        .map(|letter| {
            if letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_') {
                letter
            } else {
                '-'
            }
        })
        .collect();
    if plain.trim_matches('-').is_empty() {
        return "machine".into();
    }
    plain
}
