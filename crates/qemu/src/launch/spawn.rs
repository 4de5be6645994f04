//! Making the process: detached, without core dumps, holding nothing of ours open.

use super::confine;
use crate::{Capabilities, MachinePlan, record};
use nestbox_model::{Error, Result};
use rustix::fs::{Mode, OFlags};
use std::{ffi::CString, fs::File, io, os::unix::ffi::OsStrExt, process::Stdio};
use tokio::process::{Child, Command};

/// Starts `argv` in a session of its own, its output going to `log`. It outlives us.
pub(super) fn spawn(plan: &MachinePlan, qemu: &Capabilities, argv: &[String], log: &File) -> Result<Child> {
    let rules = confine::Rules::for_plan(plan, qemu);
    let note = CString::new(record::pid_note(&plan.run).as_os_str().as_bytes())
        .map_err(|error| Error::io("start QEMU", &qemu.binary, &error.into()))?;
    match attempt(qemu, argv, log, &note, rules) {
        // Where QEMU's own files are in an unusual place the rules may shut it out of them.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            tracing::warn!(%error, "QEMU could not be started under Landlock and is started without it");
            attempt(qemu, argv, log, &note, confine::Rules::none())
        }
        started => started,
    }
    .map_err(|error| Error::io("start QEMU", &qemu.binary, &error))
}

fn attempt(
    qemu: &Capabilities,
    argv: &[String],
    log: &File,
    note: &CString,
    mut rules: confine::Rules,
) -> io::Result<Child> {
    let note = note.clone();
    let mut command = Command::new(&qemu.binary);
    command
        .args(argv.iter().skip(1))
        .current_dir("/")
        // Its words are read again: they must not be translated.
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .kill_on_drop(false);
    let prepare = move || {
        rustix::process::setsid()?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let none = rustix::process::Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
        keep_no_descriptors();
        note_pid(&note)?;
        rules.enforce()
    };
    // SAFETY: between fork and exec the closure makes system calls only and takes no lock another thread may hold:
    // the Landlock rules are complete before, and enforcing them allocates nothing that it keeps.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}

/// The process says who it is before it is QEMU: a service that dies in this moment leaves none that nobody knows.
fn note_pid(note: &CString) -> io::Result<()> {
    let mut digits = [0; 10];
    let mut at = digits.len();
    let mut rest = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
    while rest > 0 && at > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let file = rustix::fs::open(note.as_c_str(), flags, Mode::RUSR | Mode::WUSR)?;
    rustix::io::write(&file, &digits[at..])?;
    Ok(())
}

/// Whatever some library opened without close-on-exec stays here.
#[cfg(target_os = "linux")]
fn keep_no_descriptors() {
    // SAFETY: marks descriptors of this process, which is about to exec, as close-on-exec; touches no memory.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

#[cfg(not(target_os = "linux"))]
fn keep_no_descriptors() {
    for fd in 3..256 {
        // SAFETY: marks a descriptor of this process, which is about to exec, as close-on-exec; a number that is
        // not open is refused without effect.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}
