use crate::{Place, be64_at, patch};
use nestbox_disk::{check, create, inspect, resize};

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
    let clusters = std::fs::metadata(&path).unwrap().len() / 65_536;
    patch(&path, block + clusters as usize * 2 - 2, &[0, 5]);
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
    // Holds QEMU's lock until its input ends.
    let mut holder = std::process::Command::new("qemu-io")
        .args(["-f", "qcow2"])
        .arg(&path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut code = String::new();
    for _ in 0..100 {
        match resize(&path, 2 << 30).await {
            // It was not open yet; the disk has grown, so ask for more the next time.
            Ok(()) => {
                let now = inspect(&path).unwrap().capacity();
                code = resize(&path, now + (1 << 30))
                    .await
                    .map_or_else(|error| error.code, |()| String::new());
            }
            Err(error) => code = error.code,
        }
        if code == "image-in-use" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_eq!(code, "image-in-use");
}
