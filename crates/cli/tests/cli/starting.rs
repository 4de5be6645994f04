//! How the service comes and goes beside its clients.

use crate::common::home;
use nestbox_model::layout::Layout;
use rustix::fs::{FlockOperation, flock};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

#[test]
fn a_client_waits_for_a_service_that_is_on_its_way_out() {
    let home = home();
    let lock = File::create(home.path().join("service.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let leaving = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        drop(lock);
    });
    let began = Instant::now();
    home.nestbox(["list"]).ok();
    leaving.join().unwrap();
    assert!(began.elapsed() >= Duration::from_millis(500));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn stop_is_over_when_the_next_one_can_begin() {
    let home = home();
    for _ in 0..3 {
        home.nestbox(["list"]).ok();
        assert_eq!(home.json(["service", "stop"])["stopped"], true);
        let lock = File::open(home.path().join("service.lock")).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).expect("the lock is free");
    }
    assert_eq!(home.json(["service", "stop"])["stopped"], false);
}

#[test]
fn a_data_directory_that_is_no_text_is_refused() {
    let home = home();
    let path = [home.path().as_os_str().as_encoded_bytes(), b"/caf\xe9"].concat();
    let path = OsString::from_vec(path);
    for command in ["list", "service"] {
        let mut args: Vec<OsString> = vec!["--json".into(), "--data-dir".into(), path.clone()];
        args.push(command.into());
        if command == "service" {
            args.push("status".into());
        }
        assert_eq!(home.nestbox(args).fails_with(2).error().code, "path-not-utf8");
    }
    assert!(!std::path::Path::new(&path).exists());
}

#[test]
fn a_service_of_another_version_makes_way() {
    let home = home();
    let layout = Layout::new(home.path().to_owned(), home.path());
    std::fs::create_dir_all(layout.run()).unwrap();
    let lock = File::create(layout.service_lock()).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let listener = UnixListener::bind(layout.service_socket()).unwrap();
    // An older one, which answers some more questions before it obeys.
    let old = std::thread::spawn(move || {
        let info = serde_json::json!({
            "version": "0.0.1", "api": 0, "pid": 1, "data_dir": "", "started_at": "2026-01-01T00:00:00Z", "listen": null,
        });
        let mut left = None;
        while left != Some(0) {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let asked_to_stop = line.starts_with("POST /v1/service/stop ");
            left = if asked_to_stop {
                Some(3)
            } else {
                left.map(|left: u32| left - 1)
            };
            let answer = if asked_to_stop {
                "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_owned()
            } else {
                let body = info.to_string();
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
            };
            let _ = stream.write_all(answer.as_bytes());
        }
        drop((listener, lock));
    });
    home.nestbox(["list"]).ok();
    old.join().unwrap();
    let status = home.json(["service", "status"]);
    assert_eq!(status["service"]["version"], env!("CARGO_PKG_VERSION"));
}
