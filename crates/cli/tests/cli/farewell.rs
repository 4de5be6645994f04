//! A shutdown of the computer, and a log-out, as logind says them: by a bus and a logind of the test's own.

use crate::common::home;
use nestbox_guests::TestHome;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zbus::blocking::{Connection, connection};
use zbus::zvariant::{ObjectPath, OwnedFd, OwnedObjectPath};

/// What a session is to logind.
type Session = (String, u32, String, String, OwnedObjectPath);

/// logind, as far as the service asks it.
struct Login {
    /// Reading ends of the delay locks given out.
    locks: Arc<Mutex<Vec<std::io::PipeReader>>>,
    logged_in: Arc<AtomicBool>,
}

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Login {
    fn inhibit(&self, what: &str, _who: &str, _why: &str, mode: &str) -> zbus::fdo::Result<OwnedFd> {
        assert_eq!((what, mode), ("shutdown", "delay"));
        let (reader, writer) = std::io::pipe().map_err(|e| zbus::fdo::Error::Failed(e.to_string()))?;
        self.locks.lock().unwrap().push(reader);
        Ok(OwnedFd::from(std::os::fd::OwnedFd::from(writer)))
    }

    fn list_sessions(&self) -> Vec<Session> {
        let path = ObjectPath::try_from("/session").unwrap().into();
        let session = (
            "1".into(),
            rustix::process::getuid().as_raw(),
            "me".into(),
            "seat0".into(),
            path,
        );
        if self.logged_in.load(Ordering::SeqCst) {
            vec![session]
        } else {
            Vec::new()
        }
    }
}

/// A bus with a logind on it, for as long as this lives.
struct Bus {
    daemon: Child,
    address: String,
    connection: Connection,
    locks: Arc<Mutex<Vec<std::io::PipeReader>>>,
    logged_in: Arc<AtomicBool>,
}

impl Bus {
    fn start() -> Self {
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon");
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        let address = address.trim().to_owned();
        let (locks, logged_in) = (Arc::default(), Arc::new(AtomicBool::new(true)));
        let login = Login {
            locks: Arc::clone(&locks),
            logged_in: Arc::clone(&logged_in),
        };
        let connection = connection::Builder::address(address.as_str())
            .unwrap()
            .serve_at("/org/freedesktop/login1", login)
            .unwrap()
            .name("org.freedesktop.login1")
            .unwrap()
            .build()
            .expect("a connection");
        Self {
            daemon,
            address,
            connection,
            locks,
            logged_in,
        }
    }

    fn home(&self) -> TestHome {
        home().env("DBUS_SYSTEM_BUS_ADDRESS", &self.address)
    }

    fn say(&self, signal: &str, body: &(impl serde::Serialize + zbus::zvariant::DynamicType)) {
        self.connection
            .emit_signal(
                None::<zbus::names::BusName<'_>>,
                "/org/freedesktop/login1",
                "org.freedesktop.login1.Manager",
                signal,
                body,
            )
            .expect("told");
    }

    /// Waits until the service took its lock, and gives the reading end.
    fn lock(&self) -> std::io::PipeReader {
        for _ in 0..200 {
            if let Some(lock) = self.locks.lock().unwrap().pop() {
                return lock;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the service took no lock");
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn running(home: &TestHome) {
    home.nestbox([
        "create", "web", "--blank", "--disk", "64M", "--memory", "64M", "--start",
    ])
    .ok();
}

#[test]
fn a_shutdown_waits_until_machines_are_suspended() {
    let bus = Bus::start();
    let home = bus.home();
    running(&home);
    let mut lock = bus.lock();
    bus.say("PrepareForShutdown", &(true,));
    // The lock is given up only when the memory is on disk.
    let mut nothing = Vec::new();
    std::io::Read::read_to_end(&mut lock, &mut nothing).unwrap();
    let machine = home.machine("web");
    assert_eq!(machine["state"], "suspended", "{machine}");
    home.nestbox(["start", "web"]).ok();
    assert_eq!(home.machine("web")["state"], "running");
    // Told otherwise, they are left to themselves.
    home.nestbox(["config", "set", "machines.at-shutdown", "leave"])
        .ok();
    bus.say("PrepareForShutdown", &(false,));
    let mut lock = bus.lock();
    bus.say("PrepareForShutdown", &(true,));
    std::io::Read::read_to_end(&mut lock, &mut nothing).unwrap();
    assert_eq!(home.machine("web")["state"], "running");
    home.nestbox(["config", "set", "machines.at-shutdown", "explode"])
        .fails_with(2);
}

#[test]
fn a_log_out_suspends_where_that_is_wanted() {
    let bus = Bus::start();
    let home = bus.home();
    running(&home);
    let _lock = bus.lock();
    home.nestbox(["config", "set", "machines.at-logout", "suspend"])
        .ok();
    let path = ObjectPath::try_from("/session").unwrap();
    // Another session is still there.
    bus.say("SessionRemoved", &("2", &path));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(home.machine("web")["state"], "running");
    bus.logged_in.store(false, Ordering::SeqCst);
    bus.say("SessionRemoved", &("1", &path));
    home.wait_state("web", "suspended", Duration::from_secs(60));
}
