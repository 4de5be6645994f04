//! Runs `qemu-img` confined: limits on memory, time and file size, no core dumps, nothing inherited, killed when nobody
//! waits for it any more. Formats are always given; paths are absolute, so none is taken for an option or a protocol.
//!
//! Only for images that our own parsers have judged: `qemu-img` is no validator.

use crate::{qcow2::Header, work};
use nestbox_model::{Error, Result};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::{
    ffi::{OsStr, OsString},
    fs,
    io::ErrorKind,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

/// Most memory, bytes of address space.
const MEMORY_MAX: u64 = 1 << 30;
/// Most output that is read, bytes.
const OUTPUT_MAX: u64 = 1 << 20;
/// How much a file may grow.
const GROWTH_MAX: u64 = 4 << 30;

/// What `qemu-img check` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// Nothing is wrong.
    pub ok: bool,
    /// Errors that damage data.
    pub corruptions: u64,
    /// Clusters that are marked as used and are not: wasted space, no danger.
    pub leaks: u64,
}

/// Checks a qcow2 image of ours that no machine uses. Its backing files must have passed [`crate::chain`].
///
/// # Errors
/// `image-in-use` (conflict), `qemu-img-missing` (unfit), `tool-died`, `tool-timeout`, `tool-failed`.
pub async fn check(path: &Path) -> Result<CheckReport> {
    run_check(path, false).await
}

/// As [`check`], and repairs what can be repaired. Only for copies: what is beyond repair may be lost.
///
/// # Errors
/// As [`check`].
pub async fn repair(path: &Path) -> Result<CheckReport> {
    run_check(path, true).await
}

async fn run_check(path: &Path, repair: bool) -> Result<CheckReport> {
    let path = absolute(path)?;
    let mut arguments: Vec<&OsStr> = ["check", "-f", "qcow2", "--output=json"].map(OsStr::new).to_vec();
    if repair {
        arguments.extend(["-r", "all"].map(OsStr::new));
    }
    arguments.push(path.as_os_str());
    let output = qemu_img(&arguments, &path, Duration::from_secs(600)).await?;
    // 2: damaged, 3: leaks only; all else is a failure to check.
    if !matches!(output.code, 0 | 2 | 3) {
        return Err(output.into_error(&path));
    }
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let number = |key: &str| report.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
    Ok(CheckReport {
        ok: output.code == 0,
        corruptions: number("corruptions"),
        leaks: number("leaks"),
    })
}

/// Makes the disk of a qcow2 image larger. No machine may use it; its backing files must have passed [`crate::chain`].
///
/// # Errors
/// `disk-shrink` (usage): a disk can't become smaller, since what lies behind the new end would be lost.
/// `image-in-use` (conflict), `qemu-img-missing` (unfit), `tool-died`, `tool-timeout`, `tool-failed`.
pub async fn resize(path: &Path, new_capacity: u64) -> Result<()> {
    let path = absolute(path)?;
    let for_header = path.clone();
    let header = work::blocking(move || {
        let file = fs::File::open(&for_header)
            .map_err(|error| Error::io("open a disk image", &for_header, &error))?;
        Header::read(&file)
    })
    .await?;
    let wanted = new_capacity.checked_next_multiple_of(512).unwrap_or(u64::MAX);
    let text = nestbox_model::units::format_size;
    if wanted < header.capacity {
        return Err(Error::usage(
            "disk-shrink",
            format!(
                "The disk has {} and can't become smaller ({}): what the guest keeps at its end would be lost.",
                text(header.capacity),
                text(wanted)
            ),
        )
        .with_hint("Make a smaller new disk and copy the data inside the guest."));
    }
    if wanted > 64 << 40 {
        return Err(Error::usage("bad-capacity", "A disk can have up to 64 TiB."));
    }
    if wanted == header.capacity {
        return Ok(());
    }
    let size = OsString::from(wanted.to_string());
    let mut arguments = ["resize", "-q", "-f", "qcow2"].map(OsStr::new).to_vec();
    arguments.extend([path.as_os_str(), &size]);
    let output = qemu_img(&arguments, &path, Duration::from_secs(60)).await?;
    if output.code == 0 {
        Ok(())
    } else {
        Err(output.into_error(&path))
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::io("find a disk image", path, &error))
}

struct Output {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Output {
    /// The tool's complaint in our words.
    fn into_error(self, path: &Path) -> Error {
        let said = self.stderr.trim();
        let error = if said.contains("Failed to get") && said.contains("lock") {
            Error::conflict(
                "image-in-use",
                "The disk is in use by a running machine or another program.",
            )
            .with_hint("Stop the machine, then try again.")
        } else if said.contains("No space left") || said.contains("File too large") {
            Error::unfit("no-space", "The disk is full.").with_hint("Free some space, then try again.")
        } else if said.contains("Could not open backing file") {
            Error::not_found(
                "base-missing",
                "A file that the disk is built on can't be opened.",
            )
        } else {
            Error::failed("tool-failed", "QEMU's image tool could not do it.")
        };
        error
            .with_detail("path", path.display().to_string())
            .with_detail("tool_output", said.chars().take(2000).collect::<String>())
    }
}

/// What a run of the tool may use beside memory.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Longest file it may write, bytes.
    pub file: u64,
    /// Longest time it may take, and processor time.
    pub time: Duration,
}

/// Gets what part of the work is done, 0 to 1, where the tool was told to print that (`-p`).
pub(crate) type Report<'a> = &'a (dyn Fn(f64) + Send + Sync);

/// Runs the tool on `image`; anything but exit status 0 is an error.
pub(crate) async fn run(arguments: &[&OsStr], image: &Path, limits: Limits) -> Result<()> {
    run_reporting(arguments, image, limits, &|_| ()).await
}

/// Whether `qemu-img compare` with these arguments finds no difference: it ends with 1 for one, with more when it could
/// not compare (qemu-img(1)).
///
/// # Errors
/// As [`run`].
pub(crate) async fn compare(arguments: &[&OsStr], image: &Path, limits: Limits) -> Result<bool> {
    let output = run_limited(arguments, image, limits, &|_| ()).await?;
    match output.code {
        0 => Ok(true),
        1 => Ok(false),
        _ => Err(output.into_error(image)),
    }
}

/// As [`run`], and reports how far it is.
pub(crate) async fn run_reporting(
    arguments: &[&OsStr],
    image: &Path,
    limits: Limits,
    report: Report<'_>,
) -> Result<()> {
    let output = run_limited(arguments, image, limits, report).await?;
    if output.code == 0 {
        Ok(())
    } else {
        Err(output.into_error(image))
    }
}

async fn qemu_img(arguments: &[&OsStr], image: &Path, limit: Duration) -> Result<Output> {
    let file = fs::metadata(image)
        .map_or(0, |facts| facts.len())
        .saturating_add(GROWTH_MAX);
    run_limited(arguments, image, Limits { file, time: limit }, &|_| ()).await
}

async fn run_limited(
    arguments: &[&OsStr],
    image: &Path,
    limits: Limits,
    report: Report<'_>,
) -> Result<Output> {
    let first = run_once(arguments, image, limits, report).await?;
    // It has too few resources for a thread now and then; that is not the image's fault.
    if first.code != 0
        && first
            .stderr
            .contains("qemu_thread_create: Resource temporarily unavailable")
    {
        return run_once(arguments, image, limits, report).await;
    }
    Ok(first)
}

/// Reads what the tool prints, and reports the last `(12.34/100%)` of each piece.
async fn read_reporting(mut out: impl tokio::io::AsyncRead + Unpin, into: &mut Vec<u8>, report: Report<'_>) {
    let mut piece = [0; 4096];
    while let Ok(length) = out.read(&mut piece).await {
        if length == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&piece[..length]);
        let told = text
            .rsplit_once("/100%)")
            .and_then(|(before, _)| before.rsplit_once('('));
        if let Some(percent) = told.and_then(|(_, number)| number.trim().parse::<f64>().ok()) {
            report((percent / 100.0).clamp(0.0, 1.0));
        }
        into.extend_from_slice(&piece[..length]);
    }
}

async fn run_once(arguments: &[&OsStr], image: &Path, limits: Limits, report: Report<'_>) -> Result<Output> {
    let Limits {
        file: file_max,
        time: limit,
    } = limits;
    let cpu_max = limit.as_secs();
    let mut command = Command::new("qemu-img");
    command
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        // Each of its threads would reserve 128 MiB of address space for its heap, and soon there would be no room.
        .env("MALLOC_ARENA_MAX", "1")
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let limits = move || {
        let set = |what, most| {
            setrlimit(
                what,
                Rlimit {
                    current: Some(most),
                    maximum: Some(most),
                },
            )
        };
        set(Resource::Core, 0)?;
        set(Resource::Cpu, cpu_max)?;
        set(Resource::Fsize, file_max)?;
        // macOS does not know this limit.
        if cfg!(target_os = "linux") {
            set(Resource::As, MEMORY_MAX)?;
        }
        Ok(())
    };
    // SAFETY: the closure only makes setrlimit system calls and does not allocate, so it may run between fork and exec.
    unsafe { command.pre_exec(limits) };
    let mut child = command.spawn().map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            Error::unfit(
                "qemu-img-missing",
                "QEMU's image tool, qemu-img, is not installed.",
            )
            .with_hint("Install it: qemu-utils (Debian, Ubuntu), qemu-img (Fedora, Arch) or qemu (Homebrew).")
        } else {
            Error::failed(
                "tool-failed",
                "QEMU's image tool, qemu-img, could not be started.",
            )
            .with_detail("system", error.to_string())
        }
    })?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let read_all = async {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let read_out = async {
            if let Some(out) = out {
                read_reporting(out.take(OUTPUT_MAX), &mut stdout, report).await;
            }
        };
        let read_err = async {
            if let Some(err) = err {
                let _ = err.take(OUTPUT_MAX).read_to_end(&mut stderr).await;
            }
        };
        tokio::join!(read_out, read_err);
        let status = child.wait().await;
        (status, stdout, stderr)
    };
    let Ok((status, stdout, stderr)) = timeout(limit, read_all).await else {
        return Err(Error::unsafe_input(
            "tool-timeout",
            format!(
                "QEMU's image tool did not finish within {} seconds, and was ended.",
                limit.as_secs()
            ),
        )
        .with_hint("The image may be damaged, or the disk very slow.")
        .with_detail("path", image.display().to_string()));
    };
    let status = status.map_err(|error| {
        Error::failed("tool-failed", "QEMU's image tool got lost.").with_detail("system", error.to_string())
    })?;
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    match status.code() {
        Some(code) => Ok(Output { code, stdout, stderr }),
        None => Err(Error::unsafe_input(
            "tool-died",
            "QEMU's image tool crashed on this image, so it is refused.",
        )
        .with_hint("Don't use the image; get it again from its maker.")
        .with_detail("signal", status.signal())
        .with_detail("path", image.display().to_string())
        .with_detail("tool_output", stderr.chars().take(2000).collect::<String>())),
    }
}
