//! The file of a backup: a tar stream in zstd, as `docs/backup.md` describes it.
//!
//! Files with holes are stored as GNU tar does (pax, sparse format 1.0), so that `tar --zstd -xf` unpacks a backup where
//! there is no Nestbox. The last entry lists the SHA-256 of the stored bytes of every other.

use nestbox_disk::export::tar::{self, BLOCK};
use nestbox_model::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Name of the last entry.
pub(super) const SUMS: &str = "sha256sums";
/// A fast level of zstd.
const LEVEL: i32 = 1;
const THREADS: u32 = 2;
/// Largest window a decoder agrees to: 16 MiB.
const WINDOW_LOG_MAX: u32 = 24;
const PIECE: usize = 1 << 20;
/// Holes that are shorter are stored as zeros, bytes.
const HOLE_MIN: u64 = 64 << 10;
/// Most parts with data of one file.
const PARTS_MAX: usize = 1 << 20;
/// Longest extended header, bytes.
const EXTENDED_MAX: u64 = 64 << 10;
/// Longest list of checksums, bytes; also the longest small file that is kept in memory.
pub(super) const TEXT_MAX: u64 = 4 << 20;
/// Before the name of a sparse file, for programs that know nothing of it.
const SPARSE_FOLDER: &str = "GNUSparseFile.0/";

/// Where data is in a file; the rest are holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub length: u64,
    pub data: Vec<Range<u64>>,
}

impl Parts {
    pub fn whole(length: u64) -> Self {
        let data = std::iter::once(0..length)
            .filter(|part| !part.is_empty())
            .collect();
        Self { length, data }
    }

    /// As the file system tells.
    pub fn of(file: &File) -> io::Result<Self> {
        use rustix::fs::{SeekFrom, seek};
        let length = file.metadata()?.len();
        let mut data: Vec<Range<u64>> = Vec::new();
        let mut at = 0;
        while at < length {
            let start = match seek(file, SeekFrom::Data(at)) {
                Ok(start) => start.min(length),
                Err(rustix::io::Errno::NXIO) => break,
                // Not every file system knows its holes.
                Err(_) => return Ok(Self::whole(length)),
            };
            let end = seek(file, SeekFrom::Hole(start))?.min(length);
            match data.last_mut() {
                Some(last) if start - last.end < HOLE_MIN => last.end = end,
                _ => data.push(start..end),
            }
            at = end;
        }
        if data.len() > PARTS_MAX / 2 {
            return Ok(Self::whole(length));
        }
        Ok(Self { length, data })
    }

    /// Bytes of data.
    pub fn stored(&self) -> u64 {
        self.data.iter().map(|part| part.end - part.start).sum()
    }

    fn has_holes(&self) -> bool {
        self.stored() != self.length
    }

    /// The map that stands before the data, as long as whole blocks.
    fn map(&self) -> Vec<u8> {
        let end = self.length..self.length;
        let ends_in_hole = self.data.last().is_none_or(|part| part.end < self.length);
        let all = self.data.iter().chain(ends_in_hole.then_some(&end));
        let mut text = format!("{}\n", self.data.len() + usize::from(ends_in_hole));
        for part in all {
            text += &format!("{}\n{}\n", part.start, part.end - part.start);
        }
        let mut map = text.into_bytes();
        map.resize(map.len().next_multiple_of(BLOCK as usize), 0);
        map
    }
}

/// Counts and hashes what goes through.
struct Counted<W> {
    to: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let done = self.to.write(data)?;
        self.hash.update(&data[..done]);
        self.bytes += done as u64;
        Ok(done)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Writes the file of a backup.
pub(super) struct Writer {
    out: zstd::Encoder<'static, Counted<BufWriter<File>>>,
    sums: String,
    modified: u64,
}

/// What is told while data moves: bytes since the last time. An error ends the work.
pub(super) type Step<'a> = &'a mut dyn FnMut(u64) -> Result<()>;

impl Writer {
    /// `modified`: seconds since 1970, for all entries.
    pub fn new(file: File, modified: u64) -> io::Result<Self> {
        let counted = Counted {
            to: BufWriter::with_capacity(PIECE, file),
            hash: Sha256::new(),
            bytes: 0,
        };
        let mut out = zstd::Encoder::new(counted, LEVEL)?;
        out.include_checksum(true)?;
        out.multithread(THREADS)?;
        Ok(Self {
            out,
            sums: String::new(),
            modified,
        })
    }

    pub fn text(&mut self, name: &str, text: &[u8]) -> io::Result<()> {
        let length = text.len() as u64;
        self.out
            .write_all(&tar::header(name, length, b'0', self.modified, 0o600))?;
        self.out.write_all(text)?;
        self.out.write_all(&vec![0; tar::padding(length)])?;
        self.sums += &format!("{}  {name}\n", hex::encode(Sha256::digest(text)));
        Ok(())
    }

    pub fn file(&mut self, name: &str, file: &File, parts: &Parts, step: Step<'_>) -> Result<()> {
        let io = |error: io::Error| match error.kind() {
            ErrorKind::UnexpectedEof => Error::conflict(
                "file-changed",
                format!("The file “{name}” became shorter while it was read."),
            ),
            _ => Error::io("write the backup", std::path::Path::new(name), &error),
        };
        let mut hash = Sha256::new();
        let mut body = parts.stored();
        if parts.has_holes() {
            let map = parts.map();
            body += map.len() as u64;
            self.sparse_header(name, parts.length, body).map_err(io)?;
            hash.update(&map);
            self.out.write_all(&map).map_err(io)?;
        } else {
            self.out
                .write_all(&tar::header(name, body, b'0', self.modified, 0o600))
                .map_err(io)?;
        }
        let mut piece = vec![0; PIECE];
        for part in &parts.data {
            let mut at = part.start;
            while at < part.end {
                let length = (part.end - at).min(PIECE as u64) as usize;
                file.read_exact_at(&mut piece[..length], at).map_err(io)?;
                hash.update(&piece[..length]);
                self.out.write_all(&piece[..length]).map_err(io)?;
                at += length as u64;
                step(length as u64)?;
            }
        }
        self.out.write_all(&vec![0; tar::padding(body)]).map_err(io)?;
        self.sums += &format!("{}  {name}\n", hex::encode(hash.finalize()));
        Ok(())
    }

    fn sparse_header(&mut self, name: &str, length: u64, body: u64) -> io::Result<()> {
        let records = tar::extended(&[
            ("GNU.sparse.major", "1".into()),
            ("GNU.sparse.minor", "0".into()),
            ("GNU.sparse.name", name.into()),
            ("GNU.sparse.realsize", length.to_string()),
        ]);
        let count = records.len() as u64;
        self.out.write_all(&tar::header(
            "PaxHeaders.0/sparse",
            count,
            b'x',
            self.modified,
            0o600,
        ))?;
        self.out.write_all(&records)?;
        self.out.write_all(&vec![0; tar::padding(count)])?;
        let shown = format!("{SPARSE_FOLDER}{name}");
        self.out
            .write_all(&tar::header(&shown, body, b'0', self.modified, 0o600))
    }

    /// Ends the file and makes it durable; its length and SHA-256.
    pub fn finish(mut self) -> io::Result<(u64, String)> {
        let sums = std::mem::take(&mut self.sums);
        self.text(SUMS, sums.as_bytes())?;
        self.out.write_all(&[0; 2 * BLOCK as usize])?;
        let mut counted = self.out.finish()?;
        counted.flush()?;
        counted.to.get_ref().sync_all()?;
        Ok((counted.bytes, hex::encode(counted.hash.finalize())))
    }
}

/// Reads the file of a backup; nothing in it is believed.
pub(super) struct Reader {
    input: zstd::Decoder<'static, BufReader<File>>,
    /// Checksums of what was read.
    found: BTreeMap<String, String>,
}

/// An entry whose content comes next.
#[derive(Debug)]
pub(super) struct Entry {
    pub name: String,
    pub parts: Parts,
    hash: Sha256,
    body: u64,
}

impl Reader {
    /// # Errors
    /// `not-a-backup`.
    pub fn new(file: File) -> Result<Self> {
        let mut input = zstd::Decoder::new(file).map_err(|_| foreign())?;
        input.window_log_max(WINDOW_LOG_MAX).map_err(|_| foreign())?;
        Ok(Self {
            input,
            found: BTreeMap::new(),
        })
    }

    fn block(&mut self) -> Result<[u8; BLOCK as usize]> {
        let mut block = [0; BLOCK as usize];
        self.input
            .read_exact(&mut block)
            .map_err(|error| unreadable(&error))?;
        Ok(block)
    }

    fn bytes(&mut self, length: u64, most: u64) -> Result<Vec<u8>> {
        if length > most {
            return Err(damaged("a part of it is impossibly long"));
        }
        let mut bytes = vec![0; length as usize + tar::padding(length)];
        self.input
            .read_exact(&mut bytes)
            .map_err(|error| unreadable(&error))?;
        bytes.truncate(length as usize);
        Ok(bytes)
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// `backup-damaged`, `backup-truncated`, `io-error`.
    pub fn next(&mut self) -> Result<Option<Entry>> {
        let mut block = self.block()?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let mut sparse = None;
        if block[156] == b'x' {
            let (_, length) = told(&block)?;
            let records = self.bytes(length, EXTENDED_MAX)?;
            sparse = Some(sparse_records(&records)?);
            block = self.block()?;
        }
        let (name, body) = told(&block)?;
        if block[156] != b'0' {
            return Err(damaged("it holds something that is no file"));
        }
        let mut hash = Sha256::new();
        let (name, parts) = match sparse {
            None => (name, Parts::whole(body)),
            Some((name, length)) => {
                let data = self.map(length, &mut hash, body)?;
                (name, Parts { length, data })
            }
        };
        if !is_plain(&name) {
            return Err(damaged("a name in it leads elsewhere"));
        }
        Ok(Some(Entry {
            name,
            parts,
            hash,
            body,
        }))
    }

    /// The map before the data of a file of `length` bytes; the whole entry has `body` bytes.
    fn map(&mut self, length: u64, hash: &mut Sha256, body: u64) -> Result<Vec<Range<u64>>> {
        let bad = || damaged("the map of a file's holes is none");
        let mut left: Vec<u8> = Vec::new();
        let mut read = 0u64;
        let mut number = |reader: &mut Self| -> Result<u64> {
            let mut value: Option<u64> = None;
            loop {
                if left.is_empty() {
                    let block = reader.block()?;
                    hash.update(block);
                    read += BLOCK;
                    left = block.iter().rev().copied().collect();
                }
                match left.pop() {
                    Some(b'\n') => return value.ok_or_else(bad),
                    Some(digit @ b'0'..=b'9') => {
                        let digit = u64::from(digit - b'0');
                        let next = value
                            .unwrap_or(0)
                            .checked_mul(10)
                            .and_then(|v| v.checked_add(digit));
                        value = Some(next.ok_or_else(bad)?);
                    }
                    _ => return Err(bad()),
                }
            }
        };
        let count = number(self)?;
        if count > PARTS_MAX as u64 {
            return Err(bad());
        }
        let (mut data, mut at, mut stored) = (Vec::new(), 0, 0u64);
        for _ in 0..count {
            let (start, bytes) = (number(self)?, number(self)?);
            let end = start
                .checked_add(bytes)
                .filter(|end| *end <= length)
                .ok_or_else(bad)?;
            if start < at {
                return Err(bad());
            }
            if bytes > 0 {
                data.push(start..end);
            }
            at = end;
            stored += bytes;
        }
        if read.checked_add(stored) != Some(body) {
            return Err(bad());
        }
        Ok(data)
    }

    /// Nothing follows the last entry, and the stream ends as it should.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn end(&mut self) -> Result<()> {
        let follows = || damaged("something follows its end");
        if self.next()?.is_some() || self.block()?.iter().any(|byte| *byte != 0) {
            return Err(follows());
        }
        match self.input.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(follows()),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Hands the entry's data on, with the offset of each piece in the file.
    ///
    /// # Errors
    /// As [`Self::next`]; what `take` fails with.
    pub fn content(
        &mut self,
        mut entry: Entry,
        take: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut piece = vec![0; PIECE];
        for part in &entry.parts.data {
            let mut at = part.start;
            while at < part.end {
                let length = (part.end - at).min(PIECE as u64) as usize;
                self.input
                    .read_exact(&mut piece[..length])
                    .map_err(|error| unreadable(&error))?;
                entry.hash.update(&piece[..length]);
                take(at, &piece[..length])?;
                at += length as u64;
            }
        }
        let mut rest = vec![0; tar::padding(entry.body)];
        self.input
            .read_exact(&mut rest)
            .map_err(|error| unreadable(&error))?;
        if self
            .found
            .insert(entry.name.clone(), hex::encode(entry.hash.finalize()))
            .is_some()
        {
            return Err(damaged("it holds two files of one name"));
        }
        Ok(())
    }

    /// The content of a small entry.
    ///
    /// # Errors
    /// As [`Self::content`].
    pub fn text(&mut self, entry: Entry) -> Result<Vec<u8>> {
        if entry.parts.length > TEXT_MAX {
            return Err(damaged("a part of it is impossibly long"));
        }
        let mut text = vec![0; entry.parts.length as usize];
        self.content(entry, &mut |at, piece| {
            let at = at as usize;
            text[at..at + piece.len()].copy_from_slice(piece);
            Ok(())
        })?;
        Ok(text)
    }

    /// Everything that was read is as the list of checksums says, and nothing is missing.
    ///
    /// # Errors
    /// `backup-damaged`.
    pub fn verify(&mut self, list: &[u8]) -> Result<()> {
        self.found.remove(SUMS);
        let list = String::from_utf8_lossy(list);
        let told: BTreeMap<String, String> = list
            .lines()
            .filter_map(|line| line.split_once("  "))
            .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
            .collect();
        if told == self.found {
            Ok(())
        } else {
            Err(damaged("a checksum is wrong"))
        }
    }
}

/// Name and length in a header whose own sum is right.
fn told(block: &[u8; BLOCK as usize]) -> Result<(String, u64)> {
    let bad = || damaged("a header in it is none");
    let text = |range: Range<usize>| {
        let bytes = &block[range];
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        std::str::from_utf8(&bytes[..end])
            .map(str::to_owned)
            .map_err(|_| bad())
    };
    let octal = |range: Range<usize>| u64::from_str_radix(text(range)?.trim(), 8).map_err(|_| bad());
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if (148..156).contains(&at) {
                32
            } else {
                u64::from(*byte)
            }
        })
        .sum();
    if &block[257..262] != b"ustar" || octal(148..156)? != sum {
        return Err(bad());
    }
    let length = if block[124] == 0x80 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&block[128..136]);
        u64::from_be_bytes(bytes)
    } else {
        octal(124..136)?
    };
    if length > 1 << 46 {
        return Err(bad());
    }
    Ok((text(0..100)?, length))
}

/// Name and length of a sparse file.
fn sparse_records(records: &[u8]) -> Result<(String, u64)> {
    let bad = || damaged("an extended header in it is none");
    let text = std::str::from_utf8(records).map_err(|_| bad())?;
    let value = |wanted: &str| {
        text.lines().find_map(|line| {
            let (_, record) = line.split_once(' ')?;
            let (key, value) = record.split_once('=')?;
            (key == wanted).then(|| value.to_owned())
        })
    };
    let (name, length) = (value("GNU.sparse.name"), value("GNU.sparse.realsize"));
    let length = length
        .and_then(|length| length.parse::<u64>().ok())
        .filter(|length| *length <= 1 << 46);
    name.zip(length).ok_or_else(bad)
}

/// Up to three plain names with `/` between.
fn is_plain(name: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    name.len() <= 100 && name.split('/').count() <= 3 && name.split('/').all(plain)
}

pub(super) fn foreign() -> Error {
    Error::unsafe_input("not-a-backup", "The file is no backup of a machine.")
        .with_hint("Disks and machines of other programs are brought in with: nestbox import FILE")
}

pub(super) fn damaged(why: &str) -> Error {
    Error::unsafe_input("backup-damaged", format!("The backup is damaged: {why}."))
        .with_hint("Take another copy of it. Nothing was changed.")
}

fn unreadable(error: &io::Error) -> Error {
    if error.raw_os_error().is_some() {
        return Error::failed(
            "io-error",
            "The backup could not be read because of an input/output error.",
        )
        .with_detail("system", error.to_string());
    }
    if error.kind() == ErrorKind::UnexpectedEof {
        return Error::unsafe_input(
            "backup-truncated",
            "The backup ends too early: a part of it is missing.",
        )
        .with_hint("Copy it again from where it was made. Nothing was changed.");
    }
    damaged("a part of it can't be unpacked").with_detail("system", error.to_string())
}
