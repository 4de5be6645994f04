//! The service's side: starts the confined process, hands it the images, and believes nothing that it says.

use crate::protocol::{
    DESCRIPTORS_PER_BATCH, Reason, Reply, Request, TAG_DATA, TAG_HOLE, TAG_REPLY, Work, read_frame,
};
use nestbox_model::{Error, FileEntry, ImageFormat, Listing, Result, Volume};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The process may be silent for this long while it looks for files, and while it copies.
const LISTING_SILENCE: Duration = Duration::from_secs(20);
const COPY_SILENCE: Duration = Duration::from_secs(30);
/// A whole listing takes no longer.
const LISTING_TIME: Duration = Duration::from_secs(120);
/// How often it is looked whether anybody still waits.
const LOOK: Duration = Duration::from_millis(100);
/// Most that is believed of a disk and of a name.
const VOLUMES_MAX: usize = 200;
const NOTES_MAX: usize = 20;
const TEXT_MAX: usize = 8 << 10;

/// The program that is started, and its arguments: `nestbox __browse`.
#[derive(Clone, Debug)]
pub struct Helper {
    /// The program's path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// The word that makes the `nestbox` program a helper.
pub const HELPER_WORD: &str = "__browse";

impl Helper {
    /// The `nestbox` program at this path.
    pub fn nestbox(program: PathBuf) -> Self {
        Self {
            program,
            arguments: vec![HELPER_WORD.into()],
        }
    }
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ListRequest {
    /// `[VOLUME:]/PATH`; none: the volumes, and the root where there is but one.
    pub path: Option<String>,
    /// Most entries.
    pub limit: u32,
    /// Only entries behind this name.
    pub after: Option<String>,
}

/// Lists a folder of the disk that `images` make, the active image first. Blocks; ends the process in any case.
///
/// # Errors
/// `path-not-found`, `volume-not-found` (not found); `not-a-folder`, `volume-unclear` (usage); `volume-not-browsable`
/// (unfit); `filesystem-damaged` (unsafe), also when the process died or was silent for 20 s; `cancelled`.
pub fn list(
    helper: &Helper,
    images: &[(File, ImageFormat)],
    request: ListRequest,
    cancel: &CancellationToken,
) -> Result<Listing> {
    let limit = request.limit as usize;
    let asked = request.path.clone().unwrap_or_default();
    let work = Work::List {
        path: request.path,
        limit: request.limit,
        after: request.after,
    };
    let mut session = Session::start(helper, images, work, cancel)?;
    let mut listing = Listing {
        volumes: Vec::new(),
        volume: 0,
        path: "/".into(),
        entries: Vec::new(),
        more: false,
        notes: Vec::new(),
    };
    loop {
        match session.next()? {
            Said::Reply(Reply::Volumes(volumes)) => listing.volumes = judge_volumes(volumes)?,
            Said::Reply(Reply::Place { volume, path }) => {
                listing.volume = volume;
                listing.path = judge_text(path)?;
            }
            Said::Reply(Reply::Entries(entries)) => {
                if listing.entries.len() + entries.len() > limit {
                    return Err(nonsense());
                }
                for entry in entries {
                    listing.entries.push(judge_entry(entry)?);
                }
            }
            Said::Reply(Reply::Note(note)) if listing.notes.len() < NOTES_MAX => {
                listing.notes.push(judge_text(note)?);
            }
            Said::Reply(Reply::Done { more }) => {
                listing.more = more;
                return Ok(listing);
            }
            Said::Reply(Reply::Failed { reason, what }) => return Err(refused(reason, &what, &asked)),
            _ => return Err(nonsense()),
        }
    }
}

/// What the process said.
pub(crate) enum Said<'a> {
    Reply(Reply),
    Data(&'a [u8]),
    Hole(u64),
}

/// A running process; it is ended when this goes.
pub(crate) struct Session<'a> {
    child: Child,
    from: BufReader<Patient<'a>>,
    payload: Vec<u8>,
}

impl<'a> Session<'a> {
    pub fn start(
        helper: &Helper,
        images: &[(File, ImageFormat)],
        work: Work,
        cancel: &'a CancellationToken,
    ) -> Result<Self> {
        let failed =
            |error: io::Error| Error::io("start the process that reads disks", &helper.program, &error);
        let copying = matches!(work, Work::Copy { .. });
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let child = Command::new(&helper.program)
            .args(&helper.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        // From here on the process ends with the session.
        let mut session = Self {
            child,
            from: BufReader::with_capacity(
                256 << 10,
                Patient {
                    socket: ours.try_clone().map_err(failed)?,
                    silence: if copying { COPY_SILENCE } else { LISTING_SILENCE },
                    until: (!copying).then(|| Instant::now() + LISTING_TIME),
                    cancel,
                },
            ),
            payload: Vec::new(),
        };
        ours.set_read_timeout(Some(LOOK)).map_err(failed)?;
        ours.set_write_timeout(Some(LISTING_SILENCE)).map_err(failed)?;
        session
            .send(&ours, images, work)
            .map_err(|error| session.died(&error))?;
        Ok(session)
    }

    fn send(
        &mut self,
        mut socket: &UnixStream,
        images: &[(File, ImageFormat)],
        work: Work,
    ) -> io::Result<()> {
        let request = Request {
            images: images.iter().map(|(_, format)| *format).collect(),
            work,
        };
        let json = serde_json::to_vec(&request)?;
        let length = u32::try_from(json.len()).map_err(|_| ErrorKind::InvalidInput)?;
        socket.write_all(&length.to_le_bytes())?;
        socket.write_all(&json)?;
        for batch in images.chunks(DESCRIPTORS_PER_BATCH) {
            let descriptors: Vec<BorrowedFd<'_>> = batch.iter().map(|(file, _)| file.as_fd()).collect();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_PER_BATCH))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
                return Err(ErrorKind::InvalidInput.into());
            }
            sendmsg(socket, &[IoSlice::new(b"F")], &mut control, SendFlags::empty())?;
        }
        Ok(())
    }

    /// The next thing it says.
    pub fn next(&mut self) -> Result<Said<'_>> {
        let tag = read_frame(&mut self.from, &mut self.payload).map_err(|error| self.died(&error))?;
        match tag {
            TAG_REPLY => serde_json::from_slice(&self.payload)
                .map(Said::Reply)
                .map_err(|_| nonsense()),
            TAG_DATA => Ok(Said::Data(&self.payload)),
            TAG_HOLE => match <[u8; 8]>::try_from(self.payload.as_slice()) {
                Ok(length) => Ok(Said::Hole(u64::from_le_bytes(length))),
                Err(_) => Err(nonsense()),
            },
            _ => Err(nonsense()),
        }
    }

    fn died(&mut self, error: &io::Error) -> Error {
        if self.from.get_ref().cancel.is_cancelled() {
            return Error::cancelled();
        }
        let what = match error.kind() {
            ErrorKind::TimedOut => "reading it took too long",
            ErrorKind::InvalidData => "it was misread",
            _ => "reading it failed",
        };
        let _ = self.child.kill();
        let status = self
            .child
            .wait()
            .map(|status| status.to_string())
            .unwrap_or_default();
        damaged(what).with_detail("process", status)
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a socket whose read time-out is short: for as long as somebody waits and something comes now and then.
struct Patient<'a> {
    socket: UnixStream,
    silence: Duration,
    until: Option<Instant>,
    cancel: &'a CancellationToken,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let began = Instant::now();
        loop {
            if self.cancel.is_cancelled() {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            match self.socket.read(buffer) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
            let now = Instant::now();
            if now - began > self.silence || self.until.is_some_and(|until| now > until) {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }
}

fn damaged(what: &str) -> Error {
    Error::unsafe_input(
        "filesystem-damaged",
        format!("The file system is damaged: {what}."),
    )
    .with_hint("Start the machine: its system can usually repair the disk. Other snapshots may be sound.")
}

pub(crate) fn nonsense() -> Error {
    damaged("reading it gave nonsense")
}

/// A refusal of the process, about `asked`.
pub(crate) fn refused(reason: Reason, what: &str, asked: &str) -> Error {
    let what = crate::names::shown(what.get(..1024).unwrap_or(what).trim_end_matches('.').as_bytes());
    let error = match reason {
        Reason::NotFound => Error::not_found("path-not-found", format!("There is no “{asked}” on the disk.")),
        Reason::NotAFolder => Error::usage("not-a-folder", format!("“{asked}” is not a folder."))
            .with_hint("Copy it out, or list the folder that it is in."),
        Reason::NoSuchVolume => {
            Error::not_found("volume-not-found", format!("The disk has no volume {what}."))
                .with_hint("List the disk without a path to see its volumes.")
        }
        Reason::VolumeUnclear => Error::usage(
            "volume-unclear",
            "The disk has several volumes, and the path does not say which.",
        )
        .with_hint("Put the volume's number before the path, as in 2:/etc. Without a path they are listed."),
        Reason::NotBrowsable => Error::unfit(
            "volume-not-browsable",
            format!("The volume can't be looked into. {what}."),
        ),
        Reason::Damaged => damaged(&what),
    };
    error.with_detail("path", asked)
}

fn judge_volumes(mut volumes: Vec<Volume>) -> Result<Vec<Volume>> {
    if volumes.len() > VOLUMES_MAX {
        return Err(nonsense());
    }
    for volume in &mut volumes {
        let texts = [
            &mut volume.name,
            &mut volume.filesystem,
            &mut volume.label,
            &mut volume.reason,
        ];
        for text in texts {
            *text = text.take().map(judge_text).transpose()?;
        }
    }
    Ok(volumes)
}

fn judge_entry(entry: FileEntry) -> Result<FileEntry> {
    if !is_plain_name(&entry.name) {
        return Err(nonsense());
    }
    Ok(FileEntry {
        target: entry.target.map(judge_text).transpose()?,
        ..entry
    })
}

/// A name in its shown form: one component, nothing that a terminal would obey.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= TEXT_MAX
        && name != "."
        && name != ".."
        && !name.contains('/')
        && !name.chars().any(char::is_control)
}

/// Text of a bearable length without control characters.
pub(crate) fn judge_text(text: String) -> Result<String> {
    if text.len() > 2 * TEXT_MAX || text.chars().any(char::is_control) {
        return Err(nonsense());
    }
    Ok(text)
}
