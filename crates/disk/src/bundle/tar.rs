//! The members of a tar file, found by walking its headers (POSIX ustar and pax, GNU long names). Nothing is extracted.

use crate::{
    beside::judge_path,
    foreign::Beside,
    qcow2::printable,
    refuse,
    source::{OpenFile, Source, piece},
};
use nestbox_model::{Error, Result};

const BLOCK: u64 = 512;
const MEMBERS_MAX: usize = 256;
/// Longest extended header or name, bytes.
const EXTENSION_MAX: u64 = 64 << 10;

/// A file in the archive.
pub(super) struct Member {
    /// A plain path.
    pub name: String,
    pub offset: u64,
    pub length: u64,
}

/// The members of a tar file that is open.
pub(super) struct Archive {
    /// `None` while only the first part of it can be seen.
    file: Option<OpenFile>,
    pub members: Vec<Member>,
}

impl Archive {
    /// # Errors
    /// `archive-link` (links and devices in it), `archive-duplicate`, `image-refers-elsewhere` (names that lead out),
    /// `image-feature-unsupported` (sparse members), `image-damaged`, `image-truncated`, `image-empty`, `io-error`.
    pub(super) fn read(file: &OpenFile) -> Result<Self> {
        let members = walk(file)?;
        if members.is_empty() {
            return Err(refuse::empty("The archive is empty."));
        }
        Ok(Self {
            file: Some(file.clone()),
            members,
        })
    }

    /// As many members as the first part of an archive has.
    pub(super) fn read_start(source: &dyn Source) -> Result<Self> {
        let mut walker = Walker::new(source);
        while let Ok(true) = walker.step() {}
        Ok(Self {
            file: None,
            members: walker.members,
        })
    }
}

impl Beside for Archive {
    fn file(&self, path: &str) -> Result<OpenFile> {
        judge_path(path)?;
        let member = self.members.iter().find(|member| member.name == path);
        member
            .zip(self.file.as_ref())
            .and_then(|(member, file)| file.part(member.offset, member.length))
            .ok_or_else(|| refuse::part_missing(path))
    }
}

fn walk(source: &dyn Source) -> Result<Vec<Member>> {
    let mut walker = Walker::new(source);
    while walker.step()? {}
    Ok(walker.members)
}

struct Walker<'a> {
    source: &'a dyn Source,
    at: u64,
    members: Vec<Member>,
    /// From an extended header, for the next member.
    long_name: Option<String>,
    long_length: Option<u64>,
}

impl<'a> Walker<'a> {
    fn new(source: &'a dyn Source) -> Self {
        Self {
            source,
            at: 0,
            members: Vec::new(),
            long_name: None,
            long_length: None,
        }
    }

    /// One header further; false at the end.
    fn step(&mut self) -> Result<bool> {
        if self.at >= self.source.length() {
            return Ok(false);
        }
        let header = piece(self.source, self.at, BLOCK)?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(false);
        }
        if !checksum_fits(&header) {
            return Err(refuse::damaged("a header in the archive is none"));
        }
        let told =
            number(&header[124..136]).ok_or_else(|| refuse::damaged("a length in the archive is none"))?;
        let kind = header[156];
        let extension = matches!(kind, b'x' | b'g' | b'L');
        let length = if extension { told } else { self.judge_length(told)? };
        let begin = self.at + BLOCK;
        let end = begin
            .checked_add(length)
            .filter(|end| *end <= self.source.length());
        let end = end.ok_or_else(|| refuse::truncated("a file of the archive lies behind its end"))?;
        match kind {
            b'x' => self.extended(&self.extension(begin, length)?)?,
            // For all members that follow: nothing of that is needed.
            b'g' => {}
            b'L' => {
                let name = self.extension(begin, length)?;
                self.long_name = Some(text(&name));
            }
            b'0' | 0 | b'7' => self.member(&header, begin, length)?,
            b'5' => self.folder(&header)?,
            b'1' | b'2' | b'K' => return Err(link()),
            b'3' | b'4' | b'6' => return Err(link()),
            _ => {
                return Err(refuse::unsupported_feature(
                    "The archive has a file of a kind that Nestbox does not unpack (sparse, or in several parts).",
                ));
            }
        }
        self.at = end.next_multiple_of(BLOCK);
        Ok(true)
    }

    /// Where two headers tell a length, programs differ in which they believe; so they must agree, but where the older
    /// one has no room for it.
    fn judge_length(&mut self, told: u64) -> Result<u64> {
        const ROOM: u64 = 1 << 33;
        match self.long_length.take() {
            Some(long) if long != told && !(told == 0 && long >= ROOM) => Err(refuse::damaged(
                "the archive contradicts itself about the length of a file",
            )),
            Some(long) => Ok(long),
            None => Ok(told),
        }
    }

    fn extension(&self, begin: u64, length: u64) -> Result<Vec<u8>> {
        if length > EXTENSION_MAX {
            return Err(refuse::damaged("a header in the archive is impossibly long"));
        }
        piece(self.source, begin, length)
    }

    /// Records of `LENGTH KEY=VALUE\n`.
    fn extended(&mut self, mut rest: &[u8]) -> Result<()> {
        let bad = || refuse::damaged("an extended header in the archive is none");
        while !rest.is_empty() && rest[0] != 0 {
            let space = rest.iter().position(|byte| *byte == b' ').ok_or_else(bad)?;
            let length: usize = text(&rest[..space]).parse().map_err(|_| bad())?;
            let record = rest.get(space + 1..length).ok_or_else(bad)?;
            let record = text(record.strip_suffix(b"\n").ok_or_else(bad)?);
            let (key, value) = record.split_once('=').ok_or_else(bad)?;
            match key {
                "path" => self.long_name = Some(value.to_owned()),
                "size" => self.long_length = Some(value.parse().map_err(|_| bad())?),
                "linkpath" => return Err(link()),
                key if key.starts_with("GNU.sparse") => {
                    return Err(refuse::unsupported_feature(
                        "The archive has a sparse file, which Nestbox does not unpack.",
                    ));
                }
                _ => {}
            }
            rest = &rest[length..];
        }
        Ok(())
    }

    fn name(&mut self, header: &[u8]) -> Result<String> {
        let name = self.long_name.take().unwrap_or_else(|| {
            let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
            if prefix.is_empty() || header[257..263] != *b"ustar\0" {
                name
            } else {
                format!("{prefix}/{name}")
            }
        });
        let name = name
            .strip_prefix("./")
            .unwrap_or(&name)
            .trim_end_matches('/')
            .to_owned();
        Ok(name)
    }

    fn member(&mut self, header: &[u8], offset: u64, length: u64) -> Result<()> {
        let name = self.name(header)?;
        judge_path(&name).map_err(|_| leads_out(&name))?;
        if self.members.iter().any(|member| member.name == name) {
            return Err(duplicate(&name));
        }
        if self.members.len() == MEMBERS_MAX {
            return Err(refuse::too_large("the archive has more than 256 files"));
        }
        self.members.push(Member { name, offset, length });
        Ok(())
    }

    fn folder(&mut self, header: &[u8]) -> Result<()> {
        let name = self.name(header)?;
        if name.is_empty() || name == "." {
            return Ok(());
        }
        judge_path(&name).map_err(|_| leads_out(&name))
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Octal digits, or GNU's binary form.
fn number(field: &[u8]) -> Option<u64> {
    if field.first().is_some_and(|byte| byte & 0x80 != 0) {
        // A checksum is never so long.
        let (high, low) = field.split_at_checked(field.len().checked_sub(8)?)?;
        let clean = matches!(high, [0x80, rest @ ..] if rest.iter().all(|byte| *byte == 0));
        return clean.then(|| crate::source::be64(low, 0));
    }
    let digits = text(field);
    let digits = digits.trim_matches(' ');
    if digits.is_empty() {
        Some(0)
    } else {
        u64::from_str_radix(digits, 8).ok()
    }
}

/// The sum of the header's bytes, its own field taken as spaces.
fn checksum_fits(header: &[u8]) -> bool {
    let sum: u64 = header
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
    number(&header[148..156]) == Some(sum)
}

fn leads_out(name: &str) -> Error {
    refuse::refers_elsewhere(
        format!(
            "The archive holds a name that leads out of it, “{}”, which is a known trick.",
            printable(name)
        ),
        "Don't use it. Get the archive from its maker again.",
    )
}

fn link() -> Error {
    Error::unsafe_input(
        "archive-link",
        "The archive holds a link or a device in the place of a file, which is a known trick.",
    )
    .with_hint("Don't use it. Get the archive from its maker again.")
}

fn duplicate(name: &str) -> Error {
    Error::unsafe_input(
        "archive-duplicate",
        format!(
            "The archive holds two files of the name “{}”, so that two programs would see different things.",
            printable(name)
        ),
    )
    .with_hint("Don't use it. Get the archive from its maker again.")
}
