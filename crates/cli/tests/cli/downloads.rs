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
