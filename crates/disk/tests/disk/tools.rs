use crate::{Place, be64_at, patch};
use nestbox_disk::{check, create, inspect, resize};
use std::{
    io::{Read, Write},
    process::Stdio,
};

#[tokio::test]
async fn checking_tells_damage_from_waste() {
    let place = Place::new();
    let path = place.qcow2("a.qcow2", "5M", "compat=1.1");
    let report = check(&path).await.unwrap();
    assert!(
        report.ok && report.corruptions == 0 && report.leaks == 0,
        "{report:?}"
    );
    let block = be64_at(&path, be64_at(&path, 48) as usize) as usize;
    // One cluster more, marked as used though nobody points to it.
    let mut content = std::fs::read(&path).unwrap();
    let clusters = content.len() / 65_536;
    content.resize((clusters + 1) * 65_536, 0);
    std::fs::write(&path, content).unwrap();
    patch(&path, block + clusters * 2, &[0, 1]);
    let report = check(&path).await.unwrap();
    assert!(
        !report.ok && report.corruptions == 0 && report.leaks > 0,
        "{report:?}"
    );
    patch(&path, block, &[0, 0]);
    let report = check(&path).await.unwrap();
    assert!(!report.ok && report.corruptions > 0, "{report:?}");
}

#[tokio::test]
async fn disks_grow_and_never_shrink() {
    let place = Place::new();
    let path = place.path("-o nbd:x,y.qcow2");
    create(&path, 1 << 30, None).await.unwrap();
    resize(&path, 20 << 30).await.unwrap();
    assert_eq!(inspect(&path).unwrap().capacity(), 20 << 30);
    resize(&path, 20 << 30).await.unwrap();
    let error = resize(&path, 1 << 30).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.exit_code()), ("disk-shrink", 2));
    assert!(error.message.contains("20 GiB") && error.message.contains("1 GiB"));
    assert_eq!(resize(&path, u64::MAX).await.unwrap_err().code, "bad-capacity");
    assert_eq!(
        resize(&place.path("missing"), 1).await.unwrap_err().code,
        "file-not-found"
    );
}

#[tokio::test]
async fn a_file_in_use_is_said_to_be() {
    let place = Place::new();
    let path = place.path("a.qcow2");
    create(&path, 1 << 30, None).await.unwrap();
    // Holds QEMU's lock until its input ends; the first byte it says means that the image is open.
    let mut holder = std::process::Command::new("qemu-io")
        .args(["-f", "qcow2"])
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    holder.stdin.as_mut().unwrap().write_all(b"read 0 512\n").unwrap();
    holder.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let outcome = resize(&path, 2 << 30).await;
    drop(holder.stdin.take());
    holder.wait().unwrap();
    let error = outcome.unwrap_err();
    assert_eq!((error.code.as_str(), error.exit_code()), ("image-in-use", 4));
    resize(&path, 2 << 30).await.unwrap();
}
