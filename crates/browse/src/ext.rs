//! ext2, ext3 and ext4, by the library `ext4-view`: it only reads, replays an ext4 journal in memory, and has no unsafe code.

use crate::filesystem::{CONTENT_PIECE, Facts, Fault, FileSystem, Found, Kind, Outcome, Sink, Stat, Visit};
use crate::source::{Region, le16, le32};
use ext4_view::{Ext4, Ext4Error, Ext4Read, FileType, PathBuf};
use std::error::Error;

const SUPERBLOCK: u64 = 1024;
const NEEDS_RECOVERY: u32 = 0x4;
/// A folder with a longer path is not read.
const PATH_MAX: usize = 16 << 10;

pub(crate) struct Ext {
    inner: Ext4,
    facts: Facts,
}

struct Reader(Region);

impl Ext4Read for Reader {
    fn read(&mut self, start: u64, out: &mut [u8]) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
        self.0.read_at(start, out).map_err(Into::into)
    }
}

impl Ext {
    pub fn open(region: &Region) -> Outcome<Self> {
        let superblock = region.piece(SUPERBLOCK, 1024)?;
        let facts = facts(&superblock);
        let inner = Ext4::load(Box::new(Reader(region.clone()))).map_err(fault)?;
        Ok(Self { inner, facts })
    }
}

fn facts(superblock: &[u8]) -> Facts {
    let incompatible = le32(superblock, 0x60);
    let compatible = le32(superblock, 0x5c);
    let wide = incompatible & 0x80 != 0;
    let number = |low: usize, high: usize| {
        let high = if wide { le32(superblock, high) } else { 0 };
        u64::from(high) << 32 | u64::from(le32(superblock, low))
    };
    let block = 1024u64.checked_shl(le32(superblock, 0x18).min(6)).unwrap_or(1024);
    let used = number(4, 0x150)
        .saturating_sub(number(0xc, 0x158))
        .saturating_mul(block);
    let mut notes = Vec::new();
    if incompatible & NEEDS_RECOVERY != 0 {
        notes.push("It was not shut down cleanly: what its journal holds is taken into account, what the guest had not written yet is missing.".into());
    } else if le16(superblock, 0x3a) & 1 == 0 {
        notes.push("It was not shut down cleanly: the newest changes may be missing.".into());
    }
    let label = superblock.get(0x78..0x88).unwrap_or_default();
    let label = label.split(|byte| *byte == 0).next().unwrap_or_default();
    Facts {
        filesystem: if incompatible & 0x40 != 0 {
            "ext4"
        } else if compatible & 4 != 0 {
            "ext3"
        } else {
            "ext2"
        },
        label: (!label.is_empty()).then(|| crate::names::shown(label)),
        used: Some(used),
        notes,
    }
}

fn fault(error: Ext4Error) -> Fault {
    match error {
        Ext4Error::NotFound => Fault::NotFound,
        Ext4Error::NotADirectory => Fault::NotAFolder,
        Ext4Error::Encrypted => Fault::Unsupported("it is encrypted".into()),
        Ext4Error::Incompatible(what) => {
            Fault::Unsupported(format!("it uses a feature that Nestbox does not know ({what})"))
        }
        other => Fault::Damaged(other.to_string()),
    }
}

impl FileSystem for Ext {
    type Node = PathBuf;

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn root(&self) -> PathBuf {
        PathBuf::new("/")
    }

    fn read_folder(&self, folder: &PathBuf, visit: &mut Visit<'_, PathBuf>) -> Outcome<()> {
        if AsRef::<[u8]>::as_ref(folder).len() > PATH_MAX {
            return Err(Fault::Damaged("its folders are too deep".into()));
        }
        for entry in self.inner.read_dir(folder).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let file_name = entry.file_name();
            let name: &[u8] = file_name.as_ref();
            if name != b"." && name != b".." {
                visit(Found {
                    name: name.to_vec(),
                    node: entry.path(),
                })?;
            }
        }
        Ok(())
    }

    fn find(&self, folder: &PathBuf, name: &[u8]) -> Outcome<Option<PathBuf>> {
        let path = folder.join(name);
        match self.inner.symlink_metadata(&path) {
            Ok(_) => Ok(Some(path)),
            Err(Ext4Error::NotFound) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    fn stat(&self, node: &PathBuf) -> Outcome<Stat> {
        let metadata = self.inner.symlink_metadata(node).map_err(fault)?;
        let kind = match metadata.file_type() {
            FileType::Regular => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        };
        Ok(Stat {
            kind,
            size: if kind == Kind::File { metadata.len() } else { 0 },
            modified: Some(metadata.modified().seconds()),
        })
    }

    fn link_target(&self, node: &PathBuf) -> Outcome<Vec<u8>> {
        let target = self.inner.read_link(node).map_err(fault)?;
        Ok(AsRef::<[u8]>::as_ref(&target).to_vec())
    }

    fn read_file(&self, node: &PathBuf, sink: &mut dyn Sink) -> Outcome<()> {
        let mut file = self.inner.open(node).map_err(fault)?;
        let mut buffer = vec![0; CONTENT_PIECE as usize];
        loop {
            let mut done = 0;
            while done < buffer.len() {
                match file.read_bytes(&mut buffer[done..]).map_err(fault)? {
                    0 => break,
                    count => done += count,
                }
            }
            if done == 0 {
                return Ok(());
            }
            crate::zeros::send(&buffer[..done], sink)?;
        }
    }
}
