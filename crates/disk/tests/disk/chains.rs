use crate::{Place, code, qemu_img};
use nestbox_disk::{Backing, chain, create};
use nestbox_model::ImageFormat;
use std::{fs, os::unix::fs::symlink, path::Path};

async fn overlay(path: &Path, base: &Path, stored_as: &str) {
    let backing = Backing {
        path: base,
        format: ImageFormat::Qcow2,
        stored_as: stored_as.into(),
    };
    create(path, 5 << 20, Some(backing)).await.unwrap();
}

#[tokio::test]
async fn a_chain_is_followed_to_its_end() {
    let place = Place::new();
    fs::create_dir_all(place.path("machine/disks")).unwrap();
    fs::create_dir_all(place.path("cache")).unwrap();
    let base = place.qcow2("cache/base.qcow2", "5M", "compat=1.1");
    let middle = place.path("machine/disks/middle.qcow2");
    let top = place.path("machine/disks/top.qcow2");
    overlay(&middle, &base, "../../cache/base.qcow2").await;
    overlay(&top, &middle, "middle.qcow2").await;
    let (disks, cache) = (place.path("machine/disks"), place.path("cache"));
    let links = chain(&top, &[&disks, &cache]).unwrap();
    let names: Vec<_> = links
        .iter()
        .map(|link| link.path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["top.qcow2", "middle.qcow2", "base.qcow2"]);
    assert!(
        links
            .iter()
            .all(|link| link.format == ImageFormat::Qcow2 && link.path.is_absolute())
    );
    // One file may be allowed alone; a folder that is not allowed is refused.
    assert_eq!(chain(&top, &[&disks, &base]).unwrap().len(), 3);
    assert_eq!(code(chain(&top, &[&disks])), "base-outside");
    // A whole move keeps relative names valid.
    fs::create_dir_all(place.path("trash")).unwrap();
    fs::rename(place.path("machine"), place.path("trash-machine")).unwrap();
    fs::rename(place.path("trash-machine"), place.path("trash/x")).unwrap();
    assert_eq!(
        code(chain(&place.path("trash/x/disks/top.qcow2"), &[place.0.path()])),
        "base-missing"
    );
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let place = Place::new();
    let base = place.qcow2("base.qcow2", "5M", "compat=1.1");
    let top = place.path("top.qcow2");
    overlay(&top, &base, "base.qcow2").await;
    fs::remove_file(&base).unwrap();
    let error = chain(&top, &[place.0.path()]).unwrap_err();
    assert_eq!((error.code.as_str(), error.exit_code()), ("base-missing", 3));
    assert!(error.message.contains("base.qcow2"), "{}", error.message);
    assert!(
        error.details["needed_by"]
            .as_str()
            .unwrap()
            .ends_with("top.qcow2")
    );
}

#[tokio::test]
async fn loops_links_protocols_and_long_chains_are_refused() {
    let place = Place::new();
    let roots = [place.0.path()];
    let base = place.qcow2("base.qcow2", "5M", "compat=1.1");
    overlay(&place.path("a.qcow2"), &base, "b.qcow2").await;
    overlay(&place.path("b.qcow2"), &base, "a.qcow2").await;
    assert_eq!(code(chain(&place.path("a.qcow2"), &roots)), "chain-loop");

    // A link that leads out.
    let outside = Place::new();
    let secret = outside.qcow2("secret.qcow2", "5M", "compat=1.1");
    symlink(&secret, place.path("innocent.qcow2")).unwrap();
    overlay(&place.path("c.qcow2"), &base, "innocent.qcow2").await;
    assert_eq!(code(chain(&place.path("c.qcow2"), &roots)), "base-outside");

    // Names that QEMU takes for something else; our own writer refuses them, so QEMU's must make them.
    for name in ["nbd:127.0.0.1:1", "json:{\"driver\":\"file\"}", "fat:/etc"] {
        let path = place.text("evil.qcow2");
        let _ = fs::remove_file(&path);
        qemu_img(&[
            "create", "-q", "-u", "-f", "qcow2", "-b", name, "-F", "raw", &path, "5M",
        ]);
        assert_eq!(code(chain(path.as_ref(), &roots)), "base-outside", "{name}");
    }
    let path = place.text("noformat.qcow2");
    let backing = Backing {
        path: &base,
        format: ImageFormat::Qcow2,
        stored_as: "base.qcow2".into(),
    };
    create(path.as_ref(), 5 << 20, Some(backing)).await.unwrap();
    // Spoil the extension's number: the format is not said any more.
    crate::patch(path.as_ref(), 112, &[1, 2, 3, 4]);
    assert_eq!(code(chain(path.as_ref(), &roots)), "base-format-unknown");

    overlay(&place.path("0"), &base, "base.qcow2").await;
    for index in 1..300 {
        let path = place.path(&index.to_string());
        fs::copy(place.path("0"), &path).unwrap();
        // The name stands at the end of the header; write a new one over it.
        let at = crate::be64_at(&path, 8) as usize;
        let name = (index - 1).to_string();
        crate::patch(&path, at, name.as_bytes());
        crate::patch(&path, 16, &(name.len() as u32).to_be_bytes());
    }
    let long = place.path("299");
    assert_eq!(code(chain(&long, &roots)), "chain-too-long");
    assert_eq!(chain(&place.path("200"), &roots).unwrap().len(), 202);
}

#[tokio::test]
async fn what_two_images_show_is_the_same_or_not_or_not_known() {
    let place = Place::new();
    let image = |name: &str, byte: u8| {
        let path = place.text(name);
        qemu_img(&["create", "-q", "-f", "qcow2", &path, "4M"]);
        let write = format!("write -P {byte} 1M 64k");
        let wrote = std::process::Command::new("qemu-io")
            .args(["-f", "qcow2", "-c", &write, &path])
            .output()
            .unwrap();
        assert!(wrote.status.success());
        place.path(name)
    };
    let (one, same, other) = (image("one", 7), image("same", 7), image("other", 8));
    assert!(nestbox_disk::same_content(&one, &same).await.unwrap());
    assert!(!nestbox_disk::same_content(&one, &other).await.unwrap());
    let torn = place.file("torn", [b"QFI\xfb".as_slice(), &[0xff; 200]].concat());
    assert_eq!(
        nestbox_disk::same_content(&one, &torn).await.unwrap_err().code,
        "tool-failed"
    );
}
