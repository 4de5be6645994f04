//! Images that a job reads for long, without the operation lock of their machine.

use crate::Engine;
use nestbox_model::MachineId;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How often each image is read just now, by machine.
#[derive(Clone, Default)]
pub(crate) struct Readings(Arc<Mutex<HashMap<MachineId, HashMap<PathBuf, usize>>>>);

/// For as long as this lives, the images stay as they are.
pub(crate) struct Reading {
    all: Readings,
    machine: MachineId,
    images: Vec<PathBuf>,
}

impl Readings {
    fn lock(&self) -> MutexGuard<'_, HashMap<MachineId, HashMap<PathBuf, usize>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The images of the machine that are being read.
    pub fn of(&self, machine: &MachineId) -> Vec<PathBuf> {
        let all = self.lock();
        all.get(machine)
            .map(|images| images.keys().cloned().collect())
            .unwrap_or_default()
    }

    fn begin(&self, machine: &MachineId, images: Vec<PathBuf>) -> Reading {
        let mut all = self.lock();
        let own = all.entry(machine.clone()).or_default();
        for image in &images {
            *own.entry(image.clone()).or_default() += 1;
        }
        Reading {
            all: self.clone(),
            machine: machine.clone(),
            images,
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        let Some(own) = all.get_mut(&self.machine) else {
            return;
        };
        for image in &self.images {
            if let Some(count) = own.get_mut(image) {
                *count -= 1;
            }
        }
        own.retain(|_, count| *count > 0);
        if own.is_empty() {
            all.remove(&self.machine);
        }
    }
}

impl Engine {
    /// Images in the folder of `machine` that nobody removes or merges from now on. To be called under its lock.
    pub(super) fn begin_reading<'a>(
        &self,
        machine: &MachineId,
        images: impl IntoIterator<Item = &'a Path>,
    ) -> Reading {
        let folder = self.folder(machine);
        // Chains are told with links followed; images of a machine are known by their folder and name.
        let own = |path: &Path| {
            [folder.disks(), folder.nvram()].into_iter().find_map(|parent| {
                let inside = path.parent() == parent.canonicalize().ok().as_deref();
                Some(parent.join(path.file_name().filter(|_| inside)?))
            })
        };
        let images = images.into_iter().filter_map(own).collect();
        self.0.readings.begin(machine, images)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_free_when_its_last_reader_is_gone() {
        let (all, machine) = (Readings::default(), MachineId::random());
        let image = PathBuf::from("/a.qcow2");
        let first = all.begin(&machine, vec![image.clone()]);
        let second = all.begin(&machine, vec![image.clone()]);
        drop(first);
        assert_eq!(all.of(&machine), [image]);
        drop(second);
        assert!(all.of(&machine).is_empty());
    }
}
