//! Finding a path in a file system, and listing a folder.

use crate::filesystem::{Fault, FileSystem, Kind, Outcome};
use crate::names;
use nestbox_model::{FileEntry, FileKind};
use std::collections::{BTreeMap, VecDeque};
use time::OffsetDateTime;

/// Most links followed on the way to one path; as Linux has it.
const LINKS_MAX: usize = 40;
/// Most components of a path, those of links included.
const COMPONENTS_MAX: usize = 4096;
/// Longest target shown, bytes.
const TARGET_MAX: usize = 4096;

/// A file or folder and the way to it.
pub(crate) struct Place<N> {
    /// Names from the root down, links followed.
    pub names: Vec<Vec<u8>>,
    pub node: N,
}

impl<N> Place<N> {
    /// As people write it.
    pub fn shown(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| names::shown(name)).collect();
        format!("/{}", names.join("/"))
    }
}

/// Finds `path`, following links as the guest would, but never out of the volume.
pub(crate) fn find<F: FileSystem>(filesystem: &F, path: &str) -> Outcome<Place<F::Node>> {
    let mut pending: VecDeque<Vec<u8>> = path.split('/').map(names::bytes).collect();
    let mut trail: Vec<(Vec<u8>, F::Node)> = Vec::new();
    let mut links = 0;
    let mut steps = 0;
    while let Some(name) = pending.pop_front() {
        steps += 1;
        if steps > COMPONENTS_MAX || pending.len() > COMPONENTS_MAX {
            return Err(Fault::NotFound);
        }
        match name.as_slice() {
            b"" | b"." => continue,
            b".." => {
                trail.pop();
                continue;
            }
            _ => {}
        }
        let folder = trail
            .last()
            .map_or_else(|| filesystem.root(), |(_, node)| node.clone());
        if filesystem.stat(&folder)?.kind != Kind::Folder && !trail.is_empty() {
            return Err(Fault::NotAFolder);
        }
        let node = filesystem.find(&folder, &name)?.ok_or(Fault::NotFound)?;
        if filesystem.stat(&node)?.kind == Kind::Link && filesystem.follows_links() {
            links += 1;
            if links > LINKS_MAX {
                return Err(Fault::NotFound);
            }
            let target = filesystem.link_target(&node)?;
            if target.starts_with(b"/") {
                trail.clear();
            }
            for part in target.split(|byte| *byte == b'/').rev() {
                pending.push_front(part.to_vec());
            }
            continue;
        }
        trail.push((name, node));
    }
    let node = trail
        .last()
        .map_or_else(|| filesystem.root(), |(_, node)| node.clone());
    Ok(Place {
        names: trail.into_iter().map(|(name, _)| name).collect(),
        node,
    })
}

/// A page of a folder.
pub(crate) struct Page {
    pub entries: Vec<FileEntry>,
    pub more: bool,
    /// Entries whose facts could not be read.
    pub unreadable: usize,
}

/// The first `limit` entries of a folder in the order of their names' bytes, from behind `after` on. However large the
/// folder is, no more than one page is kept.
pub(crate) fn list<F: FileSystem>(
    filesystem: &F,
    folder: &F::Node,
    limit: usize,
    after: Option<&[u8]>,
) -> Outcome<Page> {
    let mut kept: BTreeMap<Vec<u8>, F::Node> = BTreeMap::new();
    filesystem.read_folder(folder, &mut |found| {
        let is_behind = after.is_none_or(|after| found.name.as_slice() > after);
        let fits = kept.len() <= limit || kept.last_key_value().is_some_and(|(last, _)| found.name < *last);
        if is_behind && fits && !found.name.is_empty() {
            kept.insert(found.name, found.node);
            if kept.len() > limit + 1 {
                kept.pop_last();
            }
        }
        Ok(())
    })?;
    let more = kept.len() > limit;
    let mut page = Page {
        entries: Vec::with_capacity(kept.len()),
        more,
        unreadable: 0,
    };
    for (name, node) in kept.into_iter().take(limit) {
        let entry = entry(filesystem, &name, &node).unwrap_or_else(|_| {
            page.unreadable += 1;
            FileEntry {
                name: names::shown(&name),
                kind: FileKind::Other,
                size: 0,
                modified: None,
                target: None,
            }
        });
        page.entries.push(entry);
    }
    Ok(page)
}

fn entry<F: FileSystem>(filesystem: &F, name: &[u8], node: &F::Node) -> Outcome<FileEntry> {
    let stat = filesystem.stat(node)?;
    let target = match stat.kind {
        Kind::Link => {
            let mut target = filesystem.link_target(node)?;
            target.truncate(TARGET_MAX);
            // A path: its slashes stay.
            let parts: Vec<String> = target.split(|byte| *byte == b'/').map(names::shown).collect();
            Some(parts.join("/"))
        }
        _ => None,
    };
    Ok(FileEntry {
        name: names::shown(name),
        kind: match stat.kind {
            Kind::File => FileKind::File,
            Kind::Folder => FileKind::Folder,
            Kind::Link => FileKind::Link,
            Kind::Other => FileKind::Other,
        },
        size: stat.size,
        modified: stat
            .modified
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()),
        target,
    })
}
