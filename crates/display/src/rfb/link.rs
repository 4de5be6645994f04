//! What the reading and the writing half of a connection must both know.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Facts the server told.
#[derive(Debug)]
pub(super) struct Link {
    /// Width in the upper half, height in the lower.
    size: AtomicU32,
    extended_keys: AtomicBool,
    absolute: AtomicBool,
}

impl Link {
    pub(super) fn new(width: u16, height: u16) -> Self {
        let link = Self {
            size: AtomicU32::new(0),
            extended_keys: AtomicBool::new(false),
            absolute: AtomicBool::new(true),
        };
        link.set_size(width, height);
        link
    }
    pub(super) fn size(&self) -> (u16, u16) {
        let size = self.size.load(Ordering::Acquire);
        ((size >> 16) as u16, size as u16)
    }
    pub(super) fn set_size(&self, width: u16, height: u16) {
        self.size
            .store(u32::from(width) << 16 | u32::from(height), Ordering::Release);
    }
    /// The server takes keys by their place.
    pub(super) fn extended_keys(&self) -> bool {
        self.extended_keys.load(Ordering::Acquire)
    }
    pub(super) fn set_extended_keys(&self) {
        self.extended_keys.store(true, Ordering::Release);
    }
    /// The guest's pointer goes where it is put; otherwise it takes steps.
    pub(super) fn absolute(&self) -> bool {
        self.absolute.load(Ordering::Acquire)
    }
    pub(super) fn set_absolute(&self, absolute: bool) {
        self.absolute.store(absolute, Ordering::Release);
    }
}
