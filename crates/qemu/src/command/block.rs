//! Block nodes as `-blockdev` JSON. Every layer of a chain is named with its driver, and the last one says that
//! nothing lies below: QEMU neither probes a format nor follows a name it finds inside a file.

use crate::plan::{Connection, ImageRef};
use nestbox_model::{DiskCache, ImageFormat};
use serde_json::{Map, Value, json};
use std::path::Path;

/// What a node is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// The guest writes; space it gives up is given back to the host.
    Write,
    /// Nobody writes, ever.
    Read,
    /// Nobody writes but QEMU itself, when the image above is merged into this one.
    Merge,
}

/// What is asked of this computer's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// Around the page cache.
    pub direct: bool,
    /// Flushes are ignored.
    pub no_flush: bool,
    /// Space that is given up is given back.
    pub discard: bool,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            direct: false,
            no_flush: false,
            discard: true,
        }
    }
}

impl Host {
    pub fn of(connection: &Connection) -> Self {
        Self {
            direct: connection.cache == DiskCache::None,
            no_flush: connection.cache == DiskCache::Unsafe,
            discard: connection.discard,
        }
    }

    fn unmap(self) -> &'static str {
        if self.discard { "unmap" } else { "ignore" }
    }
}

fn file(path: &Path, r#use: Use, host: Host) -> Value {
    // `locking` keeps a second QEMU from writing the same file. A path that is not UTF-8 can't be said in JSON;
    // the launch refuses those before it gets here.
    let mut node = json!({
        "driver": "file",
        "filename": path.to_string_lossy(),
        // The lock is on our open file already; a descriptor can't be locked by its number.
        "locking": if path.starts_with("/dev/fdset") { "off" } else { "on" },
    });
    match r#use {
        Use::Write => node["discard"] = json!(host.unmap()),
        Use::Read => node["read-only"] = json!(true),
        // Unstated it follows the image's node: opened for reading now, for writing while a merge lasts.
        Use::Merge => node["discard"] = json!(host.unmap()),
    }
    node
}

/// A raw file as a read-only node (media, seeds, firmware).
pub(crate) fn raw_read_only(node_name: &str, path: &Path) -> Value {
    json!({"driver": "raw", "node-name": node_name, "read-only": true, "file": file(path, Use::Read, Host::default())})
}

/// One image without what is below it: `below` is JSON null for none.
pub(crate) fn layer(
    node_name: Option<&str>,
    image: &ImageRef,
    r#use: Use,
    host: Host,
    below: Value,
) -> Value {
    let mut node = Map::new();
    node.insert("driver".into(), json!(image.format.as_str()));
    if let Some(name) = node_name {
        node.insert("node-name".into(), json!(name));
    }
    if r#use != Use::Read {
        let zeroes = if host.discard { "unmap" } else { "off" };
        node.insert("discard".into(), json!(host.unmap()));
        node.insert("detect-zeroes".into(), json!(zeroes));
    }
    if r#use != Use::Write {
        node.insert("read-only".into(), json!(true));
    }
    if host.direct || host.no_flush {
        // What lies below follows.
        let cache = json!({ "direct": host.direct, "no-flush": host.no_flush });
        node.insert("cache".into(), cache);
    }
    node.insert("file".into(), file(&image.path, r#use, host));
    if image.format == ImageFormat::Qcow2 {
        node.insert("backing".into(), below);
    }
    Value::Object(node)
}

/// A whole chain, active image first. An empty chain is `null`. Images in the active one's folder are the machine's
/// own and can be merged; whatever lies elsewhere (the cache, other machines, the user's files) is only ever read.
pub(crate) fn chain(node_name: &str, images: &[ImageRef], top: Use, host: Host) -> Value {
    let home = images.first().and_then(|image| image.path.parent());
    let mut below = Value::Null;
    for (depth, image) in images.iter().enumerate().rev() {
        let (name, r#use) = match depth {
            0 => (node_name.to_owned(), top),
            _ if top == Use::Write && image.path.parent() == home => {
                (format!("{node_name}-{depth}"), Use::Merge)
            }
            _ => (format!("{node_name}-{depth}"), Use::Read),
        };
        below = layer(Some(&name), image, r#use, host, below);
    }
    below
}
