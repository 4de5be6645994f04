//! One pair of eyes on a display, and its hands.

use crate::{
    ClientMessage, Display, DisplayState, MessageKind, SIDE_MAX, Scancode, SessionInput, ViewerMessage,
    display::{Outbox, Shared, State},
    input::Key,
};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::Notify;

/// Longest text taken from a viewer's clipboard, in bytes.
const CLIPBOARD_MAX: usize = 256 * 1024;

/// Somebody who looks at a [`Display`]. Leaving (dropping it) lifts every key and button it holds.
pub struct Viewer {
    input: ViewerInput,
    notify: Arc<Notify>,
    /// Encoded and not handed out yet.
    pending: VecDeque<ViewerMessage>,
}

/// The hands of a [`Viewer`], to be used beside it: taking input never waits for pictures.
#[derive(Clone)]
pub struct ViewerInput {
    display: Display,
    id: u64,
}

impl Viewer {
    pub(crate) fn new(display: Display) -> Self {
        let notify = Arc::new(Notify::new());
        let id = {
            let mut state = display.handle.shared.state();
            let id = state.next_viewer;
            state.next_viewer += 1;
            let known = state.picture.size() != (0, 0);
            let mut outbox = Outbox {
                status: true,
                resized: known,
                cursor: state.cursor.is_some(),
                pointer: !state.absolute,
                lights: state.lights.is_some(),
                notify: Arc::clone(&notify),
                ..Outbox::default()
            };
            // An old picture is shown only while it is live; else the first new one comes soon.
            if state.status.state == DisplayState::Connected && state.picture.is_whole() {
                outbox.dirty.add(state.picture.whole());
            }
            state.viewers.insert(id, outbox);
            id
        };
        display.handle.shared.wake.notify_one();
        Self {
            input: ViewerInput { display, id },
            notify,
            pending: VecDeque::new(),
        }
    }

    /// The next message, encoded; waits until there is one. A frame comes only after the one before was acknowledged.
    /// `None` once the display has ended and that was told. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<ViewerMessage> {
        loop {
            if let Some(message) = self.pending.pop_front() {
                return Some(message);
            }
            {
                let mut state = self.input.shared().state();
                let ended = state.status.state == DisplayState::Ended;
                state.collect(self.input.id, &mut self.pending);
                if ended && self.pending.is_empty() {
                    return None;
                }
            }
            if self.pending.is_empty() {
                self.notify.notified().await;
            }
        }
    }

    /// Takes what the viewer said. Never waits.
    pub fn handle(&self, message: ClientMessage) {
        self.input.handle(message);
    }

    /// Its hands, for use in another task.
    pub fn input(&self) -> ViewerInput {
        self.input.clone()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.input.shared().state().viewers.remove(&self.input.id);
        self.input.shared().input().release_all(self.input.id);
        self.input.shared().wake.notify_one();
    }
}

impl ViewerInput {
    fn shared(&self) -> &Shared {
        &self.display.handle.shared
    }

    /// Takes what the viewer said. Never waits.
    pub fn handle(&self, message: ClientMessage) {
        let shared = self.shared();
        match message {
            ClientMessage::Ack { sequence } => {
                let mut state = shared.state();
                let outbox = state.viewers.get_mut(&self.id);
                if let Some(outbox) = outbox.filter(|outbox| outbox.in_flight == Some(sequence)) {
                    outbox.in_flight = None;
                    outbox.notify.notify_one();
                }
                return;
            }
            ClientMessage::Refresh => {
                let mut state = shared.state();
                let whole = state.picture.whole();
                if let Some(outbox) = state.viewers.get_mut(&self.id) {
                    // The viewer lost what it had, an unacknowledged frame too.
                    outbox.in_flight = None;
                    outbox.cursor = true;
                    outbox.dirty.clear();
                    outbox.dirty.add(whole);
                    outbox.notify.notify_one();
                }
                state.refresh = true;
            }
            ClientMessage::Pointer { x, y, buttons } => {
                let (width, height) = self.display.size();
                if width == 0 {
                    return;
                }
                shared
                    .input()
                    .pointer(self.id, within(x, width), within(y, height), buttons);
            }
            ClientMessage::Move { dx, dy, buttons } => shared.input().step(self.id, dx, dy, buttons),
            ClientMessage::Key { keysym, code, down } => {
                let scancode = Scancode::of(&code);
                if keysym == 0 && scancode.is_none() {
                    return;
                }
                shared.input().key(self.id, Key { keysym, scancode }, down);
            }
            ClientMessage::Resize { width, height } => {
                let sides = 1..=SIDE_MAX;
                if !sides.contains(&width) || !sides.contains(&height) {
                    return;
                }
                shared.input().push(SessionInput::Size { width, height });
            }
            ClientMessage::ReleaseAll => shared.input().release_all(self.id),
            ClientMessage::Clipboard { text } => {
                if text.len() > CLIPBOARD_MAX {
                    tracing::debug!(
                        bytes = text.len(),
                        "clipboard text too long, not sent to the guest"
                    );
                    return;
                }
                shared.input().push(SessionInput::Clipboard(text));
            }
        }
        shared.wake.notify_one();
    }
}

/// The pixel at `position`, the nearest one if it lies outside; not-a-number is the first.
fn within(position: f64, size: u16) -> u16 {
    // `as` saturates, and makes zero of not-a-number.
    (position.floor() as u16).min(size.saturating_sub(1))
}

impl State {
    /// Encodes what the viewer has not been sent yet.
    fn collect(&mut self, viewer: u64, out: &mut VecDeque<ViewerMessage>) {
        let Some(outbox) = self.viewers.get_mut(&viewer) else {
            return;
        };
        if std::mem::take(&mut outbox.status) {
            out.push_back(ViewerMessage::status(&self.status));
        }
        if std::mem::take(&mut outbox.resized) {
            let (width, height) = self.picture.size();
            out.push_back(ViewerMessage::resize(width, height));
        }
        if std::mem::take(&mut outbox.cursor) {
            out.push_back(ViewerMessage::cursor(self.cursor.as_ref()));
        }
        if std::mem::take(&mut outbox.pointer) {
            out.push_back(ViewerMessage::pointer(self.absolute));
        }
        if std::mem::take(&mut outbox.lights) {
            out.push_back(ViewerMessage::lights(self.lights.unwrap_or_default()));
        }
        if let Some(text) = outbox.clipboard.take() {
            out.push_back(ViewerMessage::clipboard(&text));
        }
        if std::mem::take(&mut outbox.bell) {
            out.push_back(ViewerMessage::bell());
        }
        if outbox.in_flight.is_none() && !outbox.dirty.is_empty() {
            let rects = outbox.dirty.take();
            outbox.sequence = outbox.sequence.wrapping_add(1);
            outbox.in_flight = Some(outbox.sequence);
            let frame = ViewerMessage::frame(&self.picture, &rects, outbox.sequence, self.captured_us);
            debug_assert!(frame.iter().all(|message| message.kind == MessageKind::Frame));
            out.extend(frame);
        }
    }
}
