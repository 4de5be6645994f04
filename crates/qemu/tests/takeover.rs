//! What is seen through a second connection: a guest that is another, and what a dead service left half done.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{Place, counted_past, numbers, overlay, serial, state};
use nestbox_model::{Arch, DiskId, layout::RunFolder};
use nestbox_qemu::{Backend, FreezeRequest, MachinePlan, MergeRequest, MergeTarget, RunState, Session};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
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
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
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
        for _ in 0..3000 {
            if self.run("query-jobs", &json!({}))[0]["status"] == status {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no job became {status}");
    }
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
    for _ in 0..3000 {
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
    // A merge further down goes on by itself, and is in nobody's way.
    let over = place.disks(&plan).join("over.qcow2");
    overlay(&one, &over);
    let request = |path: &PathBuf| FreezeRequest {
        disks: vec![(plan.disks[0].id.clone(), path.clone())],
        ..FreezeRequest::default()
    };
    session.freeze(&request(&over)).await.unwrap();
    drop(session);
    let slow = |raw: &mut Raw| {
        let over = top(raw);
        let nodes = raw.run("query-named-block-nodes", &json!({"flat": true}));
        let one = nodes
            .as_array()
            .unwrap()
            .iter()
            .find(|node| node["drv"] == "qcow2" && node["file"].as_str().unwrap().contains("one.qcow2"));
        raw.run(
            "block-commit",
            &json!({"job-id": "merge-inner-1-dead", "device": over, "top-node": one.unwrap()["node-name"],
                "base-node": node, "speed": 1, "auto-dismiss": false}),
        );
    };
    slow(&mut Raw::connect(&plan.run));
    drop(place.adopt(&plan).await);
    let mut raw = Raw::connect(&plan.run);
    assert_eq!(raw.run("query-jobs", &json!({}))[0]["id"], "merge-inner-1-dead");
    drop(raw);
    let session = place.adopt(&plan).await;
    let last = place.disks(&plan).join("last.qcow2");
    overlay(&over, &last);
    session.freeze(&request(&last)).await.unwrap();
    drop(session);
    let mut raw = Raw::connect(&plan.run);
    assert_eq!(raw.run("query-jobs", &json!({})), json!([]));
    slow(&mut raw);
    drop(raw);
    // All works again.
    let session = place.adopt(&plan).await;
    let merge = |top: &PathBuf, base: &PathBuf| MergeRequest {
        target: MergeTarget::Disk(plan.disks[0].id.clone()),
        top: top.clone(),
        base: base.clone(),
        progress: None,
        cancel: CancellationToken::new(),
        settle: None,
    };
    for (top, below) in [(&one, &base), (&last, &over), (&over, &base)] {
        session.merge(&merge(top, below)).await.unwrap();
    }
    assert_eq!(active(Arc::clone(&session)).await, base);
    let request = FreezeRequest {
        memory: Some(place.path("memory")),
        disks: vec![fresh_overlay(&place, &plan, "two.qcow2")],
        ..FreezeRequest::default()
    };
    session.freeze(&request).await.unwrap();
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    counted_past(&plan, at + 5).await;
    assert!(!serial(&plan).contains('!'));
    session.end().await.unwrap();
}
