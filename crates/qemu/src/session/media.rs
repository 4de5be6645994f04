//! The CD/DVD drive and the screen: files that change hands while the guest runs. QEMU can't reach them by name, so
//! media are handed over open, and pictures come out through the run folder.

use super::QemuSession;
use crate::{
    plan::MEDIUM_DEVICE,
    qmp::{Qmp, REFUSED},
};
use nestbox_model::{Error, Result};
use qapi::qmp as commands;
use serde_json::{Value, json};
use std::{fs::File, os::fd::AsFd, path::Path, sync::atomic::Ordering};

/// A file QEMU holds under a number, as `/dev/fdset/N`.
pub(super) struct FdSet {
    /// The number.
    pub id: i64,
    /// The name QEMU opens it by.
    pub name: String,
}

impl QemuSession {
    /// A name for a node or set that was not used before, not even by the service before this one.
    pub(super) fn fresh_name(&self, prefix: &str) -> String {
        let number = self.next_name.fetch_add(1, Ordering::Relaxed);
        format!("{prefix}-{number}-{:x}", self.nonce)
    }

    /// Hands `file` over.
    pub(super) async fn give(&self, qmp: &Qmp, file: &File) -> Result<FdSet> {
        let command = commands::add_fd {
            fdset_id: None,
            opaque: None,
        };
        let answer = qmp.with_fd(command, file.as_fd()).await?;
        let id = answer["fdset-id"]
            .as_i64()
            .ok_or_else(|| Error::failed("qemu-odd-answer", "QEMU did not take a file over."))?;
        Ok(FdSet {
            id,
            name: format!("/dev/fdset/{id}"),
        })
    }

    /// QEMU may forget it; what it has open stays open.
    pub(super) async fn take_back(&self, qmp: &Qmp, set: &FdSet) {
        let _ = qmp
            .execute(commands::remove_fd {
                fdset_id: set.id,
                fd: None,
            })
            .await;
    }

    pub(super) async fn change_medium(&self, path: Option<&Path>) -> Result<()> {
        let _alone = self.operation.lock().await;
        let qmp = self.qmp()?;
        // Opened first: a file that can't be read must not cost the guest the medium it has.
        let file = path.map(open_medium).transpose()?;
        let old = self.medium_node(&qmp).await?;
        qmp.raw("blockdev-open-tray", json!({"id": MEDIUM_DEVICE, "force": true}))
            .await?;
        if let Some(node) = old {
            qmp.execute(commands::blockdev_remove_medium {
                id: MEDIUM_DEVICE.into(),
            })
            .await?;
            if let Err(error) = qmp.raw("blockdev-del", json!({"node-name": node})).await {
                tracing::debug!(%error, node, "a medium's node stays");
            }
        }
        let inserted = match &file {
            Some(file) => self.insert(&qmp, file).await,
            None => Ok(()),
        };
        qmp.raw("blockdev-close-tray", json!({"id": MEDIUM_DEVICE}))
            .await?;
        inserted
    }

    async fn insert(&self, qmp: &Qmp, file: &File) -> Result<()> {
        let set = self.give(qmp, file).await?;
        let node = self.fresh_name("medium");
        let added = async {
            let mut blockdev = crate::command::raw_read_only(&node, Path::new(&set.name));
            // The lock is on our open file already; a descriptor can't be locked by its number.
            blockdev["file"]["locking"] = json!("off");
            qmp.raw("blockdev-add", blockdev).await?;
            let insert = commands::blockdev_insert_medium {
                id: MEDIUM_DEVICE.into(),
                node_name: node.clone(),
            };
            if let Err(error) = qmp.execute(insert).await {
                let _ = qmp.raw("blockdev-del", json!({"node-name": node})).await;
                return Err(error);
            }
            Ok(())
        };
        let added = added.await;
        self.take_back(qmp, &set).await;
        added
    }

    /// The node in the drive.
    async fn medium_node(&self, qmp: &Qmp) -> Result<Option<String>> {
        let answer = qmp.raw("query-block", Value::Null).await?;
        let devices = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        let device = devices.iter().find(|device| {
            let name = device["qdev"].as_str().unwrap_or_default();
            name == MEDIUM_DEVICE || name.ends_with("/medium")
        });
        match device {
            Some(device) => Ok(device["inserted"]["node-name"].as_str().map(str::to_owned)),
            None => Err(Error::conflict("no-drive", "This machine has no CD/DVD drive.")),
        }
    }

    pub(super) async fn take_screenshot(&self, png: &Path) -> Result<()> {
        let qmp = self.qmp()?;
        let picture = self
            .run
            .path()
            .join(format!("{}.png", self.fresh_name("picture")));
        let text = picture.to_string_lossy().into_owned();
        let taken = qmp
            .raw("screendump", json!({"filename": text, "format": "png"}))
            .await;
        let moved = match taken {
            Ok(_) => hand_on(&picture, png),
            Err(error) if error.code == REFUSED => {
                let words = error.details.get("technical").cloned().unwrap_or_default();
                Err(
                    Error::failed("no-picture", "The machine shows no picture right now.")
                        .with_detail("technical", words),
                )
            }
            Err(error) => Err(error),
        };
        let _ = std::fs::remove_file(&picture);
        moved
    }
}

fn open_medium(path: &Path) -> Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let io = |error: &std::io::Error| Error::io("open the medium", path, error);
    // Not waiting: a named pipe without a writer would hang for ever.
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(|error| io(&error))?;
    if !file.metadata().map_err(|error| io(&error))?.is_file() {
        return Err(Error::usage(
            "not-a-file",
            format!("Only files can be put into the drive: {}", path.display()),
        )
        .with_detail("path", path.display().to_string()));
    }
    Ok(file)
}

/// Puts the picture where it is wanted, complete or not at all.
fn hand_on(picture: &Path, png: &Path) -> Result<()> {
    let io = |error: &std::io::Error| Error::io("write the picture", png, error);
    if std::fs::rename(picture, png).is_ok() {
        return Ok(());
    }
    // Another file system.
    let part = png.with_extension("part");
    let copied = std::fs::copy(picture, &part).and_then(|_| std::fs::rename(&part, png));
    if let Err(error) = copied {
        let _ = std::fs::remove_file(&part);
        return Err(io(&error));
    }
    Ok(())
}
