//! What is read is what was written.

use crate::common::{blank, copy, hashes, have, list, names, page, run, tree};
use nestbox_model::FileKind;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

/// Everything of `image` equals the folder `top`.
fn same(image: &Path, top: &Path, to: &Path) {
    let copied = copy(image, &["/"], to).unwrap();
    assert_eq!(copied.skipped, []);
    let wanted = hashes(top);
    assert_eq!(copied.files, wanted.len() as u64);
    let got = hashes(to);
    let differ: Vec<_> = wanted
        .iter()
        .filter(|(name, hash)| got.get(*name) != Some(hash))
        .collect();
    assert!(differ.is_empty(), "{differ:?}");
}

#[test]
fn ext_of_every_age() {
    if !have("ext_of_every_age", &["mke2fs"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let top = tree(folder.path(), 5000);
    // More than 4 GiB, nearly all of it holes; reached by extents or by three levels of indirect blocks.
    let sparse = File::create(top.join("sparse.bin")).unwrap();
    sparse.set_len(5 << 30).unwrap();
    sparse.write_all_at(b"end", (5 << 30) - 3).unwrap();
    let foreign = OsStr::from_bytes(b"caf\xe9");
    std::fs::write(top.join(foreign), "latin").unwrap();
    for (kind, block) in [
        ("ext4", "4096"),
        ("ext4", "1024"),
        ("ext3", "4096"),
        ("ext2", "4096"),
    ] {
        let image = blank(folder.path(), "image", 256 << 20);
        run(
            folder.path(),
            "mke2fs",
            &[
                "-q", "-F", "-t", kind, "-b", block, "-L", "My root", "-d", "tree", "image",
            ],
        );
        let root = list(&image, None).unwrap();
        let volume = &root.volumes[0];
        assert_eq!(
            (volume.filesystem.as_deref(), volume.label.as_deref()),
            (Some(kind), Some("My root"))
        );
        assert!(volume.browsable && volume.used.unwrap() < volume.size);
        assert!(names(&root).contains(&"caf%E9") && names(&root).contains(&"100%2541.txt"));
        assert_eq!(list(&image, Some("/many")).unwrap().entries.len(), 5000);
        let sparse = root
            .entries
            .iter()
            .find(|entry| entry.name == "sparse.bin")
            .unwrap();
        assert_eq!(sparse.size, 5 << 30);
        let to = folder.path().join("out");
        let paths = [
            "/level 0",
            "/many",
            "/caf%E9",
            "/large.bin",
            "/holes.bin",
            "/100%2541.txt",
            "/empty",
            "/sparse.bin",
        ];
        std::fs::create_dir(&to).unwrap();
        let copied = copy(&image, &paths, &to).unwrap();
        assert_eq!(copied.skipped, []);
        let out = File::open(to.join("sparse.bin")).unwrap();
        let facts = out.metadata().unwrap();
        assert!(
            facts.len() == 5 << 30 && facts.blocks() * 512 < 1 << 20,
            "{kind}: {facts:?}"
        );
        let mut end = [0; 3];
        out.read_exact_at(&mut end, (5 << 30) - 3).unwrap();
        assert_eq!(&end, b"end");
        std::fs::remove_file(to.join("sparse.bin")).unwrap();
        let mut wanted = hashes_without(&top, "sparse.bin");
        let got = hashes(&to);
        // Bytes that are no text keep their shown form on this computer.
        let latin = wanted.remove("caf\\xe9").unwrap();
        assert_eq!(got.get("caf%E9"), Some(&latin));
        for name in ["hello.txt", "Größe – 大きさ.txt"] {
            wanted.remove(&name.as_bytes().escape_ascii().to_string());
        }
        wanted.retain(|name, _| !name.starts_with("nnn"));
        assert!(
            wanted.iter().all(|(name, hash)| got.get(name) == Some(hash)),
            "{kind}"
        );
        std::fs::remove_dir_all(&to).unwrap();
    }
}

fn hashes_without(top: &Path, name: &str) -> std::collections::BTreeMap<String, String> {
    let path = top.join(name);
    let aside = top.with_extension("aside");
    std::fs::rename(&path, &aside).unwrap();
    let all = hashes(top);
    std::fs::rename(&aside, &path).unwrap();
    all
}

#[test]
fn ext_links_unclean_and_unknown_features() {
    if !have("ext_links_unclean_and_unknown_features", &["mke2fs", "debugfs"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let top = tree(folder.path(), 3);
    std::os::unix::fs::symlink("level 0/level 1", top.join("short")).unwrap();
    std::os::unix::fs::symlink("/short/level 2", top.join("absolute")).unwrap();
    std::os::unix::fs::symlink("../../../../etc/passwd", top.join("outside")).unwrap();
    std::os::unix::fs::symlink("round", top.join("round")).unwrap();
    let image = blank(folder.path(), "image", 32 << 20);
    run(
        folder.path(),
        "mke2fs",
        &["-q", "-F", "-t", "ext4", "-d", "tree", "image"],
    );
    let root = list(&image, Some("/")).unwrap();
    assert_eq!(root.notes, [] as [&str; 0]);
    let link = root.entries.iter().find(|entry| entry.name == "short").unwrap();
    assert_eq!(
        (link.kind, link.target.as_deref()),
        (FileKind::Link, Some("level 0/level 1"))
    );
    // A link that is named is followed, inside of the volume.
    let below = list(&image, Some("/absolute/level 3")).unwrap();
    assert_eq!(below.path, "/level 0/level 1/level 2/level 3");
    assert_eq!(list(&image, Some("/outside")).unwrap_err().code, "path-not-found");
    assert_eq!(list(&image, Some("/round")).unwrap_err().code, "path-not-found");
    assert_eq!(list(&image, Some("/hello.txt")).unwrap_err().code, "not-a-folder");
    assert_eq!(
        list(&image, Some("/../../tree")).unwrap_err().code,
        "path-not-found"
    );
    let out = folder.path().join("out");
    let copied = copy(&image, &["/"], &out).unwrap();
    let skipped: Vec<&str> = copied
        .skipped
        .iter()
        .map(|skipped| skipped.path.as_str())
        .collect();
    for name in ["/short", "/absolute", "/outside", "/round"] {
        assert!(skipped.contains(&name), "{skipped:?}");
        assert!(!out.join(&name[1..]).exists());
    }
    let named = folder.path().join("named");
    copy(&image, &["/short"], &named).unwrap();
    assert!(named.join("level 2").is_dir());

    run(
        folder.path(),
        "debugfs",
        &["-w", "-R", "feature needs_recovery", "image"],
    );
    let notes = list(&image, Some("/")).unwrap().notes;
    assert!(
        notes.iter().any(|note| note.contains("not shut down cleanly")),
        "{notes:?}"
    );

    let image = blank(folder.path(), "unknown", 32 << 20);
    run(folder.path(), "mke2fs", &["-q", "-F", "-t", "ext4", "unknown"]);
    // Compression, which was never finished.
    let file = File::options().write(true).open(&image).unwrap();
    file.write_all_at(&[0xc3], 1024 + 0x60).unwrap();
    let error = list(&image, Some("/")).unwrap_err();
    assert_eq!(error.code, "volume-not-browsable");
    assert!(error.message.contains("feature"));
}

#[test]
fn ext4_with_inline_data_and_descriptors_in_their_groups() {
    if !have(
        "ext4_with_inline_data_and_descriptors_in_their_groups",
        &["mke2fs"],
    ) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let top = tree(folder.path(), 300);
    // mke2fs 1.47 writes a wrong size for it where inline data is possible.
    std::fs::remove_file(top.join("holes.bin")).unwrap();
    for length in [1, 59, 60, 61, 100, 155, 200] {
        std::fs::write(top.join(format!("inline {length}")), vec![b'x'; length]).unwrap();
    }
    std::fs::create_dir_all(top.join("small folder/smaller")).unwrap();
    std::fs::write(top.join("small folder/file"), "in").unwrap();
    let image = blank(folder.path(), "image", 600 << 20);
    let features = "inline_data,meta_bg,^resize_inode";
    let options = [
        "-q", "-F", "-t", "ext4", "-b", "1024", "-I", "256", "-O", features, "-d", "tree", "image",
    ];
    run(folder.path(), "mke2fs", &options);
    let out = folder.path().join("out");
    same(&image, &top, &out);
}

/// A guest that was switched off: what is in the journal and not yet in its place counts.
#[test]
fn an_ext_journal_is_replayed() {
    if !have("an_ext_journal_is_replayed", &["mke2fs", "debugfs"]) {
        return;
    }
    for features in ["^64bit,^metadata_csum", "64bit,metadata_csum"] {
        let folder = tempfile::tempdir().unwrap();
        let top = tree(folder.path(), 3);
        std::fs::write(top.join("journalled"), vec![b'a'; 8192]).unwrap();
        let image = blank(folder.path(), "image", 32 << 20);
        run(
            folder.path(),
            "mke2fs",
            &[
                "-q", "-F", "-t", "ext4", "-b", "4096", "-O", features, "-d", "tree", "image",
            ],
        );
        let blocks = Command::new("debugfs")
            .args(["-R", "blocks /journalled"])
            .arg(&image)
            .output()
            .unwrap();
        let blocks = String::from_utf8(blocks.stdout).unwrap();
        let second = blocks.split_whitespace().nth(1).unwrap();
        let first = blocks.split_whitespace().next().unwrap();
        // The second begins like the journal's own blocks; the first is revoked after it was logged.
        let mut new = vec![b'b'; 4096];
        new[..4].copy_from_slice(&0xc03b_3998u32.to_be_bytes());
        std::fs::write(folder.path().join("new"), new).unwrap();
        let script = format!("jo\njw -b {second} new\njw -b {first} new\njw -r {first}\njc\n");
        std::fs::write(folder.path().join("script"), script).unwrap();
        run(folder.path(), "debugfs", &["-w", "-f", "script", "image"]);
        let notes = list(&image, Some("/")).unwrap().notes;
        assert!(
            notes
                .iter()
                .any(|note| note.contains("journal holds is taken into account")),
            "{notes:?}"
        );
        let out = folder.path().join("out");
        copy(&image, &["/journalled"], &out).unwrap();
        let got = std::fs::read(&out).unwrap();
        let mut wanted = vec![b'a'; 8192];
        wanted[4096..].fill(b'b');
        wanted[4096..4100].copy_from_slice(&0xc03b_3998u32.to_be_bytes());
        assert!(
            got == wanted,
            "{features}: {:?} {:?}",
            &got[..8],
            &got[4096..4104]
        );
    }
}

#[test]
fn fat_of_every_width() {
    if !have("fat_of_every_width", &["mkfs.vfat", "mcopy"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let top = tree(folder.path(), 600);
    for (bits, size) in [("12", 8 << 20), ("16", 64 << 20), ("32", 300 << 20)] {
        let image = blank(folder.path(), "image", size);
        run(folder.path(), "mkfs.vfat", &["-F", bits, "-n", "MY FAT", "image"]);
        let entries = std::fs::read_dir(&top).unwrap();
        let entries: Vec<String> = entries.map(|e| e.unwrap().path().display().to_string()).collect();
        let mut args = vec!["-s", "-Q", "-i", "image"];
        args.extend(entries.iter().map(String::as_str));
        args.push("::/");
        run(folder.path(), "mcopy", &args);
        let root = list(&image, None).unwrap();
        assert_eq!(root.volumes[0].label.as_deref(), Some("MY FAT"));
        assert_eq!(root.volumes[0].filesystem.as_deref(), Some("fat"));
        // Case does not matter.
        assert_eq!(list(&image, Some("/MANY")).unwrap().entries.len(), 600);
        let out = folder.path().join("out");
        same(&image, &top, &out);
        std::fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn iso_with_each_kind_of_names() {
    if !have("iso_with_each_kind_of_names", &["xorriso"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let top = tree(folder.path(), 300);
    std::os::unix::fs::symlink("level 0/../hello.txt", top.join("link")).unwrap();
    run(
        folder.path(),
        "xorriso",
        &[
            "-as", "mkisofs", "-quiet", "-R", "-J", "-V", "MY_ISO", "-o", "rock", "tree",
        ],
    );
    let image = folder.path().join("rock");
    let root = list(&image, None).unwrap();
    assert_eq!(
        (
            root.volumes[0].filesystem.as_deref(),
            root.volumes[0].label.as_deref()
        ),
        (Some("iso9660"), Some("MY_ISO"))
    );
    let link = root.entries.iter().find(|entry| entry.name == "link").unwrap();
    assert_eq!(link.target.as_deref(), Some("level 0/../hello.txt"));
    std::fs::remove_file(top.join("link")).unwrap();
    let out = folder.path().join("out");
    copy(&image, &["/"], &out).unwrap();
    assert!(hashes(&out) == hashes(&top));

    // Joliet's names are shorter.
    std::fs::remove_file(top.join(format!("{}.txt", "n".repeat(200)))).unwrap();
    run(
        folder.path(),
        "xorriso",
        &[
            "-as",
            "mkisofs",
            "-quiet",
            "--norock",
            "-J",
            "-joliet-long",
            "-o",
            "joliet",
            "tree",
        ],
    );
    let out = folder.path().join("joliet.out");
    same(&folder.path().join("joliet"), &top, &out);

    run(
        folder.path(),
        "xorriso",
        &["-as", "mkisofs", "-quiet", "--norock", "-o", "plain", "tree"],
    );
    let plain = list(&folder.path().join("plain"), Some("/")).unwrap();
    assert!(names(&plain).contains(&"HELLO.TXT"), "{:?}", names(&plain));
    let out = folder.path().join("plain.out");
    copy(&folder.path().join("plain"), &["/hello.txt"], &out).unwrap();
    assert_eq!(std::fs::read(out).unwrap(), b"hello\n");
}

#[test]
fn exfat_with_a_file_in_one_run_and_one_in_a_chain() {
    if !have("exfat_with_a_file_in_one_run_and_one_in_a_chain", &["mkfs.exfat"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = blank(folder.path(), "image", 16 << 20);
    run(
        folder.path(),
        "mkfs.exfat",
        &["-L", "MY EXFAT", "-c", "4096", "image"],
    );
    let mut bytes = std::fs::read(&image).unwrap();
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let sector = 1 << bytes[108];
    let (table, heap, root) = (
        word(&bytes, 80) * sector,
        word(&bytes, 88) * sector,
        word(&bytes, 96),
    );
    let cluster = |number: usize| heap + (number - 2) * 4096;
    // Clusters far from those in use: 100, 101 one behind the other; 203 and then 200 in a chain.
    for (number, letter) in [(100, b'a'), (101, b'b'), (203, b'c'), (200, b'd')] {
        bytes[cluster(number)..][..4096].fill(letter);
    }
    bytes[table + 203 * 4..][..4].copy_from_slice(&200u32.to_le_bytes());
    bytes[table + 200 * 4..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let at = (0..4096)
        .step_by(32)
        .find(|at| bytes[cluster(root) + at] == 0)
        .unwrap()
        + cluster(root);
    let mut entries = exfat_entries("run – 大.bin", 100, 6000, 5000, 2);
    entries.extend(exfat_entries("chain.bin", 203, 8192, 8192, 0));
    bytes[at..][..entries.len()].copy_from_slice(&entries);
    std::fs::write(&image, &bytes).unwrap();

    let root = list(&image, None).unwrap();
    assert_eq!(
        (
            root.volumes[0].filesystem.as_deref(),
            root.volumes[0].label.as_deref()
        ),
        (Some("exfat"), Some("MY EXFAT"))
    );
    assert_eq!(names(&root), ["chain.bin", "run – 大.bin"]);
    assert_eq!(root.entries[0].modified.unwrap().year(), 2020);
    let out = folder.path().join("out");
    copy(&image, &["/"], &out).unwrap();
    let run = std::fs::read(out.join("run – 大.bin")).unwrap();
    // What was never written reads as zeros.
    let wanted = [vec![b'a'; 4096], vec![b'b'; 904], vec![0; 1000]].concat();
    assert!(run == wanted);
    assert!(std::fs::read(out.join("chain.bin")).unwrap() == [vec![b'c'; 4096], vec![b'd'; 4096]].concat());
}

/// The set of entries of one file; modified on 2 January 2020.
fn exfat_entries(name: &str, first: u32, size: u64, written: u64, flags: u8) -> Vec<u8> {
    let units: Vec<u16> = name.encode_utf16().collect();
    let mut main = [0; 32];
    main[0] = 0x85;
    main[1] = 1 + units.len().div_ceil(15) as u8;
    main[14..16].copy_from_slice(&(40u16 << 9 | 1 << 5 | 2).to_le_bytes());
    let mut stream = [0; 32];
    stream[0] = 0xc0;
    stream[1] = 1 | flags;
    stream[3] = units.len() as u8;
    stream[8..16].copy_from_slice(&written.to_le_bytes());
    stream[20..24].copy_from_slice(&first.to_le_bytes());
    stream[24..32].copy_from_slice(&size.to_le_bytes());
    let mut all = [main, stream].concat();
    for part in units.chunks(15) {
        let mut entry = [0; 32];
        entry[0] = 0xc1;
        for (unit, place) in part.iter().zip(entry[2..].chunks_exact_mut(2)) {
            place.copy_from_slice(&unit.to_le_bytes());
        }
        all.extend(entry);
    }
    all
}

#[test]
fn large_folders_come_in_pages() {
    if !have("large_folders_come_in_pages", &["mke2fs"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let top = tree(folder.path(), 250);
    let image = blank(folder.path(), "image", 32 << 20);
    run(
        folder.path(),
        "mke2fs",
        &["-q", "-F", "-t", "ext4", "-d", "tree", "image"],
    );
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    for number in 1.. {
        let page = page(&image, Some("/many"), 100, after.as_deref()).unwrap();
        seen.extend(names(&page).into_iter().map(str::to_owned));
        after = seen.last().cloned();
        assert_eq!(page.more, number < 3);
        if !page.more {
            break;
        }
    }
    let mut wanted: Vec<String> = std::fs::read_dir(top.join("many"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    wanted.sort();
    assert_eq!(seen, wanted);
}
