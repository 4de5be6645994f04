//! Which files the guest writes, and new overlays on top of them.

use super::{QemuSession, jobs::Job};
use crate::{
    ActiveImages, FreezeRequest, ImageRef, MergeRequest, MergeTarget,
    command::{Host, Use, layer},
    plan::NVRAM_NODE,
    qmp::Qmp,
};
use nestbox_model::{Error, ImageFormat, Result};
use qapi::qmp::{self as commands, BlockdevSnapshot, BlockdevSnapshotWrapper, TransactionAction};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// A node the guest writes and the one that is to take its place.
#[derive(Debug)]
pub(super) struct Overlay {
    pub old: String,
    pub new: String,
}

/// Two images of a chain, one directly on the other.
#[derive(Debug)]
pub(super) struct Link {
    /// The upper one's node.
    pub top: String,
    /// The lower one's node.
    pub base: String,
    /// The upper one is what the guest writes.
    pub active: bool,
    /// What the guest writes.
    pub root: String,
}

/// First part of the names of jobs that merge a fresh overlay back.
pub(super) const UNDO_JOB: &str = "undo";

impl QemuSession {
    pub(super) async fn block_devices(qmp: &Qmp) -> Result<Vec<Value>> {
        match qmp.raw("query-block", Value::Null).await? {
            Value::Array(devices) => Ok(devices),
            _ => Err(Error::failed(
                "qemu-odd-answer",
                "QEMU does not say which disks it has.",
            )),
        }
    }

    /// What is behind the device of a disk.
    pub(super) fn inserted(devices: &[Value], fits: impl Fn(&str) -> bool) -> Option<&Value> {
        let device = devices
            .iter()
            .find(|device| device["qdev"].as_str().is_some_and(&fits))?;
        device.get("inserted")
    }

    pub(super) async fn find_active_images(&self) -> Result<ActiveImages> {
        let devices = Self::block_devices(&*self.qmp()?).await?;
        let mut images = ActiveImages::default();
        for disk in self.link.disks() {
            let path = Self::inserted(&devices, |qdev| is_disk(qdev, disk.short())).and_then(file_of);
            images.disks.extend(path.map(|path| (disk, path)));
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
            let host = Self::inserted(&devices, |qdev| is_disk(qdev, disk.short())).map(host_of);
            wanted.push((
                old,
                format!("disk-{}", disk.short()),
                path,
                host.unwrap_or_default(),
            ));
        }
        if let Some(path) = &request.nvram {
            let old =
                node(Self::inserted(&devices, is_nvram)).ok_or_else(|| missing("set of UEFI variables"))?;
            wanted.push((old, NVRAM_NODE.to_owned(), path, Host::default()));
        }
        let mut overlays = Vec::new();
        for (old, prefix, path, host) in wanted {
            let new = self.fresh_name(&prefix);
            if let Err(error) = open_overlay(qmp, &new, path, host).await {
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
            self.merge_one(qmp, overlay).await?;
        }
        Ok(())
    }

    async fn merge_one(&self, qmp: &Qmp, overlay: &Overlay) -> Result<()> {
        let id = self.fresh_name(UNDO_JOB);
        let arguments = json!({
            "job-id": id, "device": overlay.new, "top-node": overlay.new, "base-node": overlay.old,
            "auto-finalize": true, "auto-dismiss": false,
        });
        qmp.raw("block-commit", arguments).await?;
        let job = Job { qmp, id };
        let mut state = job.until(&["ready"]).await?;
        if state.status == "ready" {
            job.order("job-complete").await?;
            state = job.until(&[]).await?;
        }
        job.dismiss().await;
        if let Some(why) = state.error {
            return Err(
                Error::failed("snapshot-stuck", "An overlay could not be merged back.")
                    .with_detail("technical", why),
            );
        }
        close_if_unused(qmp, &overlay.new).await;
        Ok(())
    }

    /// The nodes of two images that lie one on the other.
    ///
    /// # Errors
    /// `merge-refused` when they do not.
    pub(super) async fn find_link(&self, qmp: &Qmp, request: &MergeRequest) -> Result<Link> {
        let devices = Self::block_devices(qmp).await?;
        let inserted = match &request.target {
            MergeTarget::Disk(disk) => Self::inserted(&devices, |qdev| is_disk(qdev, disk.short())),
            MergeTarget::Nvram => Self::inserted(&devices, is_nvram),
        };
        let inserted = inserted.ok_or_else(|| no_link("the machine has no such disk"))?;
        let chain = chain_of(inserted);
        let place = chain
            .iter()
            .position(|path| same_file(path, &request.top))
            .ok_or_else(|| no_link("the upper one is not in the chain"))?;
        if !chain
            .get(place + 1)
            .is_some_and(|below| same_file(below, &request.base))
        {
            return Err(no_link("the lower one is not directly below the upper one"));
        }
        let nodes = qmp.raw("query-named-block-nodes", json!({"flat": true})).await?;
        let active = inserted["node-name"]
            .as_str()
            .ok_or_else(|| no_link("QEMU does not say what they are called"))?
            .to_owned();
        Ok(Link {
            top: if place == 0 {
                active.clone()
            } else {
                image_node(&nodes, &request.top)?
            },
            base: image_node(&nodes, &request.base)?,
            active: place == 0,
            root: active,
        })
    }
}

/// The node of the image `path`.
fn image_node(nodes: &Value, path: &Path) -> Result<String> {
    let nodes = nodes.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = nodes.iter().filter(|node| {
        // The file node below an image has the same name.
        matches!(node["drv"].as_str(), Some("qcow2" | "raw"))
            && file_of(node).is_some_and(|file| same_file(&file, path))
    });
    match (
        found.next().and_then(|node| node["node-name"].as_str()),
        found.next(),
    ) {
        (Some(name), None) => Ok(name.to_owned()),
        (None, _) => Err(no_link("one of them is not open")),
        (Some(_), Some(_)) => Err(no_link("one of them is open twice")),
    }
}

/// The images of a device, active one first.
fn chain_of(inserted: &Value) -> Vec<PathBuf> {
    let mut chain = Vec::new();
    let mut image = &inserted["image"];
    while let Some(path) = image["filename"].as_str().and_then(path_in) {
        chain.push(path);
        image = &image["backing-image"];
    }
    chain
}

fn same_file(one: &Path, other: &Path) -> bool {
    one == other
        || matches!((std::fs::canonicalize(one), std::fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

fn no_link(why: &str) -> Error {
    Error::conflict(
        "merge-refused",
        format!("The disk images can't be merged while the machine runs: {why}."),
    )
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

/// Closes a node that is in no chain any more. A node that was opened as part of another has gone with it.
pub(super) async fn close_if_unused(qmp: &Qmp, node: &str) {
    if let Err(error) = qmp.raw("blockdev-del", json!({"node-name": node})).await {
        tracing::debug!(%error, node, "a node was not closed");
    }
}

/// Closes what an earlier service opened and did not use, or did not close when it was used no more.
pub(super) async fn close_leftovers(qmp: &Qmp) -> Result<()> {
    let devices = QemuSession::block_devices(qmp).await?;
    let used: BTreeSet<&str> = devices
        .iter()
        .filter_map(|device| device["inserted"]["node-name"].as_str())
        .collect();
    let nodes = qmp.raw("query-named-block-nodes", json!({"flat": true})).await?;
    let nodes = nodes.as_array().map(Vec::as_slice).unwrap_or_default();
    let names = nodes.iter().filter_map(|node| node["node-name"].as_str());
    for name in names.filter(|name| name.starts_with("disk-") || name.starts_with(NVRAM_NODE)) {
        if !used.contains(name) {
            // QEMU refuses for those that others stand on.
            close_if_unused(qmp, name).await;
        }
    }
    Ok(())
}

async fn open_overlay(qmp: &Qmp, node: &str, path: &Path, host: Host) -> Result<()> {
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
    let blockdev = layer(Some(node), &image, Use::Write, host, Value::Null);
    qmp.raw("blockdev-add", blockdev).await.map(drop)
}

/// As the image in use was opened.
fn host_of(inserted: &Value) -> Host {
    let is = |key: &str| inserted["cache"][key].as_bool().unwrap_or(false);
    Host {
        direct: is("direct"),
        no_flush: is("no-flush"),
        discard: inserted["detect_zeroes"] != "off",
    }
}

fn missing(what: &str) -> Error {
    Error::failed(
        "snapshot-failed",
        format!("The running machine has no {what}, so it can't be frozen."),
    )
}

pub(super) fn is_disk(qdev: &str, short: &str) -> bool {
    let device = format!("disk-{short}");
    qdev.split('/').any(|part| part == device)
}

fn is_nvram(qdev: &str) -> bool {
    qdev.ends_with(".flash1")
}

/// The image file of a node. Where its backing was set at run time QEMU gives its name as `json:{…}`.
fn file_of(inserted: &Value) -> Option<PathBuf> {
    path_in(inserted["file"].as_str()?)
}

fn path_in(name: &str) -> Option<PathBuf> {
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
