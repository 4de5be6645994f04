//! Which files the guest writes, and new overlays on top of them.

use super::QemuSession;
use crate::{
    ActiveImages, FreezeRequest, ImageRef,
    command::{Use, layer},
    qmp::Qmp,
};
use nestbox_model::{Error, ImageFormat, Result};
use qapi::qmp::{self as commands, BlockdevSnapshot, BlockdevSnapshotWrapper, TransactionAction};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How long merging a fresh overlay back may take.
const MERGE_DEADLINE: Duration = Duration::from_secs(120);

/// A node the guest writes and the one that is to take its place.
#[derive(Debug)]
pub(super) struct Overlay {
    pub old: String,
    pub new: String,
}

impl QemuSession {
    async fn block_devices(qmp: &Qmp) -> Result<Vec<Value>> {
        match qmp.raw("query-block", Value::Null).await? {
            Value::Array(devices) => Ok(devices),
            _ => Err(Error::failed(
                "qemu-odd-answer",
                "QEMU does not say which disks it has.",
            )),
        }
    }

    /// What is behind the device of a disk.
    fn inserted(devices: &[Value], fits: impl Fn(&str) -> bool) -> Option<&Value> {
        let device = devices
            .iter()
            .find(|device| device["qdev"].as_str().is_some_and(&fits))?;
        device.get("inserted")
    }

    pub(super) async fn find_active_images(&self) -> Result<ActiveImages> {
        let devices = Self::block_devices(&*self.qmp()?).await?;
        let mut images = ActiveImages::default();
        for disk in &self.record.disks {
            let path = Self::inserted(&devices, |qdev| is_disk(qdev, disk.short())).and_then(file_of);
            images.disks.extend(path.map(|path| (disk.clone(), path)));
        }
        images.nvram = Self::inserted(&devices, is_nvram).and_then(file_of);
        Ok(images)
    }

    /// Opens the overlays beside the images in use. On failure none stays.
    pub(super) async fn open_overlays(&self, qmp: &Qmp, request: &FreezeRequest) -> Result<Vec<Overlay>> {
        let devices = Self::block_devices(qmp).await?;
        let node = |inserted: Option<&Value>| {
            inserted
                .and_then(|inserted| inserted["node-name"].as_str())
                .map(str::to_owned)
        };
        let mut wanted = Vec::new();
        for (disk, path) in &request.disks {
            let old = node(Self::inserted(&devices, |qdev| is_disk(qdev, disk.short())))
                .ok_or_else(|| missing(&format!("disk {}", disk.short())))?;
            wanted.push((old, format!("disk-{}", disk.short()), path));
        }
        if let Some(path) = &request.nvram {
            let old =
                node(Self::inserted(&devices, is_nvram)).ok_or_else(|| missing("set of UEFI variables"))?;
            wanted.push((old, "nvram".to_owned(), path));
        }
        let mut overlays = Vec::new();
        for (old, prefix, path) in wanted {
            let new = self.fresh_name(&prefix);
            if let Err(error) = open_overlay(qmp, &new, path).await {
                close_overlays(qmp, &overlays).await;
                return Err(error);
            }
            overlays.push(Overlay { old, new });
        }
        Ok(overlays)
    }

    /// Merges overlays that are in use already back into what they cover, so that the guest writes the old images
    /// again.
    pub(super) async fn merge_back(&self, qmp: &Qmp, overlays: &[Overlay]) -> Result<()> {
        for overlay in overlays {
            let merged = tokio::time::timeout(MERGE_DEADLINE, self.merge_one(qmp, overlay)).await;
            merged.unwrap_or_else(|_| {
                Err(Error::failed(
                    "snapshot-stuck",
                    "Merging an overlay back took too long.",
                ))
            })?;
        }
        Ok(())
    }

    async fn merge_one(&self, qmp: &Qmp, overlay: &Overlay) -> Result<()> {
        let job = self.fresh_name("undo");
        let arguments = json!({
            "job-id": job, "device": overlay.new, "top-node": overlay.new, "base-node": overlay.old,
            "auto-finalize": true, "auto-dismiss": false,
        });
        qmp.raw("block-commit", arguments).await?;
        let mut completing = false;
        loop {
            let jobs = qmp.raw("query-jobs", Value::Null).await?;
            let jobs = jobs.as_array().map(Vec::as_slice).unwrap_or_default();
            let Some(state) = jobs.iter().find(|entry| entry["id"] == job.as_str()) else {
                break;
            };
            match state["status"].as_str() {
                Some("ready") if !completing => {
                    qmp.raw("job-complete", json!({"id": job})).await?;
                    completing = true;
                }
                Some("concluded") => {
                    let failure = state["error"].as_str().map(str::to_owned);
                    qmp.raw("job-dismiss", json!({"id": job})).await?;
                    if let Some(why) = failure {
                        return Err(
                            Error::failed("snapshot-stuck", "An overlay could not be merged back.")
                                .with_detail("technical", why),
                        );
                    }
                    break;
                }
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        qmp.raw("blockdev-del", json!({"node-name": overlay.new}))
            .await
            .map(drop)
    }
}

/// Makes all overlays the images in use, at one instant, all or none.
pub(super) async fn cut(qmp: &Qmp, overlays: &[Overlay]) -> Result<()> {
    if overlays.is_empty() {
        return Ok(());
    }
    let actions = overlays.iter().map(|overlay| {
        TransactionAction::blockdev_snapshot(BlockdevSnapshotWrapper {
            data: BlockdevSnapshot {
                node: overlay.old.clone(),
                overlay: overlay.new.clone(),
            },
        })
    });
    let command = commands::transaction {
        actions: actions.collect(),
        properties: None,
    };
    qmp.execute(command).await.map(drop)
}

/// Lets go of overlays that did not come into use.
pub(super) async fn close_overlays(qmp: &Qmp, overlays: &[Overlay]) {
    for overlay in overlays {
        if let Err(error) = qmp.raw("blockdev-del", json!({"node-name": overlay.new})).await {
            tracing::warn!(%error, node = overlay.new, "an unused overlay stays open");
        }
    }
}

async fn open_overlay(qmp: &Qmp, node: &str, path: &Path) -> Result<()> {
    let Some(_) = path.to_str() else {
        return Err(Error::unfit(
            "path-not-text",
            "QEMU can't open a file whose name is not valid text (UTF-8).",
        )
        .with_detail("path", path.display().to_string()));
    };
    let image = ImageRef {
        path: path.to_owned(),
        format: ImageFormat::Qcow2,
    };
    // Nothing below yet: the transaction puts it on top of what is in use.
    let blockdev = layer(Some(node), &image, Use::Write, Value::Null);
    qmp.raw("blockdev-add", blockdev).await.map(drop)
}

fn missing(what: &str) -> Error {
    Error::failed(
        "snapshot-failed",
        format!("The running machine has no {what}, so it can't be frozen."),
    )
}

fn is_disk(qdev: &str, short: &str) -> bool {
    let device = format!("disk-{short}");
    qdev.split('/').any(|part| part == device)
}

fn is_nvram(qdev: &str) -> bool {
    qdev.ends_with(".flash1")
}

/// The image file of a node. Where its backing was set at run time QEMU gives its name as `json:{…}`.
fn file_of(inserted: &Value) -> Option<PathBuf> {
    let name = inserted["file"].as_str()?;
    let Some(description) = name.strip_prefix("json:") else {
        return Some(PathBuf::from(name));
    };
    let description: Value = serde_json::from_str(description).ok()?;
    let file = [&description["file"]["filename"], &description["filename"]];
    file.iter().find_map(|name| name.as_str()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_files_are_recognised() {
        assert!(is_disk(
            "/machine/peripheral/disk-0a1b2c3d/virtio-backend",
            "0a1b2c3d"
        ));
        assert!(!is_disk(
            "/machine/peripheral/disk-0a1b2c3d2/virtio-backend",
            "0a1b2c3d"
        ));
        assert!(is_nvram("/machine/virt.flash1") && !is_nvram("/machine/system.flash0"));
        let plain = json!({"file": "/a/b.qcow2"});
        assert_eq!(file_of(&plain), Some("/a/b.qcow2".into()));
        let set = json!({"file": r#"json:{"driver":"qcow2","file":{"driver":"file","filename":"/a,b/\"c.qcow2"}}"#});
        assert_eq!(file_of(&set), Some("/a,b/\"c.qcow2".into()));
        assert_eq!(file_of(&json!({"file": "json:{"})), None);
    }
}
