//! Disks that come, go and grow while the guest runs.

use super::{QemuSession, disks::is_disk, media::FdSet};
use crate::{
    command::{self, Host, Use},
    plan::{DiskPlan, disk_node},
    qmp::{Qmp, QmpEvent, REFUSED},
};
use nestbox_model::{Arch, DiskBus, DiskId, Error, Result};
use serde_json::{Value, json};
use std::{fs::File, path::Path, sync::PoisonError, time::Duration};
use tokio::sync::broadcast;

/// How long a guest may take to let go of a disk.
const UNPLUG_PATIENCE: Duration = Duration::from_secs(20);
/// Most images that are closed one after the other.
const CLOSE_ROUNDS: usize = 512;

impl QemuSession {
    pub(super) async fn plug(&self, disk: &DiskPlan, arch: Arch) -> Result<()> {
        let _alone = self.operation.lock().await;
        let qmp = self.qmp()?;
        // Noted first: a later service asks for it, and may hear that there is none.
        self.note_disk(&disk.id, true)?;
        let mut sets = Vec::new();
        let plugged = self.plug_into(&qmp, disk, arch, &mut sets).await;
        for set in &sets {
            self.take_back(&qmp, set).await;
        }
        if plugged.is_err() {
            self.note_disk(&disk.id, false)?;
        }
        plugged
    }

    async fn plug_into(&self, qmp: &Qmp, disk: &DiskPlan, arch: Arch, sets: &mut Vec<FdSet>) -> Result<()> {
        let mut chain = disk.chain.clone();
        let home = chain
            .first()
            .and_then(|image| image.path.parent())
            .map(Path::to_owned);
        for image in &mut chain {
            // What lies elsewhere QEMU can't reach by name.
            if image.path.parent().map(Path::to_owned) != home {
                let file = File::open(&image.path)
                    .map_err(|error| Error::io("open a disk image", &image.path, &error))?;
                let set = self.give(qmp, &file).await?;
                image.path = set.name.clone().into();
                sets.push(set);
            }
        }
        let node = self.fresh_name(&disk_node(&disk.id));
        let r#use = if disk.read_only { Use::Read } else { Use::Write };
        let blockdev = command::chain(&node, &chain, r#use, Host::of(&disk.connection));
        qmp.raw("blockdev-add", blockdev).await.map_err(failed)?;
        let thread = command::iothread(disk);
        let added = async {
            if let Some(thread) = &thread {
                qmp.raw("object-add", thread.clone()).await?;
            }
            let devices = command::plugged(disk, arch, &command::board(arch), &node);
            for (index, device) in devices.iter().enumerate() {
                if let Err(error) = qmp.raw("device_add", device.clone()).await {
                    for made in &devices[..index] {
                        let _ = qmp.raw("device_del", json!({ "id": made["id"] })).await;
                    }
                    return Err(error);
                }
            }
            Ok(())
        };
        let added = added.await;
        if added.is_err() {
            if let Some(thread) = &thread {
                let _ = qmp.raw("object-del", json!({ "id": thread["id"] })).await;
            }
            self.close_images(qmp, &disk.id).await;
        }
        added.map_err(failed)
    }

    pub(super) async fn unplug(&self, disk: &DiskPlan) -> Result<()> {
        let _alone = self.operation.lock().await;
        let qmp = self.qmp()?;
        let device = match disk.connection.bus {
            DiskBus::Scsi => format!("scsi-{}", disk.id.short()),
            _ => disk_node(&disk.id),
        };
        let mut events = qmp.subscribe();
        match qmp.raw("device_del", json!({ "id": device })).await {
            Ok(_) => await_release(&mut events, &device).await?,
            // Let go of before, when it was not expected any more.
            Err(error) if said(&error).contains("not found") => {}
            // Asked before, and still under way.
            Err(error) if said(&error).contains("already in the process") => {
                await_release(&mut events, &device).await?;
            }
            Err(error) => return Err(holds().with_detail("technical", said(&error))),
        }
        self.close_images(&qmp, &disk.id).await;
        if let Some(thread) = command::iothread(disk) {
            let _ = qmp.raw("object-del", json!({ "id": thread["id"] })).await;
        }
        self.note_disk(&disk.id, false)
    }

    /// Closes the images of a disk without a device, the upper ones first: QEMU refuses for those that others stand on.
    async fn close_images(&self, qmp: &Qmp, disk: &DiskId) {
        let prefix = disk_node(disk);
        for _ in 0..CLOSE_ROUNDS {
            let Ok(nodes) = qmp.raw("query-named-block-nodes", json!({ "flat": true })).await else {
                return;
            };
            let nodes = nodes.as_array().cloned().unwrap_or_default();
            let own: Vec<&str> = nodes
                .iter()
                .filter_map(|node| node["node-name"].as_str())
                .filter(|name| name.starts_with(&prefix))
                .collect();
            let mut closed = false;
            for name in own {
                closed |= qmp
                    .raw("blockdev-del", json!({ "node-name": name }))
                    .await
                    .is_ok();
            }
            if !closed {
                return;
            }
        }
    }

    pub(super) async fn grow(&self, disk: &DiskId, capacity: u64) -> Result<()> {
        let _alone = self.operation.lock().await;
        let qmp = self.qmp()?;
        let devices = Self::block_devices(&qmp).await?;
        let node = Self::inserted(&devices, |qdev| is_disk(qdev, disk.short()))
            .and_then(|inserted| inserted["node-name"].as_str())
            .ok_or_else(|| Error::failed("resize-failed", "The running machine does not have that disk."))?;
        qmp.raw("block_resize", json!({ "node-name": node, "size": capacity }))
            .await
            .map(drop)
            .map_err(|error| {
                Error::failed("resize-failed", "The disk can't grow while the machine runs.")
                    .with_hint("Stop the machine, then try again.")
                    .with_detail("technical", said(&error))
            })
    }

    /// Which disks a later service asks for.
    fn note_disk(&self, disk: &DiskId, is_there: bool) -> Result<()> {
        let disks = {
            let mut disks = self.link.disks.lock().unwrap_or_else(PoisonError::into_inner);
            disks.retain(|other| other != disk);
            if is_there {
                disks.push(disk.clone());
            }
            disks.clone()
        };
        let mut record = self.record.clone();
        record.disks = disks;
        record.write(&self.run)
    }
}

async fn await_release(events: &mut broadcast::Receiver<QmpEvent>, device: &str) -> Result<()> {
    let released = async {
        loop {
            match events.recv().await {
                Ok(event) if event.data["device"] == device => match event.name.as_str() {
                    "DEVICE_DELETED" => return Ok(()),
                    "DEVICE_UNPLUG_GUEST_ERROR" => return Err(holds()),
                    _ => {}
                },
                Err(broadcast::error::RecvError::Closed) => {
                    return Err(Error::conflict(
                        "machine-not-running",
                        "The machine is not running any more.",
                    ));
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(UNPLUG_PATIENCE, released)
        .await
        .unwrap_or_else(|_| Err(holds()))
}

fn holds() -> Error {
    Error::conflict("guest-holds-disk", "The guest does not let go of the disk.").with_hint(
        "Unmount its file systems in the guest, then try again; or stop the machine first. A guest that is still \
         starting, or has no system, can't let go.",
    )
}

fn failed(error: Error) -> Error {
    if error.code != REFUSED {
        return error;
    }
    let said = said(&error);
    Error::failed(
        "plug-failed",
        "The disk can't be plugged in while the machine runs.",
    )
    .with_hint("Stop the machine, then try again.")
    .with_detail("technical", said)
}

fn said(error: &Error) -> String {
    let words = error.details.get("technical").and_then(Value::as_str);
    words.unwrap_or(&error.message).to_owned()
}
