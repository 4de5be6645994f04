use crate::{Place, qemu_img};
use nestbox_disk::{Backing, create, qcow2::Header, usage};
use nestbox_model::{ImageFormat, units::TIB};
use std::{fs, fs::File, time::Instant};

#[tokio::test]
async fn qemu_finds_new_images_sound_in_every_size() {
    let place = Place::new();
    for capacity in [1, 512, 513, 65_536, 20 << 30, (512 << 20) + 1, 5 * TIB, 64 * TIB] {
        let path = place.path("new.qcow2");
        let _ = fs::remove_file(&path);
        create(&path, capacity, None).await.unwrap();
        let text = path.to_str().unwrap();
        assert!(
            qemu_img(&["check", "-f", "qcow2", text]).contains("No errors"),
            "{capacity}"
        );
        let info: serde_json::Value =
            serde_json::from_str(&qemu_img(&["info", "-f", "qcow2", "--output=json", text])).unwrap();
        assert_eq!(info["virtual-size"], capacity.next_multiple_of(512));
        assert!(nestbox_disk::inspect(&path).is_ok());
        assert!(usage(&path) < 64 << 10, "{}", usage(&path));
    }
}

#[tokio::test]
async fn an_overlay_shows_what_is_below_and_takes_writes() {
    let place = Place::new();
    place.qcow2("base.qcow2", "5M", "compat=1.1");
    let top = place.path("top.qcow2");
    let backing = Backing {
        path: &place.path("base.qcow2"),
        format: ImageFormat::Qcow2,
        stored_as: "base.qcow2".into(),
    };
    create(&top, 5 << 20, Some(backing)).await.unwrap();
    let header = Header::read(&File::open(&top).unwrap()).unwrap();
    assert_eq!(header.backing_file.as_deref(), Some("base.qcow2"));
    assert_eq!(header.backing_format.as_deref(), Some("qcow2"));
    let text = top.to_str().unwrap();
    qemu_img(&["check", "-f", "qcow2", text]);
    qemu_img(&[
        "compare",
        "-f",
        "qcow2",
        "-F",
        "qcow2",
        text,
        &place.text("base.qcow2"),
    ]);
    let wrote = std::process::Command::new("qemu-io")
        .args(["-f", "qcow2", "-c", "write -P 7 1M 64k", text])
        .output()
        .unwrap();
    assert!(wrote.status.success());
    qemu_img(&["check", "-f", "qcow2", text]);
    // On a raw base, named by an absolute path with everything odd in it.
    let raw = place.file("a,b 'c\" ä.raw", crate::disk_with_data());
    let over_raw = place.path("over.qcow2");
    let backing = Backing {
        path: &raw,
        format: ImageFormat::Raw,
        stored_as: raw.to_str().unwrap().into(),
    };
    create(&over_raw, 1 << 20, Some(backing)).await.unwrap();
    qemu_img(&[
        "compare",
        "-f",
        "qcow2",
        "-F",
        "raw",
        over_raw.to_str().unwrap(),
        raw.to_str().unwrap(),
    ]);
}

#[tokio::test]
async fn mistakes_leave_nothing_and_overwrite_nothing() {
    let place = Place::new();
    let path = place.file("there.qcow2", "mine");
    let error = create(&path, 1 << 20, None).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.exit_code()), ("file-exists", 4));
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    for capacity in [0, 64 * TIB + 1, u64::MAX] {
        assert_eq!(
            create(&place.path("a"), capacity, None).await.unwrap_err().code,
            "bad-capacity"
        );
    }
    let missing = place.path("missing");
    let backing = |stored_as: &str, path| Backing {
        path,
        format: ImageFormat::Qcow2,
        stored_as: stored_as.into(),
    };
    let error = create(&place.path("a"), 512, Some(backing("missing", &missing)))
        .await
        .unwrap_err();
    assert_eq!(error.code, "base-missing");
    for name in ["nbd:localhost", "json:{}", "", "a\0b", &"x".repeat(1024)] {
        let error = create(&place.path("a"), 512, Some(backing(name, &path)))
            .await
            .unwrap_err();
        assert_eq!(error.code, "bad-backing-name", "{name:?}");
    }
    let error = create(&place.path("no/such/folder.qcow2"), 512, None)
        .await
        .unwrap_err();
    assert_eq!(error.code, "file-not-found");
    assert_eq!(place.names(), ["there.qcow2"]);
}

#[tokio::test]
async fn making_an_overlay_is_quick() {
    let place = Place::new();
    let base = place.qcow2("base.qcow2", "5M", "compat=1.1");
    let start = Instant::now();
    for index in 0..20 {
        let backing = Backing {
            path: &base,
            format: ImageFormat::Qcow2,
            stored_as: "base.qcow2".into(),
        };
        create(&place.path(&format!("{index}.qcow2")), 20 << 30, Some(backing))
            .await
            .unwrap();
    }
    let each = start.elapsed() / 20;
    println!("an overlay takes {each:?}");
    assert!(each.as_millis() < 250, "{each:?}");
}
