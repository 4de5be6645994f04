//! A data directory of its own for one test, with the `nestbox` command working on it.

use crate::serial::{Serial, SerialLog};
use nestbox_model::{Error, Result};
use serde_json::Value;
use std::{
    ffi::{OsStr, OsString},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long one command may take unless a test says otherwise.
const PATIENCE: Duration = Duration::from_secs(180);

/// A temporary `NESTBOX_HOME`. When dropped, its service is stopped, what still runs on it is ended and the folder goes;
/// with `NESTBOX_TEST_KEEP` set the folder of a failed test stays.
pub struct TestHome {
    folder: Option<TempDir>,
    path: PathBuf,
    binary: PathBuf,
    environment: Vec<(OsString, OsString)>,
}

impl TestHome {
    /// A new home. The command is `NESTBOX_BIN`, else `nestbox` in the build folder of the running test, built when it
    /// isn't there. (A command that is there is taken as it is: build `nestbox-cli` before the tests, as `make test` does.)
    ///
    /// # Errors
    /// `nestbox-missing` when there is no command and it can't be built.
    pub fn new() -> Result<Self> {
        Self::with_binary(find_binary()?)
    }

    /// A new home for this command, such as `env!("CARGO_BIN_EXE_nestbox")`.
    ///
    /// # Errors
    /// When there is no room for a temporary folder.
    pub fn with_binary(binary: impl Into<PathBuf>) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("nestbox-test-")
            .tempdir()
            .map_err(|error| Error::failed("home-unavailable", format!("No temporary folder: {error}.")))?;
        // Compared with what processes say of themselves, so without symbolic links.
        let path = folder
            .path()
            .canonicalize()
            .unwrap_or_else(|_| folder.path().to_owned());
        Ok(Self {
            folder: Some(folder),
            path,
            binary: binary.into(),
            environment: Vec::new(),
        })
    }

    /// Sets a variable for all later commands, and so for the service when one of them starts it.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The data directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The command on this home, to be changed and run by hand.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .env("NESTBOX_HOME", &self.path)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env_remove("NO_COLOR").args(args);
        command
    }

    /// Runs the command and waits for it, at most three minutes.
    ///
    /// # Panics
    /// When it cannot be started or does not end.
    pub fn nestbox<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        self.run(args, b"", PATIENCE)
    }

    /// The same with `--json`; the document it printed. Fails the test when the command fails.
    ///
    /// # Panics
    /// When the exit code is not 0 or stdout is not one JSON document.
    pub fn json<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Value {
        let mut all: Vec<OsString> = vec!["--json".into()];
        all.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self.run(all, b"", PATIENCE).ok().json()
    }

    /// Runs the command with this standard input and this long to do it.
    ///
    /// # Panics
    /// When it cannot be started or does not end in time.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &[u8],
        patience: Duration,
    ) -> Run {
        let mut command = self.command(args);
        let words = format!("{command:?}");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{words}: {error}"));
        let mut stdin = child.stdin.take();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || stdin.as_mut().map(|pipe| pipe.write_all(&input)));
        let (stdout, stderr) = (gather(child.stdout.take()), gather(child.stderr.take()));
        let started = Instant::now();
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if started.elapsed() < patience => std::thread::sleep(Duration::from_millis(5)),
                other => {
                    let _ = child.kill();
                    let _ = child.wait();
                    panic!(
                        "{words} did not end within {} s ({other:?})\n{}",
                        patience.as_secs(),
                        self.service_log()
                    );
                }
            }
        };
        let took = started.elapsed();
        let _ = writer.join();
        Run {
            words,
            code: status.code(),
            stdout: String::from_utf8_lossy(&collected(stdout)).into_owned(),
            stderr: String::from_utf8_lossy(&collected(stderr)).into_owned(),
            took,
        }
    }

    /// A machine as `show --json` says it.
    ///
    /// # Panics
    /// When there is no such machine.
    pub fn machine(&self, name: &str) -> Value {
        self.json(["show", name])
    }

    /// A machine's folder.
    ///
    /// # Panics
    /// When there is no such machine.
    pub fn machine_folder(&self, name: &str) -> PathBuf {
        let machine = self.machine(name);
        PathBuf::from(
            machine["folder"]
                .as_str()
                .unwrap_or_else(|| panic!("{name} has no folder: {machine}")),
        )
    }

    /// What a machine says on its serial port, read from its log.
    ///
    /// # Panics
    /// When there is no such machine.
    pub fn serial_log(&self, name: &str) -> SerialLog {
        SerialLog::open(self.machine_folder(name).join("logs").join("serial.log"))
    }

    /// A machine's serial port to talk to, through `nestbox console`.
    ///
    /// # Errors
    /// `serial-unreachable`.
    pub fn console(&self, name: &str) -> Result<Serial> {
        Serial::spawn(&mut self.command(["console", name]))
    }

    /// Waits until the machine is in this state.
    ///
    /// # Panics
    /// When it isn't by then.
    pub fn wait_state(&self, name: &str, state: &str, patience: Duration) -> Value {
        let deadline = Instant::now() + patience;
        loop {
            let machine = self.machine(name);
            if machine["state"] == state {
                return machine;
            }
            assert!(
                Instant::now() < deadline,
                "{name} is not {state} in {} s: {machine:#}",
                patience.as_secs()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// End of the service's log, for messages.
    pub fn service_log(&self) -> String {
        let text = std::fs::read_to_string(self.path.join("logs").join("service.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(40).collect();
        format!(
            "service.log:\n{}",
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        )
    }

    /// Processes that work on this home: they have it in their environment (the service, machines) or on their command line.
    pub fn processes(&self) -> Vec<u32> {
        let home = self.path.as_os_str().as_encoded_bytes();
        let variable = [b"NESTBOX_HOME=".as_slice(), home, b"\0"].concat();
        let has = |bytes: Vec<u8>, part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return self.session_pids();
        };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| *pid != std::process::id())
            .filter(|pid| {
                let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                has(read("environ"), &variable)
                    || (has(read("cmdline"), home) && read("comm").starts_with(b"qemu-system"))
            })
            .collect()
    }

    /// Pids of the machines from their session files, for systems without `/proc`.
    fn session_pids(&self) -> Vec<u32> {
        let Ok(entries) = std::fs::read_dir(self.path.join("run")) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| std::fs::read(entry.path().join("session.json")).ok())
            .filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok()?["pid"].as_u64())
            .filter_map(|pid| u32::try_from(pid).ok())
            .collect()
    }

    fn stop_everything(&self) {
        if self.path.join("service.lock").exists() {
            let mut stop = self.command(["service", "stop"]);
            stop.stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            if let Ok(mut child) = stop.spawn() {
                let deadline = Instant::now() + Duration::from_secs(5);
                while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                    std::thread::sleep(Duration::from_millis(10));
                }
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        // Twice, in case one was just starting another.
        for _ in 0..2 {
            for pid in self.processes() {
                if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
            }
        }
    }
}

impl Drop for TestHome {
    fn drop(&mut self) {
        self.stop_everything();
        if std::thread::panicking() {
            eprintln!("{}", self.service_log());
            if std::env::var_os("NESTBOX_TEST_KEEP").is_some()
                && let Some(folder) = self.folder.take()
            {
                eprintln!("kept {}", folder.keep().display());
            }
        }
    }
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Run {
    /// The command, for messages.
    pub words: String,
    /// Exit code; `None` when ended by a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Wall-clock time.
    pub took: Duration,
}

impl Run {
    /// Itself, when the exit code is 0.
    ///
    /// # Panics
    /// Otherwise, with all that was printed.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(
            self.code == Some(0),
            "{} ended with {:?}\nstdout: {}\nstderr: {}",
            self.words,
            self.code,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Itself, when the exit code is this one.
    ///
    /// # Panics
    /// Otherwise, with all that was printed.
    #[track_caller]
    pub fn fails_with(self, code: i32) -> Self {
        assert!(
            self.code == Some(code),
            "{} should end with {code}, ended with {:?}\nstdout: {}\nstderr: {}",
            self.words,
            self.code,
            self.stdout,
            self.stderr
        );
        self
    }

    /// The one JSON document on standard output.
    ///
    /// # Panics
    /// When it is not one.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!(
                "{} printed no JSON document ({error}): {}",
                self.words, self.stdout
            )
        })
    }

    /// The error object that `--json` puts on standard error.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn error(&self) -> Error {
        self.stderr
            .lines()
            .chain([self.stderr.as_str()])
            .filter_map(|text| serde_json::from_str::<Value>(text.trim()).ok())
            .filter_map(|document| serde_json::from_value(document.get("error")?.clone()).ok())
            .next_back()
            .unwrap_or_else(|| panic!("{} printed no error object: {}", self.words, self.stderr))
    }
}

/// What a pipe gave so far, and the thread that reads it beside the waiting, so that a long answer doesn't fill it.
type Gathering = Option<(Arc<Mutex<Vec<u8>>>, JoinHandle<()>)>;

fn gather(pipe: Option<impl Read + Send + 'static>) -> Gathering {
    pipe.map(|mut pipe| {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                shared
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(&buffer[..count]);
            }
        });
        (bytes, thread)
    })
}

/// A service that the command started may hold the pipe open: the end is waited for two seconds, no longer.
fn collected(gathering: Gathering) -> Vec<u8> {
    let Some((bytes, thread)) = gathering else {
        return Vec::new();
    };
    let deadline = Instant::now() + Duration::from_secs(2);
    while !thread.is_finished() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::mem::take(&mut bytes.lock().unwrap_or_else(PoisonError::into_inner))
}

fn find_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("NESTBOX_BIN") {
        return Ok(path.into());
    }
    let missing = |why: String| {
        let mut error = Error::unfit(
            "nestbox-missing",
            format!("There is no nestbox command to test: {why}."),
        );
        error.hint = "Run cargo build -p nestbox-cli, or set NESTBOX_BIN.".into();
        error
    };
    // target/debug/deps/some_test-0123 → target/debug/nestbox
    let test = std::env::current_exe().map_err(|error| missing(error.to_string()))?;
    let folder = test
        .parent()
        .and_then(Path::parent)
        .ok_or_else(|| missing(format!("{} has no folder", test.display())))?;
    let path = folder.join("nestbox");
    if !path.is_file() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "-q", "-p", "nestbox-cli"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .map_err(|error| missing(error.to_string()))?;
        if !built.success() || !path.is_file() {
            return Err(missing(format!("building it did not make {}", path.display())));
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_left_running_ends_with_the_home_and_nothing_else() {
        let home = TestHome::with_binary("/bin/sh").unwrap();
        let other = TestHome::with_binary("/bin/sh").unwrap();
        let bystander = other
            .run(["-c", "sleep 60 >/dev/null 2>&1 & echo $!"], b"", PATIENCE)
            .ok()
            .stdout;
        // It keeps the pipe open, as a badly started service would.
        let run = home
            .run(
                ["-c", "sleep 60 & echo \"{\\\"home\\\":\\\"$NESTBOX_HOME\\\"}\""],
                b"",
                PATIENCE,
            )
            .ok();
        assert_eq!(run.json()["home"], home.path().to_str().unwrap());
        assert_eq!(home.processes().len(), 1);
        let path = home.path().to_owned();
        drop(home);
        assert!(!path.exists());
        assert_eq!(other.processes(), [bystander.trim().parse::<u32>().unwrap()]);
    }

    #[test]
    fn input_exit_codes_and_error_objects_come_through() {
        let home = TestHome::with_binary("/bin/sh").unwrap().env("WORD", "x y");
        let script = "read -r line; echo note >&2; echo \"{\\\"error\\\":{\\\"code\\\":\\\"$line\\\",\\\"kind\\\":\\\"conflict\\\",\\\"message\\\":\\\"$WORD\\\"}}\" >&2; exit 4";
        let run = home.run(["-c", script], b"name-taken\n", PATIENCE).fails_with(4);
        assert_eq!(
            (run.error().code.as_str(), run.error().message.as_str()),
            ("name-taken", "x y")
        );
    }
}
