//! One window for each data directory: a second launch asks the first to come forward and ends.
//!
//! A lock file says whether a window is there, a unix socket beside it carries the request. Nothing but the run
//! folder is needed (no D-Bus), and windows of different data directories do not know of each other.

use nestbox_model::{Error, Result, layout::Layout};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    time::{Duration, Instant},
};

/// How long a second launch waits for the first to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest request accepted.
const REQUEST_MAX_BYTES: u64 = 4096;

/// What a second launch asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Show {
    /// Id or name of the machine to show; the window as it is when `None`.
    pub machine: Option<String>,
}

/// Result of [`claim`].
pub enum Claim {
    /// This is the window. Keep it: dropping it gives the place up.
    First(First),
    /// Another window came forward.
    Handed,
}

/// The right to be the window.
pub struct First {
    listener: UnixListener,
    lock: File,
}

/// Becomes the window of this data directory, or brings the one that is there forward.
///
/// # Errors
/// The run folder can't be written, or a window holds the lock and does not answer (`window-busy`).
pub fn claim(layout: &Layout, show: &Show) -> Result<Claim> {
    let (lock_path, socket_path) = (layout.window_lock(), layout.window_socket());
    let broken =
        |path: &std::path::Path, error: &std::io::Error| Error::io("open the window's lock", path, error);
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|error| broken(&lock_path, &error))?;
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    loop {
        match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                // Whoever left this socket is gone: the lock was free.
                let _ = std::fs::remove_file(&socket_path);
                let listener =
                    UnixListener::bind(&socket_path).map_err(|error| broken(&socket_path, &error))?;
                return Ok(Claim::First(First { listener, lock }));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                if ask(&socket_path, show).is_ok() {
                    return Ok(Claim::Handed);
                }
            }
            Err(error) => return Err(broken(&lock_path, &error.into())),
        }
        if Instant::now() >= deadline {
            return Err(Error::conflict(
                "window-busy",
                "Nestbox is open already, but its window does not answer.",
            )
            .with_hint("Wait a moment and try again, or end the process nestbox-app."));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn ask(socket: &std::path::Path, show: &Show) -> std::io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let mut line = serde_json::to_vec(show)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = [0; 3];
    stream.read_exact(&mut answer)?;
    if &answer == b"ok\n" {
        Ok(())
    } else {
        Err(std::io::ErrorKind::InvalidData.into())
    }
}

impl First {
    /// Answers later launches, on a thread of its own, for as long as the program runs.
    pub fn serve(self, on_show: impl Fn(Show) + Send + 'static) {
        let Self { listener, lock } = self;
        std::thread::spawn(move || {
            let _held = lock;
            for stream in listener.incoming().flatten() {
                match read_request(&stream) {
                    Ok(show) => {
                        on_show(show);
                        let _ = (&stream).write_all(b"ok\n");
                    }
                    Err(error) => tracing::debug!("a launch asked for something unreadable: {error}"),
                }
            }
        });
    }
}

fn read_request(stream: &UnixStream) -> std::io::Result<Show> {
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut line = String::new();
    BufReader::new(stream.take(REQUEST_MAX_BYTES)).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn layout(folder: &tempfile::TempDir) -> Layout {
        let layout = Layout::new(folder.path(), folder.path());
        std::fs::create_dir_all(layout.run()).unwrap();
        layout
    }

    #[test]
    fn the_second_hands_over_to_the_first_and_a_dead_first_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(&folder);
        // A socket file that nobody listens on, as a killed window leaves it.
        drop(UnixListener::bind(layout.window_socket()).unwrap());
        let Claim::First(first) = claim(&layout, &Show::default()).unwrap() else {
            panic!("not first")
        };
        let (sender, receiver) = mpsc::channel();
        first.serve(move |show| {
            sender.send(show).unwrap();
        });
        let show = Show {
            machine: Some("my “web” server".into()),
        };
        assert!(matches!(claim(&layout, &show).unwrap(), Claim::Handed));
        assert_eq!(receiver.recv_timeout(Duration::from_secs(2)).unwrap(), show);
        // Noise on the socket neither stops it nor reaches the window.
        UnixStream::connect(layout.window_socket())
            .unwrap()
            .write_all(b"noise\n")
            .unwrap();
        assert!(matches!(claim(&layout, &show).unwrap(), Claim::Handed));
    }

    #[test]
    fn data_directories_do_not_know_of_each_other() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = claim(&layout(&one), &Show::default()).unwrap();
        let second = claim(&layout(&other), &Show::default()).unwrap();
        assert!(matches!(first, Claim::First(_)) && matches!(second, Claim::First(_)));
    }
}
