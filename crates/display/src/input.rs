//! Input on its way to the guest: one short queue, and who holds which keys.

use crate::{Scancode, SessionInput};
use std::collections::{BTreeMap, VecDeque};

/// Most events waiting. A person makes some hundred a second; more wait only when the other side takes none.
const QUEUE_MAX: usize = 2048;
/// Most keys one viewer can hold; a keyboard has fewer.
const HELD_MAX: usize = 256;

#[derive(Debug)]
pub(crate) struct Input {
    queue: VecDeque<SessionInput>,
    held: BTreeMap<u64, Held>,
    /// The guest's pointer goes where it is put; otherwise positions are turned into steps.
    pub(crate) absolute: bool,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            held: BTreeMap::new(),
            absolute: true,
        }
    }
}

/// A key: the same one while its place is the same, or, where that is not known, its keysym.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) keysym: u32,
    pub(crate) scancode: Option<Scancode>,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        match (self.scancode, other.scancode) {
            (None, None) => self.keysym == other.keysym,
            (one, two) => one == two,
        }
    }
}

impl Key {
    fn event(self, down: bool) -> SessionInput {
        SessionInput::Key {
            keysym: self.keysym,
            scancode: self.scancode,
            down,
        }
    }
}

#[derive(Debug, Default)]
struct Held {
    /// In the order they were pressed.
    keys: Vec<Key>,
    /// Where this viewer put the pointer last; `None` before.
    place: Option<(u16, u16)>,
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
        if let (
            Some(SessionInput::Motion {
                dx: before_x,
                dy: before_y,
                buttons: before,
            }),
            SessionInput::Motion { dx, dy, buttons },
        ) = (self.queue.back_mut(), &event)
        {
            // Steps add up, where they don't get too long for that.
            if before == buttons
                && *buttons & !7 == 0
                && let (Some(x), Some(y)) = (before_x.checked_add(*dx), before_y.checked_add(*dy))
            {
                (*before_x, *before_y) = (x, y);
                return;
            }
        }
        if self.queue.len() >= QUEUE_MAX {
            let oldest_move = self.queue.iter().position(|event| {
                matches!(event, SessionInput::Pointer { .. } | SessionInput::Motion { .. })
            });
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
        let (from_x, from_y) = held.place.unwrap_or((x, y));
        (held.place, held.buttons) = (Some((x, y)), buttons);
        let event = if self.absolute {
            SessionInput::Pointer { x, y, buttons }
        } else {
            // Within a picture of 8192 a side.
            let delta = |from: u16, to: u16| (i32::from(to) - i32::from(from)) as i16;
            SessionInput::Motion {
                dx: delta(from_x, x),
                dy: delta(from_y, y),
                buttons,
            }
        };
        self.push(event);
    }

    /// A step of the pointer; nothing where the guest takes positions.
    pub(crate) fn step(&mut self, viewer: u64, dx: f64, dy: f64, buttons: u8) {
        if self.absolute {
            return;
        }
        self.held.entry(viewer).or_default().buttons = buttons;
        // `as` saturates, and makes zero of not-a-number.
        self.push(SessionInput::Motion {
            dx: dx.round() as i16,
            dy: dy.round() as i16,
            buttons,
        });
    }

    pub(crate) fn key(&mut self, viewer: u64, key: Key, down: bool) {
        let held = self.held.entry(viewer).or_default();
        if !down {
            held.keys.retain(|other| *other != key);
        } else if !held.keys.contains(&key) {
            if held.keys.len() >= HELD_MAX {
                return;
            }
            held.keys.push(key);
        }
        self.push(key.event(down));
    }

    /// Releases what this viewer holds and no other does, last pressed first.
    pub(crate) fn release_all(&mut self, viewer: u64) {
        let Some(held) = self.held.remove(&viewer) else {
            return;
        };
        for key in held.keys.into_iter().rev() {
            if !self.held.values().any(|other| other.keys.contains(&key)) {
                self.push(key.event(false));
            }
        }
        if held.buttons != 0 {
            self.push(match held.place {
                Some((x, y)) if self.absolute => SessionInput::Pointer { x, y, buttons: 0 },
                _ => SessionInput::Motion {
                    dx: 0,
                    dy: 0,
                    buttons: 0,
                },
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
    fn by_sym(keysym: u32) -> Key {
        Key {
            keysym,
            scancode: None,
        }
    }
    fn key(keysym: u32, down: bool) -> SessionInput {
        by_sym(keysym).event(down)
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
            input.key(1, by_sym(keysym), true);
        }
        input.key(1, by_sym(0x61), false);
        input.key(2, by_sym(0xffe9), true);
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
    fn a_key_is_its_place_whatever_it_means_by_now() {
        let mut input = Input::default();
        let place = |keysym| Key {
            keysym,
            scancode: Scancode::of("KeyA"),
        };
        input.key(1, place(0x41), true);
        input.key(1, place(0x61), true);
        input.key(1, by_sym(0x41), true);
        all(&mut input);
        input.key(1, place(0x61), false);
        input.release_all(1);
        assert_eq!(all(&mut input), [place(0x61).event(false), key(0x41, false)]);
    }

    #[test]
    fn positions_become_steps_where_the_guest_takes_only_those() {
        let mut input = Input::default();
        let step = |dx, dy, buttons| SessionInput::Motion { dx, dy, buttons };
        input.step(1, 5.0, 5.0, 0);
        input.pointer(1, 10, 10, 0);
        input.absolute = false;
        input.pointer(1, 7, 12, 0);
        input.pointer(1, 8, 12, 0);
        input.pointer(1, 8, 13, 1);
        input.step(1, -2.6, f64::NAN, 1);
        input.pointer(2, 500, 500, 0);
        input.release_all(1);
        let expected = [
            SessionInput::Pointer {
                x: 10,
                y: 10,
                buttons: 0,
            },
            step(-2, 2, 0),
            step(-3, 1, 1),
            step(0, 0, 0),
        ];
        assert_eq!(all(&mut input), expected);
    }

    #[test]
    fn the_queue_is_bounded_and_keeps_keys_over_moves() {
        let mut input = Input::default();
        input.pointer(1, 1, 0, 0);
        for n in 0..5000 {
            input.key(1, by_sym(n % 50), n % 2 == 0);
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
