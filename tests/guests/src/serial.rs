//! A guest's serial port: wait for what it says, answer, log in, run commands.

use nestbox_model::{Error, Result};
use std::{
    collections::HashMap,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What the reader thread and the waiting test share.
#[derive(Default)]
struct Heard {
    bytes: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, (Vec<u8>, bool)> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A live serial line. A thread reads all the time, also while nobody waits: QEMU stands still when its serial socket
/// is full.
pub struct Serial {
    heard: Arc<Heard>,
    writer: Box<dyn Write + Send>,
    /// Everything before this has been waited for.
    seen: usize,
    commands: u32,
    child: Option<Child>,
}

impl Serial {
    /// Connects to QEMU's unix socket, which may appear within ten seconds. QEMU serves one client at a time.
    ///
    /// # Errors
    /// `serial-unreachable`.
    pub fn connect(socket: &Path) -> Result<Self> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match UnixStream::connect(socket).and_then(|stream| Ok((stream.try_clone()?, stream))) {
                Ok((reader, writer)) => return Ok(Self::over(reader, writer)),
                Err(error) if Instant::now() > deadline => {
                    let text = format!("The serial socket {} does not answer: {error}.", socket.display());
                    return Err(Error::failed("serial-unreachable", text));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Over the standard input and output of a program such as `nestbox console NAME`; it is ended when this is dropped.
    ///
    /// # Errors
    /// `serial-unreachable` when it cannot be started.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let unreachable = |why: String| Error::failed("serial-unreachable", why);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| unreachable(format!("{command:?} cannot be started: {error}.")))?;
        let (Some(reader), Some(writer)) = (child.stdout.take(), child.stdin.take()) else {
            return Err(unreachable(format!("{command:?} has no pipes.")));
        };
        let mut serial = Self::over(reader, writer);
        serial.child = Some(child);
        Ok(serial)
    }

    /// Over any two byte streams.
    pub fn over(mut reader: impl Read + Send + 'static, writer: impl Write + Send + 'static) -> Self {
        let heard = Arc::new(Heard::default());
        let shared = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = reader.read(&mut buffer).unwrap_or(0);
                let mut heard = shared.lock();
                heard.0.extend_from_slice(&buffer[..count]);
                heard.1 = count == 0;
                shared.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self {
            heard,
            writer: Box::new(writer),
            seen: 0,
            commands: 0,
            child: None,
        }
    }

    /// Waits until `text` comes, after all that was waited for before, and gives the line it is on (the rest of a line
    /// that has begun is waited for a moment). Text must be within one line.
    ///
    /// # Errors
    /// `serial-silent` at the deadline, `serial-closed` when the line ends; both show the last things heard.
    pub fn wait_for(&mut self, text: &str, patience: Duration) -> Result<String> {
        let deadline = Instant::now() + patience;
        let heard_by = Arc::clone(&self.heard);
        let mut heard = heard_by.lock();
        loop {
            if let Some(at) = find(&heard.0[self.seen..], text.as_bytes()) {
                let (start, end) = (self.seen + at, self.seen + at + text.len());
                let begin = heard.0[..start]
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(0, |newline| newline + 1);
                // Lines are short and come whole; a prompt never ends.
                let grace = (Instant::now() + Duration::from_millis(300)).min(deadline);
                while !heard.0[end..].contains(&b'\n') && !heard.1 && Instant::now() < grace {
                    heard = heard_by
                        .changed
                        .wait_timeout(heard, Duration::from_millis(50))
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
                let stop = heard.0[end..]
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .map_or(heard.0.len(), |newline| end + newline);
                self.seen = end;
                return Ok(String::from_utf8_lossy(&heard.0[begin..stop]).trim().to_owned());
            }
            let now = Instant::now();
            if heard.1 || now >= deadline {
                let tail = tail(&heard.0);
                return Err(if heard.1 {
                    Error::failed(
                        "serial-closed",
                        format!("The serial line ended before “{text}” came. Last heard:\n{tail}"),
                    )
                } else {
                    Error::failed(
                        "serial-silent",
                        format!(
                            "“{text}” did not come within {} s. Last heard:\n{tail}",
                            patience.as_secs()
                        ),
                    )
                });
            }
            let rest = deadline - now;
            heard = heard_by
                .changed
                .wait_timeout(heard, rest)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits for the guest's ready line.
    ///
    /// # Errors
    /// As [`Serial::wait_for`].
    pub fn wait_ready(&mut self, patience: Duration) -> Result<Ready> {
        self.wait_for("nestbox-guest: ready", patience)
            .map(|line| Ready::parse(&line))
    }

    /// Waits for the next pair of counters of a guest told to count.
    ///
    /// # Errors
    /// As [`Serial::wait_for`]; `serial-garbled` when the line isn't one of counters.
    pub fn wait_counter(&mut self, patience: Duration) -> Result<Counter> {
        let line = self.wait_for("nestbox-guest: counter ram=", patience)?;
        Counter::parse(&line)
            .ok_or_else(|| Error::failed("serial-garbled", format!("Not a pair of counters: “{line}”.")))
    }

    /// Sends text as it is.
    ///
    /// # Errors
    /// `serial-closed`.
    pub fn send(&mut self, text: &str) -> Result<()> {
        self.writer
            .write_all(text.as_bytes())
            .and_then(|()| self.writer.flush())
            .map_err(|error| {
                Error::failed(
                    "serial-closed",
                    format!("Nothing can be sent on the serial line: {error}."),
                )
            })
    }

    /// Sends a line, ended as the Enter key does.
    ///
    /// # Errors
    /// `serial-closed`.
    pub fn send_line(&mut self, text: &str) -> Result<()> {
        self.send(text)?;
        self.send("\r")
    }

    /// Logs in on the prompt that comes or has come.
    ///
    /// # Errors
    /// As [`Serial::wait_for`]; `login-refused` when the guest says so.
    pub fn log_in(&mut self, user: &str, password: &str) -> Result<()> {
        self.wait_for("login:", Duration::from_secs(60))?;
        self.send_line(user)?;
        self.wait_for("assword:", Duration::from_secs(30))?;
        self.send_line(password)?;
        // Words of the shell's greeting; a refused login takes three seconds to say so.
        match self.wait_for("built-in shell", Duration::from_secs(30)) {
            Err(error) if self.heard_text().contains("Login incorrect") => Err(Error::failed(
                "login-refused",
                format!("The guest refused {user}'s password. {}", error.message),
            )),
            other => other.map(drop),
        }
    }

    /// Runs a shell command where somebody is logged in; its output and exit code.
    ///
    /// # Errors
    /// As [`Serial::wait_for`].
    pub fn run(&mut self, command: &str, patience: Duration) -> Result<(String, i32)> {
        self.commands += 1;
        let number = self.commands;
        let (start, end) = (format!("start-{number}-\n"), format!("mark-{number}-"));
        // Split, so that the echo of what is typed isn't taken for the answer.
        let from = self.heard.lock().0.len();
        self.send_line(&format!(
            "echo st''art-{number}-; {{ {command}; }}; echo ma''rk-{number}-$?-"
        ))?;
        self.seen = from;
        let line = self.wait_for(&end, patience)?;
        let text = String::from_utf8_lossy(&self.heard.lock().0[from..]).replace('\r', "");
        let output = text.split_once(&start).map_or("", |(_, rest)| rest);
        let output = output
            .split(&end)
            .next()
            .unwrap_or_default()
            .trim_end()
            .to_owned();
        let code = line
            .rsplit(&end)
            .next()
            .and_then(|rest| rest.split('-').next())
            .and_then(|code| code.parse().ok());
        Ok((output, code.unwrap_or(-1)))
    }

    /// Everything heard so far.
    pub fn heard_text(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().0).into_owned()
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A serial log that something else writes, such as a machine's `logs/serial.log`.
pub struct SerialLog {
    path: PathBuf,
    seen: usize,
}

impl SerialLog {
    /// Reads from the beginning; the file need not be there yet.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            seen: 0,
        }
    }

    /// Waits for the next line with `text`. A log that became shorter is read from its beginning.
    ///
    /// # Errors
    /// `serial-silent` at the deadline.
    pub fn wait_for(&mut self, text: &str, patience: Duration) -> Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            let bytes = std::fs::read(&self.path).unwrap_or_default();
            if bytes.len() < self.seen {
                self.seen = 0;
            }
            if let Some(at) = find(&bytes[self.seen..], text.as_bytes()) {
                let (start, end) = (self.seen + at, self.seen + at + text.len());
                let stop = bytes[end..]
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .map(|newline| end + newline);
                // A line still being written is read when it is whole, a prompt at the deadline.
                if stop.is_some() || Instant::now() > deadline {
                    let begin = bytes[..start]
                        .iter()
                        .rposition(|byte| *byte == b'\n')
                        .map_or(0, |newline| newline + 1);
                    self.seen = end;
                    return Ok(
                        String::from_utf8_lossy(&bytes[begin..stop.unwrap_or(bytes.len())])
                            .trim()
                            .to_owned(),
                    );
                }
            }
            if Instant::now() > deadline {
                let (path, tail) = (self.path.display(), tail(&bytes));
                let text = format!(
                    "“{text}” did not come within {} s in {path}. Its end:\n{tail}",
                    patience.as_secs()
                );
                return Err(Error::failed("serial-silent", text));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for the guest's ready line.
    ///
    /// # Errors
    /// As [`SerialLog::wait_for`].
    pub fn wait_ready(&mut self, patience: Duration) -> Result<Ready> {
        self.wait_for("nestbox-guest: ready", patience)
            .map(|line| Ready::parse(&line))
    }

    /// From now on only what comes later counts.
    pub fn skip_to_end(&mut self) {
        self.seen = std::fs::metadata(&self.path).map_or(0, |data| usize::try_from(data.len()).unwrap_or(0));
    }
}

/// The guest's ready line: `nestbox-guest: ready arch=aarch64 medium=disk user=tester ip=10.0.2.15 boots=1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// As `uname -m` says it.
    pub arch: String,
    /// `disk` or `iso`.
    pub medium: String,
    /// First user of the seed; `none` without a seed (root then needs no password on the consoles).
    pub user: String,
    /// The address from DHCP, or `none`.
    pub ip: String,
    /// How often this disk has booted; 0 on the ISO.
    pub boots: u32,
}

impl Ready {
    fn parse(line: &str) -> Self {
        let fields: HashMap<&str, &str> = line
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .collect();
        let field = |name: &str| (*fields.get(name).unwrap_or(&"")).to_owned();
        Self {
            arch: field("arch"),
            medium: field("medium"),
            user: field("user"),
            ip: field("ip"),
            boots: field("boots").parse().unwrap_or(0),
        }
    }
}

/// A pair of counters: `nestbox-guest: counter ram=7 disk=7`, printed twice a second after `counter start` in the guest. One lives
/// in a program's memory, the other in a file; they are equal whenever they are printed, so after restoring a snapshot
/// with memory they go on equal from the snapshot's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// In memory.
    pub ram: u64,
    /// On the disk.
    pub disk: u64,
}

impl Counter {
    /// Reads a counter line.
    pub fn parse(line: &str) -> Option<Self> {
        let value = |name: &str| {
            line.split_whitespace()
                .find_map(|word| word.strip_prefix(name)?.parse().ok())
        };
        Some(Self {
            ram: value("ram=")?,
            disk: value("disk=")?,
        })
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len().max(1)).position(|window| window == text)
}

fn tail(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(1500)..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn pair() -> (Serial, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        (Serial::over(near.try_clone().unwrap(), near), far)
    }

    #[test]
    fn lines_are_found_in_order_whole_and_across_pieces() {
        let (mut serial, mut guest) = pair();
        let writer = thread::spawn(move || {
            for piece in [
                "boot\r\nnestbox-gu",
                "est: ready arch=x86_64 medium=disk user=a ip=10.0.2.15 bo",
                "ots=3\r\nlogin: ",
            ] {
                guest.write_all(piece.as_bytes()).unwrap();
                thread::sleep(Duration::from_millis(20));
            }
            guest
        });
        let ready = serial.wait_ready(Duration::from_secs(5)).unwrap();
        assert_eq!(
            (ready.arch.as_str(), ready.user.as_str(), ready.boots),
            ("x86_64", "a", 3)
        );
        assert_eq!(
            serial.wait_for("login:", Duration::from_secs(5)).unwrap(),
            "login:"
        );
        let guest = writer.join().unwrap();
        // What was waited for does not come twice.
        let silent = serial.wait_for("login:", Duration::from_millis(50)).unwrap_err();
        assert_eq!(silent.code, "serial-silent");
        assert!(silent.message.contains("medium=disk"), "{}", silent.message);
        drop(guest);
        assert_eq!(
            serial.wait_for("never", Duration::from_secs(5)).unwrap_err().code,
            "serial-closed"
        );
    }

    #[test]
    fn a_commands_output_is_told_from_its_echo() {
        let (mut serial, guest) = pair();
        let terminal = thread::spawn(move || {
            use std::io::BufRead;
            let mut reader = std::io::BufReader::new(guest.try_clone().unwrap());
            let (mut typed, mut guest) = (Vec::new(), guest);
            reader.read_until(b'\r', &mut typed).unwrap();
            // Twice, as when it was typed before the shell asked for it.
            for _ in 0..2 {
                guest.write_all(&typed).unwrap();
                guest.write_all(b"\n").unwrap();
            }
            guest
                .write_all(b"start-1-\r\nfirst\r\nsecond\r\nmark-1-3-\r\n~ $ ")
                .unwrap();
        });
        assert_eq!(
            serial.run("anything", Duration::from_secs(5)).unwrap(),
            ("first\nsecond".to_owned(), 3)
        );
        terminal.join().unwrap();
    }

    #[test]
    fn logs_are_followed_also_when_they_begin_anew() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one\ntwo\n").unwrap();
        let mut log = SerialLog::open(file.path());
        assert_eq!(log.wait_for("tw", Duration::from_secs(5)).unwrap(), "two");
        std::fs::write(file.path(), "one\n").unwrap();
        assert_eq!(log.wait_for("one", Duration::from_secs(5)).unwrap(), "one");
        assert_eq!(
            log.wait_for("one", Duration::from_millis(60)).unwrap_err().code,
            "serial-silent"
        );
    }

    #[test]
    fn counters_are_read() {
        assert_eq!(
            Counter::parse("nestbox-guest: counter ram=7 disk=6"),
            Some(Counter { ram: 7, disk: 6 })
        );
        assert_eq!(Counter::parse("nestbox-guest: counter ram=7"), None);
    }
}
