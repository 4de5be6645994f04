//! Disks that come and go while the machine runs.

use super::check_off;
use crate::Engine;
use crate::machine::Handle;
use nestbox_model::{DiskSpec, Result};

impl Engine {
    /// Whether the disk could be given to the machine as it is now.
    pub(super) fn check_pluggable(&self, handle: &Handle, _disk: &DiskSpec) -> Result<()> {
        check_off(handle, "disks come and go only while it is off.")
    }

    /// The slot it is in, if the machine runs.
    pub(super) async fn plug_if_running(&self, handle: &Handle, _disk: &DiskSpec) -> Result<Option<u8>> {
        check_off(handle, "disks come and go only while it is off.")?;
        Ok(None)
    }

    pub(super) async fn unplug_if_running(&self, handle: &Handle, _disk: &DiskSpec) -> Result<()> {
        check_off(handle, "disks come and go only while it is off.")
    }

    pub(super) async fn guest_has(&self, handle: &Handle, disk: &DiskSpec) -> bool {
        let Ok(session) = handle.session() else {
            return false;
        };
        let active = session.active_images().await.unwrap_or_default();
        active.disks.iter().any(|(id, _)| *id == disk.id)
    }
}
