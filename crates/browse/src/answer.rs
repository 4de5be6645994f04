//! Does the work of one request: opens the volumes, lists or copies, and answers.

use crate::copy;
use crate::ext::Ext;
use crate::fat::Fat;
use crate::filesystem::{Facts, Fault, FileSystem, Outcome, Sink};
use crate::iso::Iso;
use crate::names;
use crate::ntfs::Ntfs;
use crate::protocol::{
    ENTRIES_PER_FRAME, FRAME_MAX, Reason, Reply, TAG_DATA, TAG_HOLE, TAG_REPLY, Work, write_frame,
};
use crate::source::Region;
use crate::volumes::{Contents, Part, contents, parts};
use crate::walk;
use nestbox_model::Volume;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where answers go.
pub(crate) struct Answers<'a> {
    to: &'a mut dyn Write,
}

impl<'a> Answers<'a> {
    pub fn new(to: &'a mut dyn Write) -> Self {
        Self { to }
    }

    pub fn reply(&mut self, reply: &Reply) -> Outcome<()> {
        let json = serde_json::to_vec(reply).map_err(|_| Fault::HungUp)?;
        self.frame(TAG_REPLY, &json)
    }

    fn frame(&mut self, tag: u8, payload: &[u8]) -> Outcome<()> {
        write_frame(&mut self.to, tag, payload).map_err(|_| Fault::HungUp)
    }

    pub fn flush(&mut self) -> Outcome<()> {
        self.to.flush().map_err(|_| Fault::HungUp)
    }
}

impl Sink for Answers<'_> {
    fn data(&mut self, bytes: &[u8]) -> Outcome<()> {
        for piece in bytes.chunks(FRAME_MAX as usize) {
            self.frame(TAG_DATA, piece)?;
        }
        Ok(())
    }
    fn hole(&mut self, length: u64) -> Outcome<()> {
        self.frame(TAG_HOLE, &length.to_le_bytes())
    }
}

/// A refusal in the protocol's words.
pub(crate) struct Refusal(pub Reason, pub String);

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Damaged(what) => Self(Reason::Damaged, what),
            Fault::Unsupported(what) => Self(Reason::NotBrowsable, what),
            Fault::NotFound => Self(Reason::NotFound, String::new()),
            Fault::NotAFolder => Self(Reason::NotAFolder, String::new()),
            Fault::HungUp => Self(Reason::Damaged, "nobody listens".into()),
        }
    }
}

/// Answers one request on `disk`.
pub(crate) fn answer(disk: &Region, work: &Work, answers: &mut Answers<'_>) -> Outcome<()> {
    let done = match work {
        Work::List { path, limit, after } => list(disk, path.as_deref(), *limit, after.as_deref(), answers),
        Work::Copy { paths } => copy_all(disk, paths, answers).map(|()| false),
    };
    match done {
        Ok(more) => answers.reply(&Reply::Done { more })?,
        Err(Refusal(reason, what)) => answers.reply(&Reply::Failed { reason, what })?,
    }
    answers.flush()
}

fn list(
    disk: &Region,
    path: Option<&str>,
    limit: u32,
    after: Option<&str>,
    answers: &mut Answers<'_>,
) -> Result<bool, Refusal> {
    let parts = parts(disk).map_err(Fault::from)?;
    let volumes: Vec<Volume> = parts.iter().map(describe).collect();
    answers.reply(&Reply::Volumes(volumes.clone()))?;
    let (number, path) = match path.map(split) {
        Some((Some(number), path)) => (number, path),
        other => match only(&volumes) {
            Some(number) => (number, other.map_or("/", |(_, path)| path)),
            None if other.is_none() => return Ok(false),
            None => return Err(unclear()),
        },
    };
    let mut lister = Lister {
        number,
        path,
        limit: limit as usize,
        after: after.map(names::bytes),
        answers,
    };
    with_volume(&parts, number, &mut lister)
}

fn copy_all(disk: &Region, paths: &[String], answers: &mut Answers<'_>) -> Result<(), Refusal> {
    let parts = parts(disk).map_err(Fault::from)?;
    let mut only_one = None;
    for path in paths {
        let (number, path) = match split(path) {
            (Some(number), path) => (number, path),
            (None, path) => {
                let volumes = || parts.iter().map(describe).collect::<Vec<_>>();
                let number = *only_one.get_or_insert_with(|| only(&volumes()));
                (number.ok_or_else(unclear)?, path)
            }
        };
        with_volume(
            &parts,
            number,
            &mut Copier {
                number,
                path,
                answers,
            },
        )?;
    }
    Ok(())
}

/// `2:/etc` is the path `/etc` on volume 2.
fn split(path: &str) -> (Option<u32>, &str) {
    match path.split_once(':') {
        Some((number, rest)) if rest.is_empty() || rest.starts_with('/') => match number.parse() {
            Ok(number) => (Some(number), rest),
            Err(_) => (None, path),
        },
        _ => (None, path),
    }
}

/// The one volume that can be meant.
fn only(volumes: &[Volume]) -> Option<u32> {
    let mut browsable = volumes.iter().filter(|volume| volume.browsable);
    match (browsable.next(), browsable.next(), volumes) {
        (Some(one), None, _) => Some(one.number),
        // Whoever looks at it gets the reason.
        (None, _, [one]) => Some(one.number),
        _ => None,
    }
}

fn unclear() -> Refusal {
    Refusal(Reason::VolumeUnclear, String::new())
}

fn describe(part: &Part) -> Volume {
    let mut volume = Volume {
        number: part.number,
        name: part.name.clone(),
        filesystem: None,
        label: None,
        size: part.region.length(),
        used: None,
        browsable: false,
        reason: None,
    };
    // A bug of one reader must not hide the other volumes.
    let opened = catch_unwind(AssertUnwindSafe(|| open(&part.region, &mut FactsOnly)));
    match opened.unwrap_or_else(|_| Err(Unopened::Fault(None, Fault::Damaged("reading it failed".into())))) {
        Ok(facts) => {
            volume.browsable = true;
            volume.filesystem = Some(facts.filesystem.into());
            volume.label = facts.label;
            volume.used = facts.used.map(|used| used.min(volume.size));
        }
        Err(unopened) => {
            let (word, reason) = unopened.said();
            volume.filesystem = word.map(str::to_owned);
            volume.reason = Some(reason);
        }
    }
    volume
}

/// Something to do with an open file system of any kind.
trait Visitor {
    type Result;
    fn visit<F: FileSystem>(&mut self, filesystem: &F) -> Self::Result;
}

struct FactsOnly;

impl Visitor for FactsOnly {
    type Result = Facts;
    fn visit<F: FileSystem>(&mut self, filesystem: &F) -> Facts {
        filesystem.facts().clone()
    }
}

/// Why a part could not be opened.
enum Unopened {
    Other(Option<&'static str>, &'static str),
    Fault(Option<&'static str>, Fault),
}

impl Unopened {
    /// The word for what is there, and the reason in a sentence.
    fn said(self) -> (Option<&'static str>, String) {
        match self {
            Self::Other(word, reason) => (word, reason.to_owned()),
            Self::Fault(word, Fault::Unsupported(what)) => (
                word,
                format!(
                    "Nestbox can't look into it: {what}. Start the machine and copy the files inside of it."
                ),
            ),
            Self::Fault(word, Fault::Damaged(what)) => (
                word,
                format!("It is damaged: {what}. Start the machine, which may repair it."),
            ),
            Self::Fault(word, _) => (word, "It could not be read.".into()),
        }
    }
}

fn open<V: Visitor>(region: &Region, visitor: &mut V) -> Result<V::Result, Unopened> {
    let what = contents(region).map_err(|error| Unopened::Fault(None, error.into()))?;
    let with = |word: &'static str| move |fault: Fault| Unopened::Fault(Some(word), fault);
    Ok(match what {
        Contents::Ext => visitor.visit(&Ext::open(region).map_err(with("ext4"))?),
        Contents::Fat => visitor.visit(&Fat::open(region).map_err(with("fat"))?),
        Contents::Ntfs => visitor.visit(&Ntfs::open(region).map_err(with("ntfs"))?),
        Contents::Iso => visitor.visit(&Iso::open(region).map_err(with("iso9660"))?),
        Contents::Other(word, reason) => return Err(Unopened::Other(Some(word), reason)),
        Contents::Blank => return Err(Unopened::Other(None, "It is empty.")),
        Contents::Unknown => {
            return Err(Unopened::Other(
                None,
                "Nestbox does not know what is on it. Start the machine and copy the files inside of it.",
            ));
        }
    })
}

fn with_volume<T, V: Visitor<Result = Result<T, Refusal>>>(
    parts: &[Part],
    number: u32,
    visitor: &mut V,
) -> Result<T, Refusal> {
    let part = parts.iter().find(|part| part.number == number);
    let part = part.ok_or_else(|| Refusal(Reason::NoSuchVolume, number.to_string()))?;
    open(&part.region, visitor).map_err(|unopened| match unopened {
        Unopened::Fault(_, Fault::Damaged(what)) => Refusal(Reason::Damaged, what),
        other => Refusal(Reason::NotBrowsable, other.said().1),
    })?
}

struct Lister<'a, 'b> {
    number: u32,
    path: &'a str,
    limit: usize,
    after: Option<Vec<u8>>,
    answers: &'a mut Answers<'b>,
}

impl Visitor for Lister<'_, '_> {
    type Result = Result<bool, Refusal>;

    fn visit<F: FileSystem>(&mut self, filesystem: &F) -> Self::Result {
        let place = walk::find(filesystem, self.path)?;
        for note in &filesystem.facts().notes {
            self.answers.reply(&Reply::Note(note.clone()))?;
        }
        let page = walk::list(filesystem, &place.node, self.limit, self.after.as_deref())?;
        self.answers.reply(&Reply::Place {
            volume: self.number,
            path: place.shown(),
        })?;
        for entries in page.entries.chunks(ENTRIES_PER_FRAME) {
            self.answers.reply(&Reply::Entries(entries.to_vec()))?;
        }
        if page.unreadable > 0 {
            let note = format!(
                "{} entries could not be read: the file system is damaged.",
                page.unreadable
            );
            self.answers.reply(&Reply::Note(note))?;
        }
        Ok(page.more)
    }
}

struct Copier<'a, 'b> {
    number: u32,
    path: &'a str,
    answers: &'a mut Answers<'b>,
}

impl Visitor for Copier<'_, '_> {
    type Result = Result<(), Refusal>;

    fn visit<F: FileSystem>(&mut self, filesystem: &F) -> Self::Result {
        copy::copy(filesystem, self.number, self.path, self.answers).map_err(Into::into)
    }
}
