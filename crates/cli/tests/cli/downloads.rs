//! Downloads that go wrong on the way from the catalogue to a machine; each refusal is exit 6 and leaves nothing.

use crate::common::{Server, empty_qcow2};
use nestbox_guests::mirror::Fault;
use serde_json::Value;

#[test]
fn what_cannot_be_trusted_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let image = empty_qcow2(folder.path(), "image.qcow2");
    let server = Server::with_ubuntu("x86_64", &image);
    let home = server.home();
    let create = [
        "--json",
        "create",
        "web",
        "--template",
        "ubuntu-24.04",
        "--arch",
        "x86_64",
    ];
    for (fault, code) in [
        (Fault::TamperedImage, "checksum-mismatch"),
        (Fault::BadSignature, "signature-bad"),
        (Fault::WrongKey, "signature-bad"),
        (Fault::MissingSignature, "signature-missing"),
    ] {
        server.mirror.set_fault(fault.clone());
        let error = home.nestbox(create).fails_with(6).error();
        assert_eq!(error.code, code, "{fault:?}: {}", error.message);
        assert_eq!(home.json(["list"])["machines"], Value::Array(vec![]), "{fault:?}");
    }
    server.mirror.set_fault(Fault::Drop {
        after: 10_000,
        times: 2,
    });
    let machine = home.nestbox(create).ok().json();
    assert_eq!(machine["state"], "stopped");
    // The image is in the cache now; the second machine is an overlay and downloads nothing.
    let before = server.mirror.image_requests().len();
    home.nestbox([
        "create",
        "second",
        "--template",
        "ubuntu-24.04",
        "--arch",
        "x86_64",
    ])
    .ok();
    assert_eq!(server.mirror.image_requests().len(), before);
    assert_eq!(
        home.json(["template", "show", "ubuntu-24.04"])["arches"]["x86_64"]["cached"],
        true
    );
}

#[test]
fn the_cache_keeps_what_a_machine_needs_and_gives_up_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let image = empty_qcow2(folder.path(), "image.qcow2");
    let server = Server::with_ubuntu("x86_64", &image);
    let home = server.home();
    home.nestbox(["create", "web", "--template", "ubuntu-24.04", "--arch", "x86_64"])
        .ok();
    let partial = home.path().join("cache/partial/feed.part");
    std::fs::write(&partial, vec![1; 64 << 10]).unwrap();
    let cached = || home.json(["cache", "list"])["images"].clone();
    assert_eq!(cached()[0]["needed_by"], serde_json::json!(["web"]));
    assert_eq!(
        cached()[0]["templates"],
        serde_json::json!(["ubuntu-24.04 (x86_64)"])
    );
    let dry = home.json(["cache", "prune", "--dry-run"]);
    assert_eq!(dry["removed"], serde_json::json!([]));
    assert!(partial.exists() && dry["freed"].as_u64().unwrap() >= 64 << 10);

    // In the trash it may still come back.
    home.nestbox(["delete", "web", "--yes"]).ok();
    home.nestbox(["cache", "prune"]).ok();
    assert!(!partial.exists());
    assert_eq!(cached()[0]["needed_by"], serde_json::json!(["web"]));

    // What can't be read may stand on anything.
    let stray = home.path().join("machines/0123/disks");
    std::fs::create_dir_all(&stray).unwrap();
    std::fs::write(stray.join("torn.qcow2"), b"QFI\xfb").unwrap();
    let error = home.nestbox(["--json", "cache", "prune"]).fails_with(1).error();
    assert_eq!(error.code, "cache-uncertain");
    std::fs::remove_dir_all(home.path().join("machines/0123")).unwrap();

    home.nestbox(["trash", "empty", "--yes"]).ok();
    let items = home.json(["space"])["items"].clone();
    let actions: Vec<_> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["action"])
        .collect();
    assert_eq!(actions, ["prune-cache"]);
    assert_eq!(
        home.json(["cache", "prune"])["removed"].as_array().unwrap().len(),
        1
    );
    assert_eq!(cached(), serde_json::json!([]));
    assert_eq!(
        home.json(["template", "show", "ubuntu-24.04"])["arches"]["x86_64"]["cached"],
        false
    );
}
