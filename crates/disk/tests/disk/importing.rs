use crate::{NO_PROGRESS, Place, copying::SmallDisk, disk_with_data, patch, qemu_img};
use nestbox_disk::{Imported, chain, import_disk, inspect};
use nestbox_model::{FileAction, Result};
use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, PermissionsExt, symlink},
    path::Path,
};
use tokio_util::sync::CancellationToken;

async fn import(from: &Path, action: FileAction, to: &Path) -> Result<Imported> {
    import_disk(
        &inspect(from)?,
        action,
        to,
        NO_PROGRESS,
        &CancellationToken::new(),
    )
    .await
}

fn same(a: &Path, a_format: &str, b: &Path) {
    qemu_img(&[
        "compare",
        "-f",
        a_format,
        "-F",
        "qcow2",
        a.to_str().unwrap(),
        b.to_str().unwrap(),
    ]);
    qemu_img(&["check", "-f", "qcow2", b.to_str().unwrap()]);
}

#[tokio::test]
async fn a_qcow2_is_copied_and_the_original_stays() {
    let place = Place::new();
    let from = place.qcow2("from.qcow2", "5M", "compat=0.10");
    let before = fs::read(&from).unwrap();
    fs::create_dir(place.path("disks")).unwrap();
    let to = place.path("disks/new.qcow2");
    let imported = import(&from, FileAction::Copy, &to).await.unwrap();
    assert_eq!(
        imported,
        Imported {
            capacity: 5 << 20,
            kept_in_place: true,
            linked: None
        }
    );
    assert_eq!(fs::read(&from).unwrap(), before);
    assert_eq!(fs::read(&to).unwrap(), before);
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn raw_disks_become_compact_qcow2() {
    let place = Place::new();
    let from = place.path("big.img");
    let file = File::create(&from).unwrap();
    file.set_len((3 << 30) + 100).unwrap();
    file.write_all_at(&disk_with_data(), 0).unwrap();
    file.write_all_at(&[5; 70_001], (2 << 30) + 12_345).unwrap();
    file.write_all_at(&[6; 100], 3 << 30).unwrap();
    // Zeros that are written, not holes.
    file.write_all_at(&vec![0; 4 << 20], 1 << 30).unwrap();
    drop(file);
    let to = place.path("new.qcow2");
    let imported = import(&from, FileAction::Copy, &to).await.unwrap();
    assert_eq!(imported.capacity, (3 << 30) + 512);
    assert!(fs::metadata(&to).unwrap().len() < 2 << 20);
    same(&from, "raw", &to);
    assert!(inspect(&to).is_ok());
    let gone = import(&from, FileAction::Move, &place.path("moved.qcow2"))
        .await
        .unwrap();
    assert!(!gone.kept_in_place);
    assert!(!from.exists());
}

#[tokio::test]
async fn moving_renames_where_it_can_and_copies_elsewhere() {
    let place = Place::new();
    let from = place.qcow2("from.qcow2", "5M", "compat=1.1");
    let content = fs::read(&from).unwrap();
    let to = place.path("to.qcow2");
    let imported = import(&from, FileAction::Move, &to).await.unwrap();
    assert!(!imported.kept_in_place && !from.exists());
    assert_eq!(fs::read(&to).unwrap(), content);
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);

    // A file with two names is copied, so that the other name's owner keeps what he has.
    fs::hard_link(&to, place.path("second-name.qcow2")).unwrap();
    let third = place.path("third.qcow2");
    assert!(!import(&to, FileAction::Move, &third).await.unwrap().kept_in_place);
    assert!(!to.exists() && place.path("second-name.qcow2").exists());
    patch(&third, 300, b"x");
    assert_eq!(fs::read(place.path("second-name.qcow2")).unwrap(), content);

    // Through a link nothing is moved.
    symlink(place.path("second-name.qcow2"), place.path("link.qcow2")).unwrap();
    let fourth = place.path("fourth.qcow2");
    assert!(
        import(&place.path("link.qcow2"), FileAction::Move, &fourth)
            .await
            .unwrap()
            .kept_in_place
    );
    assert!(place.path("second-name.qcow2").exists() && fourth.exists());

    if let Some(other) = SmallDisk::mount(64 << 20) {
        let to = other.0.path().join("new.qcow2");
        assert!(
            !import(&fourth, FileAction::Move, &to)
                .await
                .unwrap()
                .kept_in_place
        );
        assert!(!fourth.exists());
        assert_eq!(fs::read(&to).unwrap(), content);
    } else {
        eprintln!("skipped: moving between file systems, since none could be mounted here");
    }
}

#[tokio::test]
async fn linking_reads_the_file_where_it_is() {
    let place = Place::new();
    for (name, format) in [("odd, 'name\".qcow2", "qcow2"), ("disk.img", "raw")] {
        let from = if format == "qcow2" {
            place.qcow2(name, "5M", "compat=1.1")
        } else {
            place.file(name, disk_with_data())
        };
        let before = fs::read(&from).unwrap();
        let to = place.path(&format!("over-{format}.qcow2"));
        let imported = import(&from, FileAction::Link, &to).await.unwrap();
        assert!(imported.kept_in_place);
        let linked = imported.linked.unwrap();
        assert_eq!(linked, fs::canonicalize(&from).unwrap());
        same(&from, format, &to);
        let links = chain(&to, &[&to, &linked]).unwrap();
        assert_eq!((links.len(), links[1].format.as_str()), (2, format));
        let write = ["-f", "qcow2", "-c", "write -P 1 0 64k", to.to_str().unwrap()];
        assert!(
            std::process::Command::new("qemu-io")
                .args(write)
                .output()
                .unwrap()
                .status
                .success()
        );
        assert_eq!(
            fs::read(&from).unwrap(),
            before,
            "the user's file is never written"
        );
    }
}

#[tokio::test]
async fn an_image_that_was_not_closed_is_repaired_in_the_copy() {
    let place = Place::new();
    let from = place.qcow2("from.qcow2", "5M", "compat=1.1,lazy_refcounts=on");
    patch(&from, 72, &1u64.to_be_bytes());
    let before = fs::read(&from).unwrap();
    let to = place.path("to.qcow2");
    import(&from, FileAction::Copy, &to).await.unwrap();
    assert_eq!(fs::read(&from).unwrap(), before);
    assert_eq!(fs::read(&to).unwrap()[72..80], [0; 8], "clean now");
    qemu_img(&["check", "-f", "qcow2", to.to_str().unwrap()]);
    let error = import(&from, FileAction::Link, &place.path("link.qcow2"))
        .await
        .unwrap_err();
    assert_eq!(error.code, "image-damaged");
}

#[tokio::test]
async fn what_was_inspected_is_what_is_imported() {
    let place = Place::new();
    let from = place.qcow2("from.qcow2", "5M", "compat=1.1");
    let good = fs::read(&from).unwrap();
    // Another file takes the name after the inspection: the one that was judged is copied.
    let inspection = inspect(&from).unwrap();
    place.file("evil.qcow2", "evil");
    fs::rename(place.path("evil.qcow2"), &from).unwrap();
    let to = place.path("to.qcow2");
    let cancel = CancellationToken::new();
    import_disk(&inspection, FileAction::Copy, &to, NO_PROGRESS, &cancel)
        .await
        .unwrap();
    assert_eq!(fs::read(&to).unwrap(), good);
    // Moving would take the wrong one: refused, and it stays where it is.
    let outcome = import_disk(
        &inspection,
        FileAction::Move,
        &place.path("moved"),
        NO_PROGRESS,
        &cancel,
    )
    .await;
    match outcome {
        // The judged file has no name left, so it was copied, and the stranger under its name was left alone.
        Ok(imported) => assert!(imported.kept_in_place),
        Err(error) => assert_eq!(error.code, "file-changed"),
    }
    assert_eq!(fs::read(&from).unwrap(), b"evil");
    // Written after the inspection: refused.
    let again = place.qcow2("again.qcow2", "5M", "compat=1.1");
    let inspection = inspect(&again).unwrap();
    patch(&again, 72, &4u64.to_be_bytes());
    let error = import_disk(
        &inspection,
        FileAction::Copy,
        &place.path("x"),
        NO_PROGRESS,
        &cancel,
    )
    .await
    .unwrap_err();
    assert_eq!(error.code, "file-changed");
    assert!(!place.path("x").exists());
}

#[tokio::test]
async fn a_name_that_is_taken_and_an_iso_are_errors_and_nothing_is_lost() {
    let place = Place::new();
    let from = place.qcow2("from.qcow2", "5M", "compat=1.1");
    let taken = place.file("taken.qcow2", "mine");
    for action in [FileAction::Copy, FileAction::Move, FileAction::Link] {
        let error = import(&from, action, &taken).await.unwrap_err();
        assert_eq!(error.code, "file-exists", "{action:?}");
        assert!(from.exists());
        assert_eq!(fs::read(&taken).unwrap(), b"mine");
    }
    let cancel = CancellationToken::new();
    cancel.cancel();
    let outcome = import_disk(
        &inspect(&from).unwrap(),
        FileAction::Move,
        &place.path("new"),
        NO_PROGRESS,
        &cancel,
    )
    .await;
    assert_eq!(outcome.unwrap_err().code, "cancelled");
    assert!(from.exists(), "a cancelled move leaves the file where it was");
    assert_eq!(place.names(), ["content.raw", "from.qcow2", "taken.qcow2"]);
}
