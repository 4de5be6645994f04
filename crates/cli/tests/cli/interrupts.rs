//! Ctrl-C, as the terminal sends it.

use crate::common::{Server, empty_qcow2, home};
use nestbox_guests::TestHome;
use nestbox_guests::mirror::Fault;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::Read;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

fn spawn(home: &TestHome, args: &[&str]) -> Child {
    let mut command = home.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it goes on after Ctrl-C");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends one Ctrl-C and waits for the end; exit code and standard error.
fn interrupt(mut child: Child) -> (Option<i32>, String) {
    send(child.id(), Signal::INT);
    let status = wait(&mut child);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (status.code(), said)
}

/// Waits until `list` shows what is wanted.
fn until(home: &TestHome, wanted: impl Fn(&Value) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !wanted(&home.json(["list"])["machines"]) {
        assert!(Instant::now() < deadline, "{}", home.json(["list"]));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A home with a download that never ends, and the `create` that follows it.
fn downloading(server: &Server) -> (TestHome, Child) {
    server.mirror.set_fault(Fault::Silent {
        after: 10_000,
        times: 100,
    });
    let home = server.home();
    let create = spawn(
        &home,
        &["create", "web", "--template", "ubuntu-24.04", "--arch", "x86_64"],
    );
    until(&home, |machines| machines[0]["state"] == "creating");
    std::thread::sleep(Duration::from_millis(500));
    (home, create)
}

fn server() -> Server {
    let folder = tempfile::tempdir().unwrap();
    Server::with_ubuntu("x86_64", &empty_qcow2(folder.path(), "image.qcow2"))
}

#[test]
fn a_followed_job_is_cancelled_and_leaves_nothing() {
    let server = server();
    let (home, create) = downloading(&server);
    let (code, said) = interrupt(create);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("Cancelling"), "{said}");
    assert_eq!(home.json(["list"])["machines"], Value::Array(vec![]));
    assert_eq!(home.json(["jobs"])["jobs"][0]["state"], "cancelled");
}

#[test]
fn the_second_one_does_not_wait_for_the_cancelling() {
    let server = server();
    let (home, mut create) = downloading(&server);
    let service = home.json(["service", "status"])["service"]["pid"]
        .as_u64()
        .unwrap();
    let service = u32::try_from(service).unwrap();
    // A service that does not answer: the cancelling hangs.
    send(service, Signal::STOP);
    send(create.id(), Signal::INT);
    std::thread::sleep(Duration::from_millis(500));
    let waits = create.try_wait().unwrap().is_none();
    let (code, said) = interrupt(create);
    send(service, Signal::CONT);
    assert!(waits, "{said}");
    assert_eq!(code, Some(130), "{said}");
}

#[test]
fn a_wait_for_a_guest_ends_and_the_machine_goes_on() {
    let home = home();
    // Nothing boots on it, so neither of these would ever be over.
    let create = spawn(
        &home,
        &[
            "--json", "create", "web", "--blank", "--disk", "1M", "--memory", "64M", "--wait", "booted",
        ],
    );
    until(&home, |machines| machines[0]["state"] == "running");
    std::thread::sleep(Duration::from_secs(1));
    let (code, said) = interrupt(create);
    assert_eq!(code, Some(130), "{said}");
    assert!(
        said.contains("goes on") && said.contains("stopped-waiting"),
        "{said}"
    );
    assert_eq!(home.json(["show", "web"])["state"], "running");
    let stop = spawn(&home, &["stop", "web"]);
    until(&home, |machines| machines[0]["state"] == "stopping");
    let (code, said) = interrupt(stop);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("goes on"), "{said}");
    home.nestbox(["stop", "--force", "web"]).ok();
}

#[test]
fn streams_and_the_service_end_in_order() {
    let home = home();
    home.nestbox(["create", "web", "--blank", "--disk", "1M"]).ok();
    for args in [
        &["events", "--follow"][..],
        &["stats", "--follow"],
        &["logs", "--follow", "web"],
    ] {
        let stream = spawn(&home, args);
        std::thread::sleep(Duration::from_millis(700));
        let (code, said) = interrupt(stream);
        assert_eq!(code, Some(0), "{args:?}: {said}");
    }
    home.nestbox(["service", "stop"]).ok();
    let service = spawn(&home, &["service", "serve"]);
    let deadline = Instant::now() + PATIENCE;
    while home.json(["service", "status"])["running"] == false && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    let (code, said) = interrupt(service);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(home.json(["service", "status"])["running"], false);
}
