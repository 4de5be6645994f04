//! A machine's life: launch, pause, adopt, end, and every way of dying.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{Place, ended, event, state, until};
use nestbox_model::ErrorKind;
use nestbox_qemu::{Adoption, Backend, QemuBackend, RunState, SessionEvent};
use std::{
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

#[tokio::test]
async fn launch_pause_resume_reset_end() {
    let place = Place::new();
    let plan = place.plan();
    let session = place.launch(&plan).await;
    assert_eq!(state(&session).await, RunState::Running);
    assert_eq!(
        std::fs::metadata(plan.run.path()).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let mut events = session.subscribe();
    session.pause().await.unwrap();
    event(&mut events, |event| *event == SessionEvent::Paused).await;
    assert_eq!(state(&session).await, RunState::Paused);
    session.pause().await.unwrap();
    session.resume().await.unwrap();
    event(&mut events, |event| *event == SessionEvent::Resumed).await;
    assert_eq!(state(&session).await, RunState::Running);
    session.reset().await.unwrap();
    event(&mut events, |event| *event == SessionEvent::Reset).await;
    session.shut_down().await.unwrap();
    event(&mut events, |event| *event == SessionEvent::ShutdownRequested).await;
    assert_eq!(
        place.backend.launch(&plan).await.err().unwrap().code,
        "machine-running"
    );
    let start = Instant::now();
    session.end().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let exit = ended(&session).await;
    assert!(exit.clean && exit.reason.is_none(), "{exit:?}");
    assert!(matches!(
        event(&mut events, |event| matches!(event, SessionEvent::Exited(_))).await,
        SessionEvent::Exited(_)
    ));
    assert!(!plan.run.path().exists(), "traces are cleared");
    assert_eq!(session.run_state().await.unwrap_err().code, "machine-not-running");
    assert!(matches!(
        place.backend.adopt(&plan.run).await.unwrap(),
        Adoption::Nothing
    ));
    // The same folder serves again at once.
    let again = place.launch(&plan).await;
    again.end().await.unwrap();
}

#[tokio::test]
async fn a_dropped_machine_lives_on_and_is_adopted() {
    let place = Place::new();
    let plan = place.plan();
    let session = place.launch(&plan).await;
    let (pid, started) = (session.pid(), session.started_at());
    drop(session);
    let session = place.adopt(&plan).await;
    assert_eq!((session.pid(), session.started_at()), (pid, started));
    assert_eq!(state(&session).await, RunState::Running);
    session.pause().await.unwrap();
    assert_eq!(state(&session).await, RunState::Paused);
    session.end().await.unwrap();
    assert!(ended(&session).await.clean);
}

#[tokio::test]
async fn the_process_is_detached_and_holds_nothing_of_ours() {
    let place = Place::new();
    let leak = std::fs::File::open("/dev/null").unwrap();
    // A descriptor that would be inherited.
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let plan = place.plan();
    let session = place.launch(&plan).await;
    let proc = format!("/proc/{}", session.pid());
    let stat = std::fs::read_to_string(format!("{proc}/stat")).unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    assert_eq!(fields[3], session.pid().to_string(), "leads its own session");
    let limits = std::fs::read_to_string(format!("{proc}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert!(core.split_whitespace().nth(4) == Some("0"), "{core}");
    let number = std::os::fd::AsRawFd::as_raw_fd(&leak);
    let theirs = std::fs::read_link(format!("{proc}/fd/{number}")).ok();
    assert_ne!(
        theirs.as_deref(),
        Some(std::path::Path::new("/dev/null")),
        "inherited"
    );
    assert_eq!(
        std::fs::read_link(format!("{proc}/fd/0")).unwrap().to_str(),
        Some("/dev/null")
    );
    session.end().await.unwrap();
}

#[tokio::test]
async fn a_killed_process_is_told_with_the_reason() {
    let place = Place::new();
    let plan = place.plan();
    let session = place.launch(&plan).await;
    let mut events = session.subscribe();
    kill(session.pid(), rustix::process::Signal::KILL);
    let exit = ended(&session).await;
    assert!(!exit.clean && exit.signal == Some(9) && exit.reason.unwrap().contains("killed"));
    event(
        &mut events,
        |event| matches!(event, SessionEvent::Exited(info) if !info.clean),
    )
    .await;
    assert_eq!(session.pause().await.unwrap_err().code, "machine-not-running");

    // Adopted ones too, where nobody learns the signal.
    let session = place.launch(&plan).await;
    drop(session);
    let session = place.adopt(&plan).await;
    kill(session.pid(), rustix::process::Signal::KILL);
    let exit = ended(&session).await;
    assert!(!exit.clean && exit.reason.is_some(), "{exit:?}");

    let session = place.launch(&plan).await;
    kill(session.pid(), rustix::process::Signal::TERM);
    let exit = ended(&session).await;
    assert!(!exit.clean && exit.reason.unwrap().contains("login session"));
}

#[tokio::test]
async fn what_died_unwatched_is_told_once() {
    let place = Place::new();
    let plan = place.plan();
    let session = place.launch(&plan).await;
    let record = std::fs::read_to_string(plan.run.session()).unwrap();
    session.end().await.unwrap();
    // As a service finds it that was not there when the process died, with its pid used again by another one.
    std::fs::create_dir_all(plan.run.path()).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&record).unwrap();
    value["process"]["pid"] = std::process::id().into();
    std::fs::write(plan.run.session(), value.to_string()).unwrap();
    std::fs::OpenOptions::new()
        .append(true)
        .open(&plan.backend_log)
        .and_then(|mut log| std::io::Write::write_all(&mut log, b"qemu: No space left on device\n"))
        .unwrap();
    match place.backend.adopt(&plan.run).await.unwrap() {
        Adoption::Gone { reason } => {
            assert_eq!(reason.as_deref(), Some("The disk of this computer is full."));
        }
        _ => panic!("must be gone"),
    }
    assert!(matches!(
        place.backend.adopt(&plan.run).await.unwrap(),
        Adoption::Nothing
    ));
    std::fs::create_dir_all(plan.run.path()).unwrap();
    std::fs::write(plan.run.session(), "{ not json").unwrap();
    assert!(matches!(
        place.backend.adopt(&plan.run).await.unwrap(),
        Adoption::Nothing
    ));
}

#[tokio::test]
async fn a_process_that_ignores_quit_is_ended_all_the_same() {
    let place = Place::new();
    let plan = place.plan();
    let session = place.launch(&plan).await;
    // A stopped process answers neither QMP nor SIGTERM.
    kill(session.pid(), rustix::process::Signal::STOP);
    let start = Instant::now();
    session.end().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(ended(&session).await.signal, Some(9));
}

#[tokio::test]
async fn failures_to_start_say_why_and_leave_nothing() {
    let place = Place::new();
    let mut plan = place.counting_plan();
    let session = place.launch(&plan).await;
    let mut second = plan.clone();
    second.id = nestbox_model::MachineId::random();
    second.run = nestbox_model::layout::RunFolder(place.path("second"));
    let error = place.backend.launch(&second).await.err().unwrap();
    assert_eq!(
        (error.code.as_str(), error.kind),
        ("disk-in-use", ErrorKind::Conflict),
        "{error:?}"
    );
    assert!(!second.run.path().exists());
    session.end().await.unwrap();

    let disk = plan.disks[0].chain[0].path.clone();
    std::fs::write(&disk, vec![0; 4096]).unwrap();
    assert_eq!(
        place.backend.launch(&plan).await.err().unwrap().code,
        "disk-damaged"
    );
    std::fs::remove_file(&disk).unwrap();
    let error = place.backend.launch(&plan).await.err().unwrap();
    assert_eq!(error.code, "file-not-found", "{error:?}");
    plan.disks.clear();
    plan.memory = 1 << 50;
    let error = place.backend.launch(&plan).await.err().unwrap();
    assert_eq!(error.code, "no-memory", "{error:?}");
    plan.memory = 64 << 20;
    plan.run = nestbox_model::layout::RunFolder(place.path(&"x".repeat(120)));
    assert_eq!(
        place.backend.launch(&plan).await.err().unwrap().code,
        "path-too-long"
    );
}

#[tokio::test]
async fn the_serial_log_of_a_talkative_guest_stays_short() {
    let place = Place::new();
    let plan = place.counting_plan();
    let session = place.launch(&plan).await;
    common::counted_past(&plan, 1).await;
    // As if the guest had written it: QEMU appends after whatever is there.
    let flood = "x".repeat(99) + "\n";
    std::fs::OpenOptions::new()
        .append(true)
        .open(&plan.serial_log)
        .and_then(|mut log| std::io::Write::write_all(&mut log, flood.repeat(60_000).as_bytes()))
        .unwrap();
    until("the log is not cut", || {
        std::fs::metadata(&plan.serial_log).unwrap().len() < nestbox_qemu::SERIAL_LOG_MAX
    })
    .await;
    let before = common::numbers(&common::serial(&plan))
        .last()
        .copied()
        .unwrap_or(0);
    common::counted_past(&plan, before).await;
    session.end().await.unwrap();
}

#[tokio::test]
async fn capabilities_are_asked_once_and_true() {
    let backend = QemuBackend::new();
    let first = backend.capabilities(nestbox_model::Arch::X86_64).await.unwrap();
    let second = backend.capabilities(nestbox_model::Arch::X86_64).await.unwrap();
    assert!(
        std::sync::Arc::ptr_eq(&first, &second),
        "the same answer, not a new one"
    );
    assert!(first.has_device("virtio-blk-pci") && !first.has_device("warp-drive"));
    assert!(first.machines.contains("q35"));
    assert_eq!(first.memory.mapped_ram, first.version >= (9, 0, 0));
    assert!(first.memory.pause_before_switchover && first.user_network);
}

fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[tokio::test]
async fn every_installed_architecture_starts() {
    use nestbox_model::{Accelerator, Arch, Firmware};
    let place = Place::new();
    for arch in [
        Arch::Aarch64,
        Arch::Riscv64,
        Arch::I386,
        Arch::Arm,
        Arch::S390x,
        Arch::Ppc64,
    ] {
        if place.backend.capabilities(arch).await.is_err() {
            println!("skipped: no QEMU for {arch}");
            continue;
        }
        let mut plan = place.counting_plan();
        plan.arch = arch;
        plan.accelerator = Accelerator::Tcg;
        plan.memory = 256 << 20;
        // A board's own firmware may give up on a disk that boots nothing (s390x ends at once, with status 0): then
        // QEMU must have taken every word of the command line.
        match place.backend.launch(&plan).await {
            Ok(session) => {
                assert!(session.pid() > 0);
                let _ = session.end().await;
            }
            Err(error) => assert_eq!(error.details["ending"], "exit status: 0", "{arch}: {error:?}"),
        }

        if let Ok(found) = nestbox_qemu::firmware::find(arch, Firmware::Uefi)
            && found.vars_template.is_some()
        {
            let vars = place.disks(&plan).join("vars.qcow2");
            nestbox_qemu::firmware::make_vars(&found, &vars).await.unwrap();
            plan.firmware = Firmware::Uefi;
            plan.firmware_code = Some(found.code);
            plan.nvram = Some(vec![nestbox_qemu::ImageRef {
                path: vars.clone(),
                format: nestbox_model::ImageFormat::Qcow2,
            }]);
            let session = place.launch(&plan).await;
            assert_eq!(state(&session).await, RunState::Running, "{arch}");
            assert_eq!(session.active_images().await.unwrap().nvram, Some(vars));
            session.screenshot(&place.path("p.png")).await.unwrap();
            session.end().await.unwrap();
        }
    }
}
