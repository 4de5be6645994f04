//! Physical keys: from the names browsers give them to the codes a PC keyboard sends.
//!
//! Names: W3C, “UI Events KeyboardEvent code Values”. Codes: scan code set 1 of the IBM PC keyboard, as in Microsoft's
//! “Keyboard Scan Code Specification”; where keyboards differ (F13 to F24, `PrintScreen`, `Pause`), what QEMU reads. They name
//! places, not characters: the guest's own layout decides what a place means.

/// A key's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scancode(u8);

impl Scancode {
    /// The place of a key by its name (`KeyA`); `None` for names that no PC keyboard has.
    pub fn of(code: &str) -> Option<Self> {
        TABLE
            .iter()
            .find(|(name, _)| *name == code)
            .map(|(_, number)| Self(*number))
    }

    /// As RFB carries it: set 1, with the upper bit instead of the prefix 0xe0.
    pub fn rfb(self) -> u8 {
        self.0
    }

    /// All names and their places.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        TABLE.iter().map(|(name, number)| (*name, Self(*number)))
    }
}

/// Prefixed with 0xe0 on a keyboard's wire.
const E0: u8 = 0x80;

#[rustfmt::skip]
const TABLE: &[(&str, u8)] = &[
    // The main block, row by row.
    ("Escape", 0x01),
    ("Digit1", 0x02), ("Digit2", 0x03), ("Digit3", 0x04), ("Digit4", 0x05), ("Digit5", 0x06), ("Digit6", 0x07),
    ("Digit7", 0x08), ("Digit8", 0x09), ("Digit9", 0x0a), ("Digit0", 0x0b), ("Minus", 0x0c), ("Equal", 0x0d),
    ("Backspace", 0x0e), ("Tab", 0x0f),
    ("KeyQ", 0x10), ("KeyW", 0x11), ("KeyE", 0x12), ("KeyR", 0x13), ("KeyT", 0x14), ("KeyY", 0x15), ("KeyU", 0x16),
    ("KeyI", 0x17), ("KeyO", 0x18), ("KeyP", 0x19), ("BracketLeft", 0x1a), ("BracketRight", 0x1b), ("Enter", 0x1c),
    ("ControlLeft", 0x1d),
    ("KeyA", 0x1e), ("KeyS", 0x1f), ("KeyD", 0x20), ("KeyF", 0x21), ("KeyG", 0x22), ("KeyH", 0x23), ("KeyJ", 0x24),
    ("KeyK", 0x25), ("KeyL", 0x26), ("Semicolon", 0x27), ("Quote", 0x28), ("Backquote", 0x29),
    ("ShiftLeft", 0x2a), ("Backslash", 0x2b),
    ("KeyZ", 0x2c), ("KeyX", 0x2d), ("KeyC", 0x2e), ("KeyV", 0x2f), ("KeyB", 0x30), ("KeyN", 0x31), ("KeyM", 0x32),
    ("Comma", 0x33), ("Period", 0x34), ("Slash", 0x35), ("ShiftRight", 0x36),
    ("AltLeft", 0x38), ("Space", 0x39), ("CapsLock", 0x3a),
    // Keys that only some countries' keyboards have.
    ("IntlBackslash", 0x56), ("IntlRo", 0x73), ("IntlYen", 0x7d),
    ("KanaMode", 0x70), ("Convert", 0x79), ("NonConvert", 0x7b), ("Lang1", 0x72), ("Lang2", 0x71),
    // Function keys.
    ("F1", 0x3b), ("F2", 0x3c), ("F3", 0x3d), ("F4", 0x3e), ("F5", 0x3f), ("F6", 0x40), ("F7", 0x41), ("F8", 0x42),
    ("F9", 0x43), ("F10", 0x44), ("F11", 0x57), ("F12", 0x58),
    ("F13", 0x5d), ("F14", 0x5e), ("F15", 0x5f), ("F16", 0x55),
    // The numeric keypad.
    ("NumLock", 0x45), ("NumpadDivide", E0 | 0x35), ("NumpadMultiply", 0x37), ("NumpadSubtract", 0x4a),
    ("Numpad7", 0x47), ("Numpad8", 0x48), ("Numpad9", 0x49), ("NumpadAdd", 0x4e),
    ("Numpad4", 0x4b), ("Numpad5", 0x4c), ("Numpad6", 0x4d), ("NumpadComma", 0x7e),
    ("Numpad1", 0x4f), ("Numpad2", 0x50), ("Numpad3", 0x51), ("NumpadEqual", 0x59),
    ("Numpad0", 0x52), ("NumpadDecimal", 0x53), ("NumpadEnter", E0 | 0x1c),
    // The rest.
    ("PrintScreen", 0x54), ("ScrollLock", 0x46), ("Pause", E0 | 0x46),
    ("ControlRight", E0 | 0x1d), ("AltRight", E0 | 0x38),
    ("MetaLeft", E0 | 0x5b), ("MetaRight", E0 | 0x5c), ("OSLeft", E0 | 0x5b), ("OSRight", E0 | 0x5c),
    ("ContextMenu", E0 | 0x5d),
    ("Home", E0 | 0x47), ("ArrowUp", E0 | 0x48), ("PageUp", E0 | 0x49), ("ArrowLeft", E0 | 0x4b),
    ("ArrowRight", E0 | 0x4d), ("End", E0 | 0x4f), ("ArrowDown", E0 | 0x50), ("PageDown", E0 | 0x51),
    ("Insert", E0 | 0x52), ("Delete", E0 | 0x53),
    ("AudioVolumeMute", E0 | 0x20), ("AudioVolumeDown", E0 | 0x2e), ("AudioVolumeUp", E0 | 0x30),
    ("MediaPlayPause", E0 | 0x22), ("MediaStop", E0 | 0x24), ("MediaTrackPrevious", E0 | 0x10),
    ("MediaTrackNext", E0 | 0x19), ("MediaSelect", E0 | 0x6d),
    ("LaunchMail", E0 | 0x6c), ("LaunchApp1", E0 | 0x6b), ("LaunchApp2", E0 | 0x21),
    ("BrowserHome", E0 | 0x32), ("BrowserFavorites", E0 | 0x66),
    ("BrowserRefresh", E0 | 0x67), ("BrowserStop", E0 | 0x68), ("BrowserForward", E0 | 0x69),
    ("BrowserBack", E0 | 0x6a),
    ("Power", E0 | 0x5e), ("Sleep", E0 | 0x5f), ("WakeUp", E0 | 0x63),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_places_whatever_the_layout_prints_on_them() {
        let rfb = |name| Scancode::of(name).map(Scancode::rfb);
        // A German keyboard prints Z on the key that is called KeyY, and < > | on IntlBackslash.
        assert_eq!(rfb("KeyY"), Some(0x15));
        assert_eq!(rfb("IntlBackslash"), Some(0x56));
        assert_eq!(rfb("AltRight"), Some(0xb8));
        assert_eq!(rfb(""), None);
        assert_eq!(rfb("Unidentified"), None);
        assert_eq!(rfb("keya"), None);
    }

    #[test]
    fn no_two_keys_share_a_name_or_a_place() {
        let names: BTreeSet<_> = Scancode::all().map(|(name, _)| name).collect();
        assert_eq!(names.len(), TABLE.len());
        // OSLeft and OSRight are what MetaLeft and MetaRight were called before.
        let places: BTreeSet<_> = Scancode::all().map(|(_, place)| place).collect();
        assert_eq!(places.len(), TABLE.len() - 2);
    }
}
