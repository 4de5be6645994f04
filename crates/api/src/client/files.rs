//! Calls about files on disks.

use super::{Client, escape, machine_path, to_value};
use nestbox_model::{CopyOutRequest, Job, Listing, Result};

/// What to list; see `GET …/files`.
#[derive(Clone, Copy, Debug, Default)]
pub struct FilesRequest<'a> {
    /// `[VOLUME:]/PATH`.
    pub path: Option<&'a str>,
    /// A snapshot; none: the present.
    pub snapshot: Option<&'a str>,
    /// Only entries behind this name.
    pub after: Option<&'a str>,
}

impl Client {
    /// One page of a folder on a disk.
    pub async fn files(&self, machine: &str, disk: &str, request: FilesRequest<'_>) -> Result<Listing> {
        let words = [
            ("path", request.path),
            ("snapshot", request.snapshot),
            ("after", request.after),
        ];
        let query: Vec<String> = words
            .into_iter()
            .filter_map(|(key, value)| Some(format!("{key}={}", escape_value(value?))))
            .collect();
        let path = format!("/disks/{}/files?{}", escape(disk), query.join("&"));
        self.get(&machine_path(machine, &path)).await
    }

    /// Begins to copy files out of a disk.
    pub async fn copy_out(&self, machine: &str, disk: &str, request: &CopyOutRequest) -> Result<Job> {
        let path = format!("/disks/{}/copy-out", escape(disk));
        self.post(&machine_path(machine, &path), to_value(request)).await
    }
}

/// In a query, dots are only dots.
fn escape_value(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, super::ESCAPED).to_string()
}
