//! The CD/DVD drive.

use crate::Engine;
use crate::hardware::check_absolute;
use crate::machine::MachineRef;
use nestbox_model::{Error, EventKind, Machine, MediumSpec, Recognised, Result};
use std::path::{Path, PathBuf};

impl Engine {
    /// Puts a medium in the drive, at once if the machine runs. The file is only ever read.
    ///
    /// # Errors
    /// `not-a-medium` (unsafe) for anything but an ISO image.
    pub async fn insert_medium(&self, wanted: MachineRef<'_>, path: &str) -> Result<Machine> {
        check_absolute(path)?;
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let file = PathBuf::from(path);
        let inspection = tokio::task::spawn_blocking(move || nestbox_disk::inspect(&file))
            .await
            .map_err(|e| {
                Error::failed(
                    "internal",
                    format!("Looking at the file ended unexpectedly: {e}."),
                )
            })??;
        if inspection.recognised != Recognised::Iso {
            return Err(Error::unsafe_input(
                "not-a-medium",
                format!("That is not a CD or DVD image: {path}"),
            )
            .with_hint("A drive takes ISO images. Import a disk image as a machine instead."));
        }
        if let Ok(session) = handle.session() {
            session.insert_medium(Path::new(path)).await?;
        }
        let mut spec = handle.spec();
        spec.medium = Some(MediumSpec {
            path: path.to_owned(),
        });
        self.save_spec(&handle, spec)?;
        self.tell_machine(EventKind::MachineChanged, &handle, Some("Medium inserted".into()));
        Ok(self.view(&handle))
    }

    /// Empties the drive, at once if the machine runs.
    pub async fn eject_medium(&self, wanted: MachineRef<'_>) -> Result<Machine> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let mut spec = handle.spec();
        if spec.medium.is_none() {
            return Err(Error::conflict(
                "drive-empty",
                format!("The drive of “{}” is empty already.", spec.name),
            ));
        }
        if let Ok(session) = handle.session() {
            session.eject_medium().await?;
        }
        spec.medium = None;
        self.save_spec(&handle, spec)?;
        self.tell_machine(EventKind::MachineChanged, &handle, Some("Medium ejected".into()));
        Ok(self.view(&handle))
    }
}
