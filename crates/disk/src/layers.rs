//! The disk that a machine sees: a whole chain of images, read through descriptors that somebody else opened.
//!
//! Only our own readers are at work, so this is also what reads a disk in a process that may open nothing. Tables and
//! decompressed clusters are kept in bounded caches.

use crate::{
    qcow2::{
        Header,
        content::{Content, Place, entry_at},
    },
    source::{FileSource, Source},
};
use nestbox_model::{Error, ImageFormat, Result};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, ErrorKind},
};

/// Longest chain, as [`crate::chain`] has it.
const LAYERS_MAX: usize = 256;
/// Second-level tables kept, all layers together; each takes one cluster (at most 2 MiB).
const TABLE_BYTES_MAX: usize = 16 << 20;
/// Decompressed clusters kept.
const CLUSTER_BYTES_MAX: usize = 8 << 20;

/// A chain of images as one disk; only reads.
pub struct Layers {
    layers: Vec<Layer>,
    capacity: u64,
    tables: Cache,
    clusters: Cache,
}

enum Layer {
    Raw {
        file: File,
        length: u64,
    },
    Qcow2 {
        file: File,
        length: u64,
        header: Box<Header>,
    },
}

impl Layers {
    /// A chain that [`crate::chain`] approved of, the active image first. Nothing is written, nothing else is opened.
    ///
    /// # Errors
    /// Whatever is wrong with one image's header, see [`Header::read`]; `chain-too-long` (unsafe); `image-empty` when
    /// there is none.
    pub fn open(files: Vec<(File, ImageFormat)>) -> Result<Self> {
        if files.is_empty() || files.len() > LAYERS_MAX {
            return Err(Error::unsafe_input(
                "chain-too-long",
                format!(
                    "The machine's disk has {} layers; 1 to {LAYERS_MAX} are possible.",
                    files.len()
                ),
            ));
        }
        let mut layers = Vec::with_capacity(files.len());
        for (file, format) in files {
            let length = file
                .metadata()
                .map_err(|error| crate::source::unreadable(&error))?
                .len();
            layers.push(match format {
                ImageFormat::Raw => Layer::Raw { file, length },
                ImageFormat::Qcow2 => {
                    let header = Box::new(Header::read(&file)?);
                    Layer::Qcow2 { file, length, header }
                }
            });
        }
        let capacity = layers[0].capacity();
        Ok(Self {
            layers,
            capacity,
            tables: Cache::new(TABLE_BYTES_MAX),
            clusters: Cache::new(CLUSTER_BYTES_MAX),
        })
    }

    /// Bytes of the disk.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` behind the end of the disk; `InvalidData` for images that contradict themselves.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.capacity) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            done += self.read_run(at, &mut buffer[done..])?;
        }
        Ok(())
    }

    /// Fills the beginning of `out` as far as one layer has it in one piece; how many bytes that were.
    fn read_run(&mut self, at: u64, out: &mut [u8]) -> io::Result<usize> {
        let mut run = out.len();
        for (index, layer) in self.layers.iter().enumerate() {
            match layer {
                Layer::Raw { file, length } => {
                    let there = length.saturating_sub(at).min(run as u64) as usize;
                    let (front, rest) = out[..run].split_at_mut(there);
                    std::os::unix::fs::FileExt::read_exact_at(file, front, at)?;
                    rest.fill(0);
                    return Ok(run);
                }
                Layer::Qcow2 { header, .. } if at >= header.capacity => {
                    // A base that is smaller than what stands on it reads as zeros behind its end.
                    out[..run].fill(0);
                    return Ok(run);
                }
                Layer::Qcow2 { file, length, header } => {
                    let source = FileSource {
                        file,
                        length: *length,
                    };
                    let content = Content {
                        file: &source,
                        header,
                    };
                    let unit = content.unit();
                    run = run.min((unit - at % unit) as usize);
                    run = run.min((header.capacity - at) as usize);
                    let tables = &mut self.tables;
                    let mut entry = |table, length, inside, size| {
                        let table = tables.get((index, table), || source.piece_up_to(table, length))?;
                        entry_at(table, inside, size)
                    };
                    let place = content.place(at, &mut entry)?;
                    match place {
                        Place::Below => continue,
                        Place::Zeros => out[..run].fill(0),
                        Place::Data(offset) => content.read_data(offset, &mut out[..run])?,
                        Place::Compressed(entry) => {
                            let cluster = self.clusters.get((index, entry), || content.decompress(entry))?;
                            let inside = (at % header.cluster_size()) as usize;
                            let piece = cluster.get(inside..inside + run);
                            out[..run].copy_from_slice(piece.ok_or(ErrorKind::InvalidData)?);
                        }
                    }
                    return Ok(run);
                }
            }
        }
        out[..run].fill(0);
        Ok(run)
    }
}

impl Layer {
    fn capacity(&self) -> u64 {
        match self {
            Self::Raw { length, .. } => *length,
            Self::Qcow2 { header, .. } => header.capacity,
        }
    }
}

/// Pieces by layer and place; when it is full it begins anew, which costs little and needs no order of use.
struct Cache {
    pieces: HashMap<(usize, u64), Vec<u8>>,
    bytes: usize,
    bytes_max: usize,
}

impl Cache {
    fn new(bytes_max: usize) -> Self {
        Self {
            pieces: HashMap::new(),
            bytes: 0,
            bytes_max,
        }
    }

    fn get(&mut self, key: (usize, u64), read: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<&[u8]> {
        if !self.pieces.contains_key(&key) {
            let piece = read()?;
            if self.bytes + piece.len() > self.bytes_max {
                self.pieces.clear();
                self.bytes = 0;
            }
            self.bytes += piece.len();
            self.pieces.insert(key, piece);
        }
        Ok(self.pieces.get(&key).map_or(&[], Vec::as_slice))
    }
}
