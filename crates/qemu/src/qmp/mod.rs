//! A QMP connection that trusts nothing about its peer: lines are bounded, every wait has a limit, answers are
//! matched by id, and what is not understood is left aside instead of ending the connection.
//!
//! The commands' and answers' types are the crate `qapi`'s; only the envelope is our own, because its reader ends
//! for good at the first event it does not know and takes lines of any length.

mod fds;
mod lines;
#[cfg(test)]
mod tests;

use lines::LineReader;
use nestbox_model::{Error, Result};
use qapi::Command;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    os::fd::BorrowedFd,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::UnixStream,
    sync::{broadcast, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

/// How long a command may take unless it says otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long the greeting may take: a second client of a socket is never greeted.
const GREETING: Duration = Duration::from_secs(5);
/// How long QEMU may leave our bytes unread.
const WRITING: Duration = Duration::from_secs(10);

/// Code of "no such socket, or nobody listens".
pub(crate) const NOT_THERE: &str = "qemu-not-there";
/// Code of "it was there but does not answer any more".
pub(crate) const SILENT: &str = "qemu-silent";
/// Code of "QEMU said no".
pub(crate) const REFUSED: &str = "qemu-refused";

/// Something QEMU said unasked.
#[derive(Clone, Debug)]
pub(crate) struct QmpEvent {
    /// `STOP`, `SHUTDOWN`, …
    pub name: String,
    /// Its data, or null.
    pub data: Value,
}

type Answer = std::result::Result<Value, Value>;
type Pending = Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>;

/// One connection. Dropping it closes it, so that the next client is served.
pub(crate) struct Qmp {
    stream: Arc<UnixStream>,
    writing: tokio::sync::Mutex<()>,
    pending: Pending,
    next: AtomicU64,
    events: broadcast::Sender<QmpEvent>,
    closed: watch::Receiver<Option<String>>,
    reader: JoinHandle<()>,
}

impl Drop for Qmp {
    fn drop(&mut self) {
        self.reader.abort();
        let _ = rustix::net::shutdown(&*self.stream, rustix::net::Shutdown::Both);
    }
}

impl Qmp {
    /// Connects, reads the greeting and leaves the negotiation behind.
    ///
    /// # Errors
    /// `qemu-not-there` when nothing listens, `qemu-silent` when it does not speak QMP in time.
    pub async fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).await.map_err(|error| {
            Error::failed(NOT_THERE, "The machine's process is not reachable.")
                .with_detail("socket", socket.display().to_string())
                .with_detail("technical", error.to_string())
        })?;
        let stream = Arc::new(stream);
        let mut lines = LineReader::new(Arc::clone(&stream));
        let greeting = timeout(GREETING, lines.next())
            .await
            .map_err(|_| silent("No greeting came."))?
            .map_err(|error| silent(&error.to_string()))?
            .ok_or_else(|| silent("It hung up at once."))?;
        let greeting: Value =
            serde_json::from_slice(&greeting).map_err(|error| silent(&error.to_string()))?;
        if !greeting["QMP"].is_object() {
            return Err(silent("Its greeting is not QMP's."));
        }
        let pending = Pending::default();
        let (events, _) = broadcast::channel(1024);
        let (closing, closed) = watch::channel(None);
        let reader = tokio::spawn(read(lines, Arc::clone(&pending), events.clone(), closing));
        let qmp = Self {
            stream,
            writing: Default::default(),
            pending,
            next: AtomicU64::new(1),
            events,
            closed,
            reader,
        };
        qmp.raw_within("qmp_capabilities", Value::Null, GREETING).await?;
        Ok(qmp)
    }

    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<QmpEvent> {
        self.events.subscribe()
    }

    /// Waits until the connection is gone.
    pub async fn closed(&self) {
        let mut closed = self.closed.clone();
        let _ = closed.wait_for(Option::is_some).await;
    }

    /// Whether the connection still stands.
    pub fn is_open(&self) -> bool {
        self.closed.borrow().is_none()
    }

    /// Runs a typed command.
    pub async fn execute<C: Command>(&self, command: C) -> Result<C::Ok> {
        let answer = self.raw(C::NAME, arguments(&command)?).await?;
        serde_json::from_value(answer).map_err(|error| {
            Error::failed(
                "qemu-odd-answer",
                "QEMU gave an answer Nestbox does not understand.",
            )
            .with_detail("command", C::NAME)
            .with_detail("technical", error.to_string())
        })
    }

    /// Runs a command whose answer is taken as it comes; null arguments are left out.
    pub async fn raw(&self, name: &str, arguments: Value) -> Result<Value> {
        self.raw_within(name, arguments, PATIENCE).await
    }

    /// [`Self::raw`] with its own limit.
    pub async fn raw_within(&self, name: &str, arguments: Value, limit: Duration) -> Result<Value> {
        let mut answers = self.send(&[(name, arguments)], None, limit).await?;
        answers.pop().unwrap_or_else(|| Err(silent("No answer.")))
    }

    /// Hands one file descriptor over together with the command that takes it (`add-fd`, `getfd`).
    pub async fn with_fd<C: Command>(&self, command: C, fd: BorrowedFd<'_>) -> Result<Value> {
        let arguments = arguments(&command)?;
        let mut answers = self.send(&[(C::NAME, arguments)], Some(fd), PATIENCE).await?;
        answers.pop().unwrap_or_else(|| Err(silent("No answer.")))
    }

    /// Sends two commands in one go, so that as little as possible happens between them.
    pub async fn back_to_back(&self, first: &str, second: &str) -> Result<()> {
        let answers = self
            .send(&[(first, Value::Null), (second, Value::Null)], None, PATIENCE)
            .await?;
        answers.into_iter().collect::<Result<Vec<_>>>().map(drop)
    }

    async fn send(
        &self,
        commands: &[(&str, Value)],
        fd: Option<BorrowedFd<'_>>,
        limit: Duration,
    ) -> Result<Vec<Result<Value>>> {
        let mut bytes = Vec::new();
        let mut waiting = Vec::new();
        for (name, arguments) in commands {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            let mut command = json!({"execute": name, "id": id});
            if !arguments.is_null() {
                command["arguments"] = arguments.clone();
            }
            bytes.extend(command.to_string().into_bytes());
            bytes.push(b'\n');
            let (sender, receiver) = oneshot::channel();
            self.pending
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(id, sender);
            waiting.push((id, *name, receiver));
        }
        let forget = Forget {
            pending: &self.pending,
            ids: waiting.iter().map(|(id, ..)| *id).collect(),
        };
        if let Some(why) = self.closed.borrow().clone() {
            return Err(silent(&why));
        }
        {
            let _alone = self.writing.lock().await;
            match timeout(WRITING, fds::write_all(&self.stream, &bytes, fd)).await {
                Ok(Ok(())) => {}
                failed => {
                    // Half a command may be on its way: nothing sensible can follow it on this connection.
                    let _ = rustix::net::shutdown(&*self.stream, rustix::net::Shutdown::Both);
                    return Err(match failed {
                        Ok(Err(error)) => silent(&error.to_string()),
                        _ => silent("It does not read what it is sent."),
                    });
                }
            }
        }
        let mut answers = Vec::new();
        let until = tokio::time::Instant::now() + limit;
        for (_, name, receiver) in waiting {
            answers.push(match tokio::time::timeout_at(until, receiver).await {
                Ok(Ok(Ok(value))) => Ok(value),
                Ok(Ok(Err(error))) => Err(refused(name, &error)),
                Ok(Err(_)) => Err(silent(self.closed.borrow().as_deref().unwrap_or("It hung up."))),
                Err(_) => Err(silent(&format!(
                    "No answer to {name} within {} s.",
                    limit.as_secs()
                ))),
            });
        }
        drop(forget);
        Ok(answers)
    }
}

/// Takes ids nobody waits for any more out of the table, also when the caller gives up.
struct Forget<'a> {
    pending: &'a Pending,
    ids: Vec<u64>,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for id in &self.ids {
            pending.remove(id);
        }
    }
}

fn arguments(command: &impl Serialize) -> Result<Value> {
    serde_json::to_value(command).map_err(|error| {
        Error::failed(
            "internal",
            format!("A command for QEMU could not be written: {error}."),
        )
    })
}

fn silent(why: &str) -> Error {
    Error::failed(SILENT, "The machine's process does not answer.")
        .with_hint("If it stays like this, end the machine with force.")
        .with_detail("technical", why)
}

/// QEMU's own words go into the details, bounded and without control characters.
fn refused(command: &str, error: &Value) -> Error {
    let text = error["desc"]
        .as_str()
        .map_or_else(|| error.to_string(), str::to_owned);
    Error::failed(REFUSED, "QEMU refused.")
        .with_detail("command", command)
        .with_detail("technical", tame(&text))
}

/// At most 2,000 characters, none of them control characters.
pub(crate) fn tame(text: &str) -> String {
    text.chars()
        .take(2000)
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect()
}

async fn read(
    mut lines: LineReader,
    pending: Pending,
    events: broadcast::Sender<QmpEvent>,
    closing: watch::Sender<Option<String>>,
) {
    let why = loop {
        match lines.next().await {
            Ok(Some(line)) => take(&line, &pending, &events),
            Ok(None) => break "It hung up.".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    closing.send_replace(Some(why));
    // Dropping the senders wakes everyone who still waits for an answer.
    pending.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

fn take(line: &[u8], pending: &Pending, events: &broadcast::Sender<QmpEvent>) {
    let Ok(Value::Object(mut message)) = serde_json::from_slice::<Value>(line) else {
        tracing::debug!(
            bytes = line.len(),
            "a QMP line that is no JSON object was left aside"
        );
        return;
    };
    if let Some(Value::String(name)) = message.get("event") {
        let event = QmpEvent {
            name: name.clone(),
            data: message.get("data").cloned().unwrap_or_default(),
        };
        let _ = events.send(event);
        return;
    }
    let Some(id) = message.get("id").and_then(Value::as_u64) else {
        return;
    };
    let answer = if let Some(error) = message.remove("error") {
        Err(error)
    } else if let Some(value) = message.remove("return") {
        Ok(value)
    } else {
        return;
    };
    let waiting = pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    if let Some(waiting) = waiting {
        let _ = waiting.send(answer);
    }
}
