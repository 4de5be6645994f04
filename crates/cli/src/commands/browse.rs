//! `nestbox disk browse` and `disk copy-out`: files on disks of machines that are off, and of snapshots.

use super::Client;
use crate::args::{Browse, CopyOut};
use crate::output::Output;
use crate::{interrupt, progress};
use nestbox_api::FilesRequest;
use nestbox_model::units::format_size;
use nestbox_model::{CopiedOut, CopyOutRequest, Error, FileEntry, FileKind, Listing, Result, Volume};
use std::path::Path;

/// Pages fetched of one folder; a million entries.
const PAGES_MAX: usize = 100;

pub async fn browse(client: &Client, browse: Browse, output: &Output) -> Result<()> {
    let page = async |after: Option<&str>| {
        let request = FilesRequest {
            path: browse.path.as_deref(),
            snapshot: browse.snapshot.as_deref(),
            after,
        };
        client.files(&browse.machine, &browse.disk, request).await
    };
    let mut listing = page(None).await?;
    for _ in 1..PAGES_MAX {
        let last = listing.entries.last().map(|entry| entry.name.clone());
        let Some(last) = last.filter(|_| listing.more) else {
            break;
        };
        let next = page(Some(&last)).await?;
        listing.entries.extend(next.entries);
        listing.more = next.more;
    }
    output.result(&listing, |o| print(&listing, o));
    Ok(())
}

fn print(listing: &Listing, o: &Output) {
    if listing.volume == 0 {
        let rows: Vec<Vec<String>> = listing.volumes.iter().map(volume_row).collect();
        o.table(&["VOLUME", "FILE SYSTEM", "LABEL", "SIZE", "USED", ""], &rows);
        o.note("See what is on one with its number before a path: 1:/");
    } else {
        let rows: Vec<Vec<String>> = listing.entries.iter().map(entry_row).collect();
        o.table(&["KIND", "SIZE", "MODIFIED", "NAME"], &rows);
        if listing.more {
            o.note("There are more entries than are shown.");
        }
    }
    for note in &listing.notes {
        o.note(note);
    }
}

fn volume_row(volume: &Volume) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        volume.number.to_string(),
        text(&volume.filesystem),
        volume.label.clone().unwrap_or_else(|| text(&volume.name)),
        format_size(volume.size),
        volume.used.map(format_size).unwrap_or_default(),
        text(&volume.reason),
    ]
}

fn entry_row(entry: &FileEntry) -> Vec<String> {
    let kind = match entry.kind {
        FileKind::File => "file",
        FileKind::Folder => "folder",
        FileKind::Link => "link",
        FileKind::Other => "other",
    };
    let size = match entry.kind {
        FileKind::File => format_size(entry.size),
        _ => String::new(),
    };
    let modified = entry.modified.map(|at| {
        let (date, time) = (at.date(), at.time());
        format!("{date} {:02}:{:02}", time.hour(), time.minute())
    });
    let name = match &entry.target {
        Some(target) => format!("{} -> {target}", entry.name),
        None => entry.name.clone(),
    };
    vec![kind.into(), size, modified.unwrap_or_default(), name]
}

pub async fn copy_out(client: &Client, mut copy: CopyOut, output: &Output) -> Result<()> {
    let to = copy.words.pop().unwrap_or_default();
    if copy.words.is_empty() {
        return Err(
            Error::usage("usage", "What to copy and where to are both needed.")
                .with_hint("As in: nestbox disk copy-out web 1 /etc/hosts ."),
        );
    }
    let request = CopyOutRequest {
        paths: copy.words,
        to: super::absolute(Path::new(&to))?,
        snapshot: copy.snapshot,
        overwrite: copy.overwrite,
    };
    let _interrupt = (!copy.detach).then(interrupt::claim);
    let job = client.copy_out(&copy.machine, &copy.disk, &request).await?;
    if copy.detach {
        output.result(&job, |o| o.line(job.id.as_str()));
        return Ok(());
    }
    let job = progress::follow(client, &job, output).await?;
    let copied: CopiedOut = job
        .result
        .clone()
        .and_then(|result| serde_json::from_value(result).ok())
        .unwrap_or_default();
    output.result(&job, |o| print_copied(&copied, o));
    Ok(())
}

fn print_copied(copied: &CopiedOut, o: &Output) {
    let count =
        |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    o.line(format!(
        "Copied {} and {} ({}).",
        count(copied.files, "file", "files"),
        count(copied.folders, "folder", "folders"),
        format_size(copied.bytes)
    ));
    for skipped in &copied.skipped {
        o.note(format!("Not copied: {}: {}", skipped.path, skipped.why));
    }
}
