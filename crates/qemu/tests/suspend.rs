//! Ending a machine with its memory saved, freezing several at once, and going on elsewhere.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{Place, counted_past, ended, numbers, overlay, serial, state};
use nestbox_model::{Arch, DiskId, layout::RunFolder};
use nestbox_qemu::{
    Backend, FreezeRequest, MachinePlan, Rendezvous, RunState, Session, memory_fits, memory_note,
    pack_memory, unpack_memory,
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// The same machine, started to be filled.
fn incoming(plan: &MachinePlan, log: &str) -> MachinePlan {
    MachinePlan {
        incoming: true,
        serial_log: plan.serial_log.with_file_name(log),
        ..plan.clone()
    }
}

fn fresh_overlay(place: &Place, plan: &MachinePlan, name: &str) -> (DiskId, PathBuf) {
    let path = place.disks(plan).join(name);
    overlay(&plan.disks[0].chain[0].path, &path);
    (plan.disks[0].id.clone(), path)
}

/// A client that speaks QMP as a service does that dies afterwards.
struct Raw {
    stream: BufReader<UnixStream>,
}

impl Raw {
    fn connect(run: &RunFolder) -> Self {
        let stream = UnixStream::connect(run.qmp()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut raw = Self {
            stream: BufReader::new(stream),
        };
        raw.line();
        raw.run("qmp_capabilities", &json!({}));
        raw
    }
    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
    fn run(&mut self, command: &str, arguments: &Value) -> Value {
        let text = json!({"execute": command, "arguments": arguments}).to_string();
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
        for _ in 0..1000 {
            let answer = self.line();
            if answer.get("event").is_none() {
                assert!(answer.get("error").is_none(), "{command}: {answer}");
                return answer["return"].clone();
            }
        }
        panic!("no answer to {command}");
    }
    /// Waits until some job is in this state.
    fn until_job(&mut self, status: &str) {
        for _ in 0..500 {
            if self.run("query-jobs", &json!({}))[0]["status"] == status {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no job became {status}");
    }
}

#[tokio::test]
async fn a_suspended_machine_goes_on_where_it_was_even_from_packed_memory() {
    let place = Place::new();
    let plan = place.counting_plan();
    let session = place.launch(&plan).await;
    let pid = session.pid();
    counted_past(&plan, 20).await;
    let memory = place.path("memory");
    // There is no place for it: the guest goes on.
    let nowhere = place.path("no/folder/memory");
    assert_eq!(
        session.suspend(&nowhere).await.unwrap_err().code,
        "file-not-found"
    );
    assert_eq!(state(&session).await, RunState::Running);
    // Its name can't be taken: found out when all was saved already.
    std::fs::create_dir_all(memory.join("x")).unwrap();
    assert_eq!(session.suspend(&memory).await.unwrap_err().code, "io-error");
    assert_eq!(state(&session).await, RunState::Running);
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    counted_past(&plan, at + 5).await;
    session.pause().await.unwrap();
    assert_eq!(session.suspend(&memory).await.unwrap_err().code, "io-error");
    assert_eq!(state(&session).await, RunState::Paused);
    session.resume().await.unwrap();
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    counted_past(&plan, at + 5).await;
    std::fs::remove_dir_all(&memory).unwrap();

    session.suspend(&memory).await.unwrap();
    let exit = ended(&session).await;
    assert!(exit.clean, "{exit:?}");
    assert!(!Path::new(&format!("/proc/{pid}/exe")).exists());
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    let disk = std::fs::read(&plan.disks[0].chain[0].path).unwrap();

    // What it demands is told before anything is ended or started.
    let note = memory_note(&memory).unwrap();
    let qemu = place.backend.capabilities(Arch::X86_64).await.unwrap();
    assert_eq!((note.ram, &note.qemu), (plan.memory, &qemu.version_text()));
    memory_fits(&note, &qemu, plan.memory).unwrap();
    let error = memory_fits(&note, &qemu, plan.memory * 2).unwrap_err();
    assert_eq!(error.code, "memory-unfit");
    let mut old = (*qemu).clone();
    old.version = (7, 2, 0);
    old.memory.mapped_ram = false;
    if note.mapped_ram {
        let error = memory_fits(&note, &old, plan.memory).unwrap_err();
        assert!(
            error.message.contains("7.2.0") && error.message.contains(&note.qemu),
            "{error:?}"
        );
    }

    let packed = place.path("memory.packed");
    let never = CancellationToken::new();
    let size = pack_memory(&memory, &packed, &never, &|_, _| {}).unwrap();
    let (plain, small) = (
        std::fs::metadata(&memory).unwrap(),
        std::fs::metadata(&packed).unwrap(),
    );
    println!("packed {} bytes to {size}", plain.len());
    assert!(size == small.len() && size < plain.len() / 4);
    assert_eq!(memory_note(&packed).unwrap(), note);
    std::fs::remove_file(&memory).unwrap();
    unpack_memory(&packed, &memory, &never, &|_, _| {}).unwrap();

    let again = incoming(&plan, "again.log");
    let session = place.launch(&again).await;
    session.load_memory(&memory).await.unwrap();
    assert!(
        disk == std::fs::read(&plan.disks[0].chain[0].path).unwrap(),
        "nobody wrote meanwhile"
    );
    // And once more without having run in between: what was loaded can be saved as it is.
    session.suspend(&memory).await.unwrap();
    let session = place.launch(&again).await;
    session.load_memory(&memory).await.unwrap();
    session.resume().await.unwrap();
    counted_past(&again, at + 5).await;
    let said = serial(&again);
    assert!(!said.contains("boot") && !said.contains('!'), "{said}");
    session.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_guest_learns_that_it_is_another() {
    let place = Place::new();
    let plan = place.counting_plan();
    let qemu = place.backend.capabilities(Arch::X86_64).await.unwrap();
    if !qemu.has_device("vmgenid") {
        println!("skipped: this QEMU has no vmgenid");
        return;
    }
    let session = place.launch(&plan).await;
    counted_past(&plan, 3).await;
    let memory = place.path("memory");
    let request = FreezeRequest {
        memory: Some(memory.clone()),
        disks: vec![fresh_overlay(&place, &plan, "now.qcow2")],
        ..FreezeRequest::default()
    };
    session.freeze(&request).await.unwrap();
    drop(session);
    let generation = |plan: &MachinePlan| {
        Raw::connect(&plan.run).run("query-vm-generation-id", &json!({}))["guid"].clone()
    };
    let first = generation(&plan);
    place.adopt(&plan).await.end().await.unwrap();
    let mut second_plan = incoming(&plan, "second.log");
    let (_, path) = fresh_overlay(&place, &plan, "second.qcow2");
    second_plan.disks[0].chain.insert(
        0,
        nestbox_qemu::ImageRef {
            path,
            format: nestbox_model::ImageFormat::Qcow2,
        },
    );
    let session = place.launch(&second_plan).await;
    session.load_memory(&memory).await.unwrap();
    session.resume().await.unwrap();
    counted_past(&second_plan, 5).await;
    drop(session);
    let second = generation(&second_plan);
    assert!(first.is_string() && first != second, "{first} {second}");
    place.adopt(&second_plan).await.end().await.unwrap();
}

#[tokio::test]
async fn several_machines_are_cut_at_one_instant_or_none_is() {
    let place = Place::new();
    let plans = [place.counting_plan(), place.counting_plan()];
    let mut sessions = Vec::new();
    for plan in &plans {
        sessions.push(place.launch(plan).await);
        counted_past(plan, 5).await;
    }
    let freeze = |nth: usize, tag: &str, memory: bool, together: &Arc<Rendezvous>| {
        let session = Arc::clone(&sessions[nth]);
        let plan = &plans[nth];
        let request = FreezeRequest {
            memory: memory.then(|| place.path(&format!("memory-{tag}-{nth}"))),
            disks: vec![fresh_overlay(&place, plan, &format!("{tag}.qcow2"))],
            nvram: None,
            together: Some(Arc::clone(together)),
        };
        tokio::spawn(async move { session.freeze(&request).await })
    };
    let active = |nth: usize| {
        let session = Arc::clone(&sessions[nth]);
        async move {
            let images = session.active_images().await.unwrap();
            images.disks[0]
                .1
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        }
    };

    // One can't: the other goes on as if nothing had been.
    let meeting = Arc::new(Rendezvous::new(2));
    let waiting = freeze(0, "alone", true, &meeting);
    let broken = FreezeRequest {
        disks: vec![(DiskId::random(), place.path("none.qcow2"))],
        together: Some(Arc::clone(&meeting)),
        ..FreezeRequest::default()
    };
    assert_eq!(
        sessions[1].freeze(&broken).await.unwrap_err().code,
        "snapshot-failed"
    );
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.code, "snapshot-refused", "{error:?}");
    for nth in [0, 1] {
        assert_eq!(active(nth).await, "base.qcow2");
        assert_eq!(state(&sessions[nth]).await, RunState::Running);
    }

    // One with memory, one without; then one that is paused, which stays so.
    let meeting = Arc::new(Rendezvous::new(2));
    let both = [
        freeze(0, "both", true, &meeting),
        freeze(1, "both", false, &meeting),
    ];
    for one in both {
        let frozen = one.await.unwrap().unwrap();
        println!("paused for {:.0} ms", frozen.paused_seconds * 1000.0);
        assert!(frozen.paused_seconds > 0.0);
    }
    for (nth, plan) in plans.iter().enumerate() {
        assert_eq!(active(nth).await, "both.qcow2");
        let at = numbers(&serial(plan)).last().copied().unwrap();
        counted_past(plan, at + 5).await;
        assert!(!serial(plan).contains('!'));
    }
    for session in sessions {
        session.end().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_service_left_half_done_is_put_in_order() {
    let place = Place::new();
    let plan = place.counting_plan();
    let base = plan.disks[0].chain[0].path.clone();
    let node = format!("disk-{}", plan.disks[0].id.short());
    let session = place.launch(&plan).await;
    counted_past(&plan, 5).await;
    let (_, one) = fresh_overlay(&place, &plan, "one.qcow2");
    let request = FreezeRequest {
        disks: vec![(plan.disks[0].id.clone(), one.clone())],
        ..FreezeRequest::default()
    };
    session.freeze(&request).await.unwrap();
    let active =
        |session: Arc<dyn Session>| async move { session.active_images().await.unwrap().disks[0].1.clone() };
    let top = |raw: &mut Raw| {
        let devices = raw.run("query-block", &json!({}));
        let disk = devices
            .as_array()
            .unwrap()
            .iter()
            .find(|device| device["qdev"].as_str().unwrap_or_default().contains(&node));
        disk.unwrap()["inserted"]["node-name"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    drop(session);

    // A merge of the active image: ready, and later waiting for its very last step with the guest standing still.
    for finalise in [true, false] {
        let mut raw = Raw::connect(&plan.run);
        let top = top(&mut raw);
        raw.run(
            "block-commit",
            &json!({"job-id": "merge-active-1-dead", "device": top, "top-node": top,
            "base-node": node, "auto-finalize": finalise, "auto-dismiss": false}),
        );
        raw.until_job("ready");
        if !finalise {
            raw.run("stop", &json!({}));
            raw.run("job-complete", &json!({"id": "merge-active-1-dead"}));
            raw.until_job("pending");
        }
        drop(raw);
        let session = place.adopt(&plan).await;
        assert_eq!(active(Arc::clone(&session)).await, one, "it was cancelled");
        session.resume().await.unwrap();
        drop(session);
        let jobs = Raw::connect(&plan.run).run("query-jobs", &json!({}));
        assert_eq!(jobs, json!([]));
    }

    // Memory on its way into a file, the guest standing still for it, an overlay not yet used.
    let (_, unused) = fresh_overlay(&place, &plan, "unused.qcow2");
    let mut raw = Raw::connect(&plan.run);
    raw.run(
        "blockdev-add",
        &json!({"driver": "qcow2", "node-name": format!("{node}-9-dead"), "backing": null,
        "file": {"driver": "file", "filename": unused.to_str().unwrap()}}),
    );
    raw.run(
        "migrate-set-capabilities",
        &json!({"capabilities": [
        {"capability": "pause-before-switchover", "state": true}]}),
    );
    // A stream that somebody reads, as every QEMU can write it.
    let socket = plan.run.path().join("stream");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || std::io::copy(&mut listener.accept().unwrap().0, &mut std::io::sink()));
    raw.run("migrate", &json!({"uri": format!("unix:{}", socket.display())}));
    for _ in 0..500 {
        if raw.run("query-migrate", &json!({}))["status"] == "pre-switchover" {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(raw.run("query-migrate", &json!({}))["status"], "pre-switchover");
    drop(raw);
    let session = place.adopt(&plan).await;
    session.resume().await.unwrap();
    assert_eq!(state(&session).await, RunState::Running);
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    counted_past(&plan, at + 5).await;
    assert!(!serial(&plan).contains('!'));
    let fds = std::fs::read_dir(format!("/proc/{}/fd", session.pid())).unwrap();
    let held = fds.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
    assert!(
        !held.into_iter().any(|path| path == unused),
        "the unused overlay is closed"
    );
    // All works again.
    let merge = nestbox_qemu::MergeRequest {
        target: nestbox_qemu::MergeTarget::Disk(plan.disks[0].id.clone()),
        top: one,
        base: base.clone(),
        progress: None,
        cancel: CancellationToken::new(),
        settle: None,
    };
    session.merge(&merge).await.unwrap();
    assert_eq!(active(Arc::clone(&session)).await, base);
    let request = FreezeRequest {
        memory: Some(place.path("memory")),
        disks: vec![fresh_overlay(&place, &plan, "two.qcow2")],
        ..FreezeRequest::default()
    };
    session.freeze(&request).await.unwrap();
    session.end().await.unwrap();
}
