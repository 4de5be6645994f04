//! Events to every client.

use crate::{Engine, machine::Handle};
use nestbox_model::{Event, EventKind, Job, MachineId};
use time::OffsetDateTime;
use tokio::sync::broadcast;

/// How many events a slow client may lag before it is told that it lost some.
const BACKLOG: usize = 1024;

pub(crate) struct Events(broadcast::Sender<Event>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

/// A client's view of the events.
pub struct EventStream(broadcast::Receiver<Event>);

impl EventStream {
    /// The next event; `None` when the engine is gone. A client that was too slow gets `events.lost` once.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(bare(EventKind::EventsLost, None)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

fn bare(kind: EventKind, machine: Option<MachineId>) -> Event {
    Event {
        at: OffsetDateTime::now_utc(),
        kind,
        machine,
        machine_now: None,
        job: None,
        message: None,
    }
}

impl Engine {
    /// Subscribes to everything that changes from now on.
    pub fn events(&self) -> EventStream {
        EventStream(self.0.events.0.subscribe())
    }

    /// Something about no machine in particular changed.
    pub(crate) fn tell(&self, kind: EventKind) {
        self.send(bare(kind, None));
    }

    /// A machine changed; a `message` also goes to the activity list.
    pub(crate) fn tell_machine(&self, kind: EventKind, handle: &Handle, message: Option<String>) {
        let mut event = bare(kind, Some(handle.id.clone()));
        if kind != EventKind::MachineRemoved {
            event.machine_now = Some(Box::new(self.view(handle)));
        }
        event.message = message;
        self.send(event);
    }

    pub(crate) fn tell_job(&self, job: Job) {
        let mut event = bare(EventKind::JobProgress, job.machine.clone());
        event.job = Some(Box::new(job));
        self.send(event);
    }

    fn send(&self, event: Event) {
        if let Some(message) = &event.message {
            let kind = serde_json::to_value(event.kind)
                .ok()
                .and_then(|v| v.as_str().map(str::to_owned));
            let kind = kind.unwrap_or_default();
            if let Err(error) = self
                .library()
                .add_activity(event.at, event.machine.as_ref(), &kind, message)
            {
                tracing::warn!(%error, "could not keep an activity entry");
            }
        }
        // No receiver is not an error.
        let _ = self.0.events.0.send(event);
    }

    /// The activity list, newest first.
    pub fn activity(&self, limit: u32) -> nestbox_model::Result<Vec<nestbox_model::ActivityEntry>> {
        self.library().activity(limit)
    }
}
