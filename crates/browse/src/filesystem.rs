//! What every file system can do for us, and how it fails.

use std::io;

/// What went wrong inside of a file system.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It contradicts itself or ends too early; in words.
    Damaged(String),
    /// It uses what our reader does not know.
    Unsupported(String),
    /// There is nothing at that path.
    NotFound,
    /// A folder was wanted.
    NotAFolder,
    /// The other side hung up.
    HungUp,
}

pub(crate) type Outcome<T> = Result<T, Fault>;

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Damaged(match error.kind() {
            io::ErrorKind::UnexpectedEof => "something lies behind its end".into(),
            _ => format!("it could not be read: {error}"),
        })
    }
}

pub(crate) fn damaged<T>(what: &str) -> Outcome<T> {
    Err(Fault::Damaged(what.to_owned()))
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// What is known of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub kind: Kind,
    /// Bytes of a file; 0 for others.
    pub size: u64,
    /// Seconds since 1970, UTC.
    pub modified: Option<i64>,
}

/// An entry of a folder.
pub(crate) struct Found<N> {
    /// As it is stored; UTF-8 where the file system has Unicode.
    pub name: Vec<u8>,
    pub node: N,
}

/// What is known of a volume once it is open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub filesystem: &'static str,
    pub label: Option<String>,
    /// Bytes.
    pub used: Option<u64>,
    /// Sentences.
    pub notes: Vec<String>,
}

/// Takes a file's content, in order.
pub(crate) trait Sink {
    fn data(&mut self, bytes: &[u8]) -> Outcome<()>;
    /// So many zeros that are not stored.
    fn hole(&mut self, length: u64) -> Outcome<()>;
}

/// Called with each entry of a folder.
pub(crate) type Visit<'a, N> = dyn FnMut(Found<N>) -> Outcome<()> + 'a;

/// An open file system. Readers keep these rules: no panic and no endless loop whatever the bytes say, every length
/// bounded, memory bounded; `.` and `..` are not among a folder's entries.
pub(crate) trait FileSystem {
    /// Names a file or folder for as long as the file system is open.
    type Node: Clone + PartialEq;

    fn facts(&self) -> &Facts;
    fn root(&self) -> Self::Node;
    fn read_folder(&self, folder: &Self::Node, visit: &mut Visit<'_, Self::Node>) -> Outcome<()>;
    fn stat(&self, node: &Self::Node) -> Outcome<Stat>;
    /// Where a link points, as it is stored.
    fn link_target(&self, node: &Self::Node) -> Outcome<Vec<u8>>;
    fn read_file(&self, node: &Self::Node, sink: &mut dyn Sink) -> Outcome<()>;

    /// Links are paths with `/` that can be followed inside of the volume.
    fn follows_links(&self) -> bool {
        true
    }

    /// Names differ by more than upper and lower case.
    fn minds_case(&self) -> bool {
        true
    }

    /// The entry of that name: the exact one, else where case does not matter one that differs in case only.
    fn find(&self, folder: &Self::Node, name: &[u8]) -> Outcome<Option<Self::Node>> {
        let (mut exact, mut near) = (None, None);
        let folded = (!self.minds_case()).then(|| fold(name));
        self.read_folder(folder, &mut |found| {
            if found.name == name {
                exact.get_or_insert(found.node);
            } else if folded.as_ref().is_some_and(|folded| *folded == fold(&found.name)) {
                near.get_or_insert(found.node);
            }
            Ok(())
        })?;
        Ok(exact.or(near))
    }
}

fn fold(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_lowercase()
}

/// Pieces in which file content is read.
pub(crate) const CONTENT_PIECE: u64 = 256 << 10;

/// UTF-16, little endian, as bytes: UTF-8, but for lone surrogates, whose three bytes are no valid UTF-8.
pub(crate) fn from_utf16(units: impl Iterator<Item = u16>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(letter) => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let unit = lone.unpaired_surrogate();
                bytes.extend_from_slice(&[
                    0xe0 | (unit >> 12) as u8,
                    0x80 | (unit >> 6 & 0x3f) as u8,
                    0x80 | (unit & 0x3f) as u8,
                ]);
            }
        }
    }
    bytes
}

/// Days of a date since 1970 (the civil calendar).
pub(crate) fn days_since_1970(year: i64, month: u32, day: u32) -> Option<i64> {
    let month = u8::try_from(month)
        .ok()
        .and_then(|month| time::Month::try_from(month).ok())?;
    let date =
        time::Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    Some(i64::from(date.to_julian_day()) - 2_440_588)
}
