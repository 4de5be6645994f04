//! Where QEMU is and which version it has.

use crate::packages::{Need, install_hint};
use nestbox_model::{Arch, Error, Result};
use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{LazyLock, Mutex, PoisonError, mpsc},
    time::{Duration, SystemTime},
};

/// When set, the only folder searched for QEMU's programs.
pub const QEMU_DIR_VARIABLE: &str = "NESTBOX_QEMU_DIR";

/// The oldest QEMU Nestbox works with: Debian 12's. Older ones lack options Nestbox always passes.
pub const MINIMUM_QEMU: (u32, u32, u32) = (7, 2, 0);

/// How long `--version` may take; a healthy QEMU needs some 30 ms.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Searched after `PATH`, which a program started from a desktop often has only in part.
const USUAL_DIRS: [&str; 7] = [
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/opt/local/bin",
    "/home/linuxbrew/.linuxbrew/bin",
    "/usr/bin",
    "/usr/local/qemu/bin",
    "/run/current-system/sw/bin",
];

/// An installed QEMU for one guest architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QemuBinary {
    /// The program.
    pub path: PathBuf,
    /// Major, minor, micro.
    pub version: (u32, u32, u32),
}

impl QemuBinary {
    /// `10.0.2`.
    pub fn version_text(&self) -> String {
        version_text(self.version)
    }
}

fn version_text((major, minor, micro): (u32, u32, u32)) -> String {
    format!("{major}.{minor}.{micro}")
}

/// Finds `qemu-system-<arch>` in `NESTBOX_QEMU_DIR` (then only there), else in `PATH` and the usual folders of
/// Homebrew, MacPorts and Linux, and asks it for its version. The answer is kept per file, so calling this often is cheap;
/// the first call of a file runs it once (some 30 ms, at most 10 s).
///
/// # Errors
/// `qemu-missing`, `qemu-too-old` (before 7.2), `qemu-broken` (it does not answer `--version`), all of kind
/// `Unfit`, with the exact command that mends it.
pub fn find_qemu(arch: Arch) -> Result<QemuBinary> {
    find_in(arch, &search_dirs())
}

/// Finds another program of QEMU's, such as `qemu-img`, in the same places.
///
/// # Errors
/// `qemu-missing` with the command that installs it.
pub fn find_tool(name: &str) -> Result<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    search_dirs()
        .iter()
        .map(|dir| dir.join(&file))
        .find(|path| is_program(path))
        .ok_or_else(|| {
            Error::unfit(
                "qemu-missing",
                format!("The program {name}, a part of QEMU, is not installed."),
            )
            .with_hint(install_hint(Need::QemuImg))
            .with_detail("program", name)
        })
}

fn find_in(arch: Arch, dirs: &[PathBuf]) -> Result<QemuBinary> {
    let file = format!("qemu-system-{arch}{}", env::consts::EXE_SUFFIX);
    let mut first_problem = None;
    for path in dirs
        .iter()
        .map(|dir| dir.join(&file))
        .filter(|path| is_program(path))
    {
        let outcome = version_of(&path).and_then(|version| {
            if version >= MINIMUM_QEMU {
                Ok(QemuBinary { path, version })
            } else {
                Err(too_old(arch, &path, version))
            }
        });
        match outcome {
            Ok(found) => return Ok(found),
            Err(problem) => first_problem = first_problem.or(Some(problem)),
        }
    }
    Err(first_problem.unwrap_or_else(|| {
        Error::unfit(
            "qemu-missing",
            format!(
                "QEMU for {} guests (qemu-system-{arch}) is not installed.",
                arch.common_name()
            ),
        )
        .with_hint(install_hint(Need::Qemu(arch)))
        .with_detail("program", format!("qemu-system-{arch}"))
        .with_detail(
            "searched",
            dirs.iter()
                .map(|dir| dir.display().to_string())
                .collect::<Vec<_>>(),
        )
    }))
}

fn too_old(arch: Arch, path: &Path, version: (u32, u32, u32)) -> Error {
    Error::unfit(
        "qemu-too-old",
        format!(
            "The QEMU for {} guests is version {}; Nestbox needs {}.{} or newer.",
            arch.common_name(),
            version_text(version),
            MINIMUM_QEMU.0,
            MINIMUM_QEMU.1
        ),
    )
    .with_hint(install_hint(Need::Qemu(arch)))
    .with_detail("path", path.display().to_string())
    .with_detail("version", version_text(version))
}

fn search_dirs() -> Vec<PathBuf> {
    if let Some(only) = env::var_os(QEMU_DIR_VARIABLE).filter(|value| !value.is_empty()) {
        return vec![PathBuf::from(only)];
    }
    let path: OsString = env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = Vec::new();
    let usual = USUAL_DIRS.iter().map(PathBuf::from);
    let program_files = env::var_os("ProgramFiles").map(|base| PathBuf::from(base).join("qemu"));
    for dir in env::split_paths(&path).chain(usual).chain(program_files) {
        // A relative PATH entry means another program in another folder; never run such a one.
        if dir.is_absolute() && !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    dirs
}

fn is_program(path: &Path) -> bool {
    let Ok(meta) = fs::metadata(path) else {
        return false;
    };
    #[cfg(unix)]
    let executable = std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let executable = true;
    meta.is_file() && executable
}

/// What tells one installed file from another that took its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FileIdentity {
    path: PathBuf,
    modified: Option<SystemTime>,
    size: u64,
}

type Versions = HashMap<FileIdentity, (u32, u32, u32)>;

static VERSIONS: LazyLock<Mutex<Versions>> = LazyLock::new(Mutex::default);

fn version_of(path: &Path) -> Result<(u32, u32, u32)> {
    let meta = fs::metadata(path).map_err(|error| Error::io("look at QEMU", path, &error))?;
    let key = FileIdentity {
        path: path.to_owned(),
        modified: meta.modified().ok(),
        size: meta.len(),
    };
    if let Some(version) = VERSIONS.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(*version);
    }
    // Not under the lock: two first callers may both ask, which costs less than one waiting for a hanging file.
    let output = ask_version(path).map_err(|why| broken(path, &why))?;
    let version = parse_version(&output).ok_or_else(|| {
        broken(
            path,
            &format!("it answered “{}”", output.lines().next().unwrap_or_default()),
        )
    })?;
    VERSIONS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(key, version);
    Ok(version)
}

fn broken(path: &Path, why: &str) -> Error {
    Error::unfit(
        "qemu-broken",
        format!(
            "The QEMU at {} does not tell its version, so Nestbox will not use it.",
            path.display()
        ),
    )
    .with_hint("Install QEMU again, or name another folder in NESTBOX_QEMU_DIR.")
    .with_detail("path", path.display().to_string())
    .with_detail("technical", why)
}

fn ask_version(path: &Path) -> Result<String, String> {
    let mut command = Command::new(path);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("it did not start: {error}"))?;
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child
            .stdout
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        child
            .stderr
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
    ];
    let (sender, receiver) = mpsc::channel();
    for pipe in pipes.into_iter().flatten() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = pipe.take(16 * 1024).read_to_end(&mut text);
            let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
        });
    }
    drop(sender);
    // The output ends when the program does; a program that keeps it open is stuck.
    let mut output = String::new();
    let deadline = std::time::Instant::now() + VERSION_TIMEOUT;
    loop {
        match receiver.recv_timeout(deadline.saturating_duration_since(std::time::Instant::now())) {
            Ok(text) => output.push_str(&text),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!(
                    "it did not answer within {} s",
                    VERSION_TIMEOUT.as_secs()
                ));
            }
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        Ok(output)
    } else {
        Err(format!("{status}: {}", output.trim()))
    }
}

/// Reads `QEMU emulator version 10.0.2 (Debian …)`, and `9.2.50` or `8.1` alike.
fn parse_version(output: &str) -> Option<(u32, u32, u32)> {
    let (_, rest) = output.split_once(" version ")?;
    let number = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let mut parts = number.split('.').map(str::parse::<u32>);
    let major = parts.next()?.ok()?;
    let minor = parts.next()?.ok()?;
    Some((
        major,
        minor,
        parts.next().and_then(std::result::Result::ok).unwrap_or(0),
    ))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn fake(dir: &Path, name: &str, script: &str) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn versions_are_read_from_what_distributions_print() {
        assert_eq!(
            parse_version("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright"),
            Some((10, 0, 2))
        );
        assert_eq!(parse_version("QEMU emulator version 8.1\n"), Some((8, 1, 0)));
        assert_eq!(
            parse_version("QEMU emulator version 9.2.50 (v9.1.0-2-g1)"),
            Some((9, 2, 50))
        );
        assert_eq!(parse_version("version"), None);
        assert_eq!(parse_version("QEMU emulator version x.y"), None);
    }

    #[test]
    fn a_missing_qemu_names_the_command() {
        let dir = tempfile::tempdir().unwrap();
        let error = find_in(Arch::Riscv64, &[dir.path().to_owned()]).unwrap_err();
        assert_eq!((error.code.as_str(), error.exit_code()), ("qemu-missing", 5));
        assert!(!error.hint.is_empty());
        assert!(error.message.contains("qemu-system-riscv64"));
    }

    #[test]
    fn an_old_one_is_refused_and_a_newer_one_behind_it_is_used() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fake(
            old.path(),
            "qemu-system-x86_64",
            "echo QEMU emulator version 6.2.0",
        );
        let newer = fake(
            new.path(),
            "qemu-system-x86_64",
            "echo QEMU emulator version 7.2.1",
        );
        let error = find_in(Arch::X86_64, &[old.path().to_owned()]).unwrap_err();
        assert_eq!(error.code, "qemu-too-old");
        let found = find_in(Arch::X86_64, &[old.path().to_owned(), new.path().to_owned()]).unwrap();
        assert_eq!(
            found,
            QemuBinary {
                path: newer,
                version: (7, 2, 1)
            }
        );
    }

    #[test]
    fn a_qemu_that_fails_is_broken_with_its_own_words() {
        let dir = tempfile::tempdir().unwrap();
        fake(
            dir.path(),
            "qemu-system-arm",
            "echo libfoo.so.1: not found >&2; exit 127",
        );
        let error = find_in(Arch::Arm, &[dir.path().to_owned()]).unwrap_err();
        assert_eq!(error.code, "qemu-broken");
        assert!(
            error.details["technical"]
                .as_str()
                .unwrap()
                .contains("libfoo.so.1")
        );
    }

    #[test]
    fn the_version_is_asked_once_until_the_file_changes() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("calls");
        let script = |version: &str| {
            format!(
                "echo x >> '{}'; echo QEMU emulator version {version}",
                log.display()
            )
        };
        fake(dir.path(), "qemu-system-s390x", &script("8.0.0"));
        let dirs = [dir.path().to_owned()];
        for _ in 0..3 {
            assert_eq!(find_in(Arch::S390x, &dirs).unwrap().version, (8, 0, 0));
        }
        assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 1);
        fake(dir.path(), "qemu-system-s390x", &script("10.1.12"));
        assert_eq!(find_in(Arch::S390x, &dirs).unwrap().version, (10, 1, 12));
    }
}
