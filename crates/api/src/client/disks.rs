//! Typed calls for the disks of a machine.

use super::{Client, escape, machine_path, to_value};
use nestbox_model::{
    DiskAddRequest, DiskAttachRequest, DiskChangeRequest, DiskChanged, DiskCheckRequest, DiskDetails,
    DiskList, DiskRemoved, DiskResizeRequest, Job, Result,
};
use serde_json::json;

fn disk_path(machine: &str, disk: &str, rest: &str) -> String {
    machine_path(machine, &format!("/disks/{}{rest}", escape(disk)))
}

#[allow(missing_docs)]
impl Client {
    pub async fn disks(&self, machine: &str) -> Result<DiskList> {
        self.get(&machine_path(machine, "/disks")).await
    }
    pub async fn add_disk(&self, machine: &str, request: &DiskAddRequest) -> Result<DiskChanged> {
        self.post(&machine_path(machine, "/disks"), to_value(request))
            .await
    }
    pub async fn change_disk(
        &self,
        machine: &str,
        disk: &str,
        request: &DiskChangeRequest,
    ) -> Result<DiskDetails> {
        self.json("PATCH", &disk_path(machine, disk, ""), Some(&to_value(request)))
            .await
    }
    pub async fn remove_disk(
        &self,
        machine: &str,
        disk: &str,
        now: bool,
        dry_run: bool,
    ) -> Result<DiskRemoved> {
        let query = format!("?now={now}&dry_run={dry_run}");
        self.json("DELETE", &disk_path(machine, disk, &query), None).await
    }
    /// `restore` or `detach`.
    pub async fn disk_act(&self, machine: &str, disk: &str, verb: &str) -> Result<DiskDetails> {
        self.post(&disk_path(machine, disk, &format!("/{verb}")), json!({}))
            .await
    }
    pub async fn attach_disk(
        &self,
        machine: &str,
        disk: &str,
        request: &DiskAttachRequest,
    ) -> Result<DiskChanged> {
        self.post(&disk_path(machine, disk, "/attach"), to_value(request))
            .await
    }
    pub async fn resize_disk(
        &self,
        machine: &str,
        disk: &str,
        request: &DiskResizeRequest,
    ) -> Result<DiskChanged> {
        self.post(&disk_path(machine, disk, "/resize"), to_value(request))
            .await
    }
    pub async fn compact_disk(&self, machine: &str, disk: &str, dry_run: bool) -> Result<Job> {
        let path = disk_path(machine, disk, "/compact");
        self.post(&path, json!({ "dry_run": dry_run })).await
    }
    pub async fn check_disk(&self, machine: &str, disk: &str, request: &DiskCheckRequest) -> Result<Job> {
        self.post(&disk_path(machine, disk, "/check"), to_value(request))
            .await
    }
}
