//! How the service comes and goes beside its clients.

use crate::common::home;
use rustix::fs::{FlockOperation, flock};
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
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
