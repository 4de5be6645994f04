//! Disks that go to another machine.

use crate::Engine;
use crate::machine::Handle;
use nestbox_model::{DiskChanged, Error, Result};
use std::sync::Arc;

impl Engine {
    pub(super) async fn move_disk(
        &self,
        _handle: &Arc<Handle>,
        _disk: &str,
        _to: &Arc<Handle>,
    ) -> Result<DiskChanged> {
        Err(Error::unfit("not-yet", "Not yet."))
    }
}
