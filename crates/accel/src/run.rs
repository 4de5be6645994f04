//! Running a payload on real QEMU, bounded in time and output, with every way it can end.

use crate::payload::Payload;
use nestbox_model::Accelerator;
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::{Instant, timeout},
};

/// Most bytes kept of what QEMU writes.
const OUTPUT_MAX: u64 = 64 * 1024;
/// How long a killed QEMU gets to vanish; one stuck in the kernel is left to it.
const KILL_WAIT: Duration = Duration::from_secs(1);

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The payload did everything, in this time.
    Passed(Duration),
    /// Still running at the deadline, and ended by us.
    TimedOut(Duration),
    /// Ended by a signal, such as 6 (SIGABRT).
    Signal(i32, String),
    /// Ended with a status that is not the payload's, or without its output.
    Exited(i32, String),
    /// Did not start.
    NotStarted(String),
}

/// What to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) qemu: &'a Path,
    pub(crate) payload: Payload,
    pub(crate) accelerator: Accelerator,
    pub(crate) cpu_model: &'a str,
    pub(crate) iterations: u64,
    pub(crate) deadline: Duration,
}

/// Runs it. Nothing of it is left behind: not the image, not the process, not a core dump.
pub(crate) async fn run(what: Run<'_>) -> Outcome {
    let dir = match tempfile::Builder::new().prefix("nestbox-proof-").tempdir() {
        Ok(dir) => dir,
        Err(error) => return Outcome::NotStarted(format!("no temporary folder: {error}")),
    };
    let image = dir.path().join("payload.bin");
    if let Err(error) = std::fs::write(&image, what.payload.image(what.iterations)) {
        return Outcome::NotStarted(format!("the payload could not be written: {error}"));
    }
    let mut command = Command::new(what.qemu);
    command
        .args(what.payload.arguments(what.accelerator, what.cpu_model, &image))
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    quiet_child(&mut command);
    let start = Instant::now();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Outcome::NotStarted(error.to_string()),
    };
    let stdout = tokio::spawn(read_all(child.stdout.take()));
    let stderr = tokio::spawn(read_all(child.stderr.take()));
    let status = match timeout(what.deadline, child.wait()).await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return Outcome::NotStarted(error.to_string()),
        Err(_) => {
            end(&mut child).await;
            return Outcome::TimedOut(what.deadline);
        }
    };
    let elapsed = start.elapsed();
    let said = timeout(KILL_WAIT, stdout)
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default();
    let errors = timeout(KILL_WAIT, stderr)
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default();
    let errors = last_words(&errors);
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Outcome::Signal(signal, errors);
    }
    let (code, success) = (status.code().unwrap_or(-1), what.payload.success());
    if code == success.status && success.output.is_none_or(|word| said.contains(word)) {
        Outcome::Passed(elapsed)
    } else {
        Outcome::Exited(code, errors)
    }
}

async fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(pid) = child
        .id()
        .and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()))
    {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    let _ = child.start_kill();
    let _ = timeout(KILL_WAIT, child.wait()).await;
}

/// Its own process group, so that helpers of it can be ended too, and no core dump: a crash here is an answer.
#[cfg(unix)]
fn quiet_child(command: &mut Command) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    command.process_group(0);
    // SAFETY: the closure runs between fork and exec and makes one system call, without allocating or locking.
    unsafe {
        command.pre_exec(|| {
            // One byte, not zero: Linux writes no file for either, and hands nothing to a core dump program for one.
            let _ = setrlimit(
                Resource::Core,
                Rlimit {
                    current: Some(1),
                    maximum: Some(1),
                },
            );
            Ok(())
        });
    }
}

async fn read_all(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = (&mut pipe).take(OUTPUT_MAX).read_to_end(&mut bytes).await;
        // Keep draining, so that a talkative program is not held up by a full pipe.
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The last few lines, without warnings about processor features the emulator lacks.
fn last_words(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains("TCG doesn't support"))
        .collect();
    let tail = lines[lines.len().saturating_sub(4)..].join("; ");
    tail.chars().take(600).collect()
}

#[cfg(test)]
mod tests {
    use super::last_words;

    #[test]
    fn the_last_lines_are_kept_and_bounded() {
        let text = "warning: TCG doesn't support requested feature: CPUID.01H\n\na\nb\nc\nd\ne\n";
        assert_eq!(last_words(text), "b; c; d; e");
        assert_eq!(last_words(&"é".repeat(5000)).chars().count(), 600);
    }
}
