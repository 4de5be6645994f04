//! Input on its way to the guest: one short queue, and who holds which keys.

use crate::SessionInput;
use std::collections::{BTreeMap, VecDeque};

/// Most events waiting. A person makes some hundred a second; more wait only when the other side takes none.
const QUEUE_MAX: usize = 2048;
/// Most keys one viewer can hold; a keyboard has fewer.
const HELD_MAX: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Input {
    queue: VecDeque<SessionInput>,
    held: BTreeMap<u64, Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// In the order they were pressed.
    keys: Vec<u32>,
    x: u16,
    y: u16,
    buttons: u8,
}

impl Input {
    /// Takes the next event.
    pub(crate) fn pop(&mut self) -> Option<SessionInput> {
        self.queue.pop_front()
    }

    /// Forgets what was not sent and what is held: the connection they were meant for is gone, and the server lifts the
    /// keys of a client that leaves.
    pub(crate) fn forget(&mut self) {
        self.queue.clear();
        self.held.clear();
    }

    pub(crate) fn push(&mut self, event: SessionInput) {
        if let (Some(SessionInput::Pointer { buttons: before, .. }), SessionInput::Pointer { buttons, .. }) =
            (self.queue.back(), &event)
        {
            // A move after a move replaces it; a press or release never gets lost.
            if before == buttons && *buttons & !7 == 0 {
                self.queue.pop_back();
            }
        }
        if self.queue.len() >= QUEUE_MAX {
            let oldest_move = self
                .queue
                .iter()
                .position(|event| matches!(event, SessionInput::Pointer { .. }));
            match oldest_move {
                Some(index) => drop(self.queue.remove(index)),
                None => {
                    tracing::debug!("the display takes no input; an event is dropped");
                    return;
                }
            }
        }
        self.queue.push_back(event);
    }

    pub(crate) fn pointer(&mut self, viewer: u64, x: u16, y: u16, buttons: u8) {
        let held = self.held.entry(viewer).or_default();
        (held.x, held.y, held.buttons) = (x, y, buttons);
        self.push(SessionInput::Pointer { x, y, buttons });
    }

    pub(crate) fn key(&mut self, viewer: u64, keysym: u32, down: bool) {
        let held = self.held.entry(viewer).or_default();
        if !down {
            held.keys.retain(|key| *key != keysym);
        } else if !held.keys.contains(&keysym) {
            if held.keys.len() >= HELD_MAX {
                return;
            }
            held.keys.push(keysym);
        }
        self.push(SessionInput::Key { keysym, down });
    }

    /// Releases what this viewer holds and no other does, last pressed first.
    pub(crate) fn release_all(&mut self, viewer: u64) {
        let Some(held) = self.held.remove(&viewer) else {
            return;
        };
        for keysym in held.keys.into_iter().rev() {
            if !self.held.values().any(|other| other.keys.contains(&keysym)) {
                self.push(SessionInput::Key { keysym, down: false });
            }
        }
        if held.buttons != 0 {
            self.push(SessionInput::Pointer {
                x: held.x,
                y: held.y,
                buttons: 0,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &mut Input) -> Vec<SessionInput> {
        std::iter::from_fn(|| input.pop()).collect()
    }
    fn at(x: u16, buttons: u8) -> SessionInput {
        SessionInput::Pointer { x, y: 0, buttons }
    }
    fn key(keysym: u32, down: bool) -> SessionInput {
        SessionInput::Key { keysym, down }
    }

    #[test]
    fn moves_merge_but_clicks_and_wheel_steps_do_not() {
        let mut input = Input::default();
        for (x, buttons) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 0), (5, 8), (5, 8)] {
            input.pointer(1, x, 0, buttons);
        }
        assert_eq!(
            all(&mut input),
            [at(2, 0), at(4, 1), at(5, 0), at(5, 8), at(5, 8)]
        );
    }

    #[test]
    fn releasing_lifts_what_only_this_viewer_holds_last_first() {
        let mut input = Input::default();
        for keysym in [0xffe3, 0xffe9, 0x61, 0x61] {
            input.key(1, keysym, true);
        }
        input.key(1, 0x61, false);
        input.key(2, 0xffe9, true);
        input.pointer(1, 9, 0, 1);
        all(&mut input);
        input.release_all(1);
        assert_eq!(all(&mut input), [key(0xffe3, false), at(9, 0)]);
        input.release_all(1);
        assert!(all(&mut input).is_empty());
        input.release_all(2);
        assert_eq!(all(&mut input), [key(0xffe9, false)]);
    }

    #[test]
    fn the_queue_is_bounded_and_keeps_keys_over_moves() {
        let mut input = Input::default();
        input.pointer(1, 1, 0, 0);
        for n in 0..5000 {
            input.key(1, n % 50, n % 2 == 0);
        }
        let events = all(&mut input);
        assert_eq!(events.len(), QUEUE_MAX);
        assert!(
            events
                .iter()
                .all(|event| matches!(event, SessionInput::Key { .. }))
        );
    }
}
