//! A meeting of several freezes: their guests stand still together, are cut, and go on together.
//!
//! ```text
//! could stand still ─▶ all could ─▶ stands still ─ arrive ─▶ all arrived ─▶ disks cut ─ cut ─▶ all cut ─▶ goes on
//! ```
//! Who streams memory can't choose when its guest stands still and arrives straight away; who need not stream lets
//! its guest run until then.
//!
//! Who fails or gives up on the way breaks the meeting for all: each takes back what it did.

use nestbox_model::{Error, Result};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long guests stand still for one that does not come.
const STILL_MOST: Duration = Duration::from_secs(60);
/// How long a guest that runs waits for others whose memory streams.
const RUNNING_MOST: Duration = Duration::from_secs(600);

/// Where a fixed number of freezes meet. Made for one meeting only.
#[derive(Debug)]
pub struct Rendezvous {
    count: usize,
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Debug, Default)]
struct Progress {
    joined: usize,
    ready: usize,
    arrived: usize,
    cut: usize,
    broken: Option<&'static str>,
}

impl Rendezvous {
    /// A meeting of `count` freezes. No guest stands still for longer than a minute to wait for another.
    pub fn new(count: usize) -> Self {
        let (progress, _) = watch::channel(Progress::default());
        Self { count, progress }
    }

    /// Calls the meeting off: all who wait and all who come fail. For who can't even begin a freeze.
    pub fn call_off(&self) {
        self.break_up("another machine's snapshot failed");
    }

    /// Announces one freeze. Dropped before all were cut, it breaks the meeting.
    pub(crate) fn join(self: &Arc<Self>) -> Participant {
        let mut too_many = false;
        self.progress.send_modify(|progress| {
            progress.joined += 1;
            too_many = progress.joined > self.count;
        });
        if too_many {
            self.break_up("more machines came than were expected");
        }
        Participant {
            meeting: Arc::clone(self),
            ready: false,
            done: false,
        }
    }

    fn break_up(&self, why: &'static str) {
        self.progress.send_if_modified(|progress| {
            let first = progress.broken.is_none();
            progress.broken.get_or_insert(why);
            first
        });
    }

    async fn all(&self, limit: Duration, there: impl Fn(&Progress) -> bool) -> Result<()> {
        let mut progress = self.progress.subscribe();
        let settled = progress.wait_for(|progress| progress.broken.is_some() || there(progress));
        let broken = match tokio::time::timeout(limit, settled).await {
            Ok(Ok(progress)) => progress.broken,
            // The sender lives as long as `self`.
            Ok(Err(_)) => Some("the meeting is over"),
            Err(_) => {
                self.break_up("another machine took too long to stand still");
                self.progress.borrow().broken
            }
        };
        match broken {
            None => Ok(()),
            Some(why) => Err(Error::conflict(
                "snapshot-refused",
                format!("The machines could not be frozen together: {why}."),
            )
            .with_hint("Nothing was changed. Try again, or take a snapshot of each machine.")),
        }
    }
}

/// One freeze in a meeting.
#[derive(Debug)]
pub(crate) struct Participant {
    meeting: Arc<Rendezvous>,
    ready: bool,
    done: bool,
}

impl Participant {
    fn be_ready(&mut self) {
        if !std::mem::replace(&mut self.ready, true) {
            self.meeting.progress.send_modify(|progress| progress.ready += 1);
        }
    }

    /// Its guest could stand still at once; returns when all could.
    pub async fn all_ready(&mut self) -> Result<()> {
        self.be_ready();
        let count = self.meeting.count;
        // Who has not even begun by then does not come.
        self.meeting
            .all(STILL_MOST, |progress| progress.joined >= count)
            .await?;
        self.meeting
            .all(RUNNING_MOST, |progress| progress.ready >= count)
            .await
    }

    /// Its guest stands still; returns when all do.
    pub async fn arrive(&mut self) -> Result<()> {
        self.be_ready();
        self.meeting
            .progress
            .send_modify(|progress| progress.arrived += 1);
        let count = self.meeting.count;
        self.meeting
            .all(STILL_MOST, |progress| progress.arrived >= count)
            .await
    }

    /// Its disks are cut.
    pub fn cut(&self) {
        self.meeting.progress.send_modify(|progress| progress.cut += 1);
    }

    /// Returns when all disks are cut; its guest may go on then.
    pub async fn all_cut(&mut self) -> Result<()> {
        let count = self.meeting.count;
        self.meeting
            .all(STILL_MOST, |progress| progress.cut >= count)
            .await?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        if !self.done {
            self.meeting.call_off();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn nobody_is_cut_before_all_stand_still_nor_goes_on_before_all_are_cut() {
        const COUNT: usize = 3;
        let meeting = Arc::new(Rendezvous::new(COUNT));
        let (still, cut) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = Vec::new();
        for nth in 0..COUNT {
            let mut participant = meeting.join();
            let (still, cut) = (Arc::clone(&still), Arc::clone(&cut));
            tasks.push(tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(7 * nth as u64)).await;
                if nth == 0 {
                    participant.all_ready().await.unwrap();
                    assert_eq!(
                        still.load(Ordering::SeqCst),
                        COUNT - 1,
                        "it runs until the others stand still"
                    );
                }
                still.fetch_add(1, Ordering::SeqCst);
                participant.arrive().await.unwrap();
                assert_eq!(still.load(Ordering::SeqCst), COUNT);
                tokio::time::sleep(Duration::from_millis(7 * nth as u64)).await;
                cut.fetch_add(1, Ordering::SeqCst);
                participant.cut();
                participant.all_cut().await.unwrap();
                assert_eq!(cut.load(Ordering::SeqCst), COUNT);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn one_that_fails_fails_all_before_and_after_the_cut() {
        let meeting = Arc::new(Rendezvous::new(2));
        let (mut first, second) = (meeting.join(), meeting.join());
        let waiting = tokio::spawn(async move { first.arrive().await });
        drop(second);
        assert_eq!(waiting.await.unwrap().unwrap_err().code, "snapshot-refused");
        assert!(
            meeting.join().arrive().await.is_err(),
            "who comes late fails, too"
        );

        let meeting = Arc::new(Rendezvous::new(2));
        let (mut first, mut second) = (meeting.join(), meeting.join());
        let waiting = tokio::spawn(async move {
            first.arrive().await.unwrap();
            first.cut();
            first.all_cut().await
        });
        second.arrive().await.unwrap();
        drop(second);
        assert_eq!(waiting.await.unwrap().unwrap_err().code, "snapshot-refused");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let meeting = Arc::new(Rendezvous::new(2));
        let mut alone = meeting.join();
        let error = alone.arrive().await.unwrap_err();
        assert!(error.message.contains("too long"), "{}", error.message);
        assert!(meeting.join().arrive().await.is_err());
        let meeting = Arc::new(Rendezvous::new(2));
        let begun = tokio::time::Instant::now();
        assert!(meeting.join().all_ready().await.is_err());
        assert_eq!(
            begun.elapsed().as_secs(),
            STILL_MOST.as_secs(),
            "nobody else came"
        );
    }

    #[tokio::test]
    async fn more_than_expected_and_called_off() {
        let meeting = Arc::new(Rendezvous::new(1));
        let (mut first, _second) = (meeting.join(), meeting.join());
        assert!(first.arrive().await.is_err());
        let meeting = Arc::new(Rendezvous::new(2));
        meeting.call_off();
        assert!(meeting.join().arrive().await.is_err());
    }
}
