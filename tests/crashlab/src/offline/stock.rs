//! What there is: every disk of every machine, by what it shows.

use crate::audit::ask_about;
use crate::{Finding, world};
use nestbox_guests::TestHome;
use nestbox_model::layout::MachineFolder;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

const BLOCK: usize = 64 << 10;

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    pub id: String,
    pub image: PathBuf,
    pub capacity: u64,
    pub attached: bool,
    pub removed: bool,
    /// Of what it shows; zeros don't count, so that a disk that grew shows the same.
    pub content: String,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    pub folder: MachineFolder,
    pub state: String,
    pub disks: Vec<Disk>,
    /// What each snapshot's disks show, by the snapshot's id.
    pub frozen: BTreeMap<String, Vec<String>>,
}

/// All machines, by name.
pub type Stock = BTreeMap<String, Machine>;

/// Looks at everything.
///
/// # Errors
/// What can't be read, or is damaged.
pub fn look(home: &TestHome) -> Finding<Stock> {
    let world = world::look(home)?;
    let mut stock = Stock::new();
    for (name, machine) in world {
        let listed = world::json(home, &["disk", "list", &name, "--all"])?;
        let shown = listed["disks"].as_array().ok_or("no list of disks")?;
        let disks = shown.iter().map(disk).collect::<Finding<Vec<_>>>()?;
        for disk in &disks {
            sound(&disk.image)?;
        }
        let mut frozen = BTreeMap::new();
        for (id, record) in &machine.tree {
            let images = record
                .disks
                .iter()
                .map(|disk| machine.folder.disk_image(&disk.image));
            frozen.insert(
                id.clone(),
                images.map(|image| content(&image)).collect::<Finding<_>>()?,
            );
        }
        stock.insert(
            name,
            Machine {
                folder: machine.folder,
                state: machine.state,
                disks,
                frozen,
            },
        );
    }
    Ok(stock)
}

fn disk(shown: &Value) -> Finding<Disk> {
    let image = PathBuf::from(world::text(&shown["path"]));
    Ok(Disk {
        id: world::text(&shown["id"]),
        capacity: shown["capacity"].as_u64().ok_or("a disk without a capacity")?,
        attached: shown["attached"] == true,
        removed: !shown["removed_at"].is_null(),
        content: content(&image)?,
        image,
    })
}

/// Every content there is, however often.
pub fn contents(stock: &Stock) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for disk in stock.values().flat_map(|machine| &machine.disks) {
        *all.entry(disk.content.clone()).or_default() += 1;
    }
    all
}

/// Files in the machines' folders that no disk and no snapshot needs.
///
/// # Errors
/// Names them.
pub fn nothing_extra(home: &TestHome, stock: &Stock) -> Finding<()> {
    let mut extra = Vec::new();
    let known: BTreeSet<&Path> = stock.values().map(|machine| machine.folder.path()).collect();
    let machines = home.path().join("machines");
    extra.extend(
        names(&machines)
            .into_iter()
            .map(|name| machines.join(name))
            .filter(|path| !known.contains(path.as_path())),
    );
    let mut needed = BTreeSet::new();
    for machine in stock.values() {
        let records = world::tree(&machine.folder)?;
        let frozen = records.values().flat_map(|record| {
            let disks = record
                .disks
                .iter()
                .map(|disk| machine.folder.disk_image(&disk.image));
            let nvram = record.nvram.iter().map(|name| machine.folder.nvram_image(name));
            disks.chain(nvram).collect::<Vec<_>>()
        });
        for top in machine.disks.iter().map(|disk| disk.image.clone()).chain(frozen) {
            needed.extend(chain(&top)?);
        }
    }
    for machine in stock.values() {
        let folder = &machine.folder;
        for name in names(folder.path()) {
            let good = matches!(
                name.as_str(),
                "machine.toml"
                    | "disks"
                    | "nvram"
                    | "snapshots"
                    | "logs"
                    | "ssh"
                    | "seed.img"
                    | "thumbnail.png"
            );
            if !good {
                extra.push(folder.path().join(name));
            }
        }
        for name in names(&folder.disks()) {
            let path = folder.disk_image(&name);
            if !needed.contains(&path.canonicalize().unwrap_or_else(|_| path.clone())) {
                extra.push(path);
            }
        }
    }
    if extra.is_empty() {
        Ok(())
    } else {
        Err(format!("left over: {extra:?}"))
    }
}

/// Names in a folder; none when it is not there.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn chain(top: &Path) -> Finding<Vec<PathBuf>> {
    let output = Command::new("qemu-img")
        .args(["info", "-U", "--backing-chain", "--output=json"])
        .arg(top)
        .output()
        .map_err(|e| e.to_string())?;
    let links: Vec<Value> = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("{}: {}", top.display(), String::from_utf8_lossy(&output.stderr)))?;
    Ok(links
        .iter()
        .map(|link| PathBuf::from(world::text(&link["filename"])))
        .map(|path| path.canonicalize().unwrap_or(path))
        .collect())
}

fn sound(image: &Path) -> Finding<()> {
    let output = ask_about(image)?;
    match output.status.code() {
        Some(0 | 3) => Ok(()),
        code => Err(format!(
            "qemu-img check {} ends with {code:?}: {}",
            image.display(),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// SHA-256 of what an image of any kind shows, over the blocks that are not all zeros.
///
/// # Errors
/// When it can't be read.
pub fn content(image: &Path) -> Finding<String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let raw = folder.path().join("raw");
    let output = Command::new("qemu-img")
        .args(["convert", "-U", "-O", "raw"])
        .args([image, &raw])
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(format!(
            "{} can't be read: {}",
            image.display(),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let mut file = File::open(&raw).map_err(|e| e.to_string())?;
    let (mut hash, mut block, mut at) = (Sha256::new(), vec![0; BLOCK], 0_u64);
    loop {
        let mut filled = 0;
        while filled < BLOCK {
            match file.read(&mut block[filled..]).map_err(|e| e.to_string())? {
                0 => break,
                more => filled += more,
            }
        }
        if filled == 0 {
            return Ok(format!("{:x}", hash.finalize()));
        }
        if block[..filled].iter().any(|byte| *byte != 0) {
            hash.update(at.to_le_bytes());
            hash.update(&block[..filled]);
        }
        at += 1;
    }
}
