//! Where the distributions publish, written down here again so that a wrong template is found.

use super::Fault;
use std::path::PathBuf;

/// Digest of a checksum file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sums {
    Sha256,
    Sha512,
}

/// Where a checksum file's signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signing {
    None,
    Detached,
    Clearsigned,
}

/// One place of a layout.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) folder: String,
    pub(super) file: String,
    pub(super) sums_file: String,
    pub(super) sums: Sums,
    pub(super) signing: Signing,
    pub(super) signature_file: &'static str,
    pub(super) pinned: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) place: Place,
    pub(super) source: PathBuf,
    pub(super) sha256: String,
    pub(super) sha512: String,
}

/// Where the distributions publish, written down here again so that a wrong template is found.
pub(super) fn places(template: &str, arch: &str) -> Option<Vec<Place>> {
    let debian = match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let place = |folder: String, file: String, pinned| Place {
        folder,
        file,
        sums_file: "SHA256SUMS".into(),
        sums: Sums::Sha256,
        signing: Signing::Detached,
        signature_file: "SHA256SUMS.gpg",
        pinned,
    };
    let ubuntu_cloud = |name: &str, version: &str, date: &str| {
        let file = format!("ubuntu-{version}-server-cloudimg-{debian}.img");
        vec![
            place(format!("releases/{name}/release"), file.clone(), false),
            place(format!("releases/{name}/release-{date}"), file, true),
        ]
    };
    let ubuntu_iso = |version: &str, point: &str, edition: &str| {
        let file = format!("ubuntu-{point}-{edition}-{debian}.iso");
        match arch {
            "x86_64" => vec![
                place(version.into(), file.clone(), false),
                place(point.into(), file, true),
            ],
            _ => vec![
                place(format!("releases/{version}/release"), file.clone(), false),
                place(format!("releases/{point}/release"), file, true),
            ],
        }
    };
    Some(match template {
        "ubuntu-24.04" => ubuntu_cloud("noble", "24.04", "20260926"),
        "ubuntu-26.04" => ubuntu_cloud("resolute", "26.04", "20260927"),
        "ubuntu-24.04-server" => ubuntu_iso("24.04", "24.04.4", "live-server"),
        "ubuntu-26.04-server" => ubuntu_iso("26.04", "26.04.1", "live-server"),
        "ubuntu-24.04-desktop" => ubuntu_iso("24.04", "24.04.4", "desktop"),
        "ubuntu-26.04-desktop" => ubuntu_iso("26.04", "26.04.1", "desktop"),
        "debian-13" => {
            let unsigned = |folder: &str, file, pinned| Place {
                sums_file: "SHA512SUMS".into(),
                sums: Sums::Sha512,
                signing: Signing::None,
                ..place(format!("images/cloud/trixie/{folder}"), file, pinned)
            };
            vec![
                unsigned("latest", format!("debian-13-generic-{debian}.qcow2"), false),
                unsigned(
                    "20260712-2537",
                    format!("debian-13-generic-{debian}-20260712-2537.qcow2"),
                    true,
                ),
            ]
        }
        "debian-13-netinst" => ["debian-cd/current", "cdimage/archive/13.6.0"]
            .into_iter()
            .map(|root| Place {
                sums_file: "SHA512SUMS".into(),
                sums: Sums::Sha512,
                signature_file: "SHA512SUMS.sign",
                ..place(
                    format!("{root}/{debian}/iso-cd"),
                    format!("debian-13.6.0-{debian}-netinst.iso"),
                    root.starts_with("cdimage"),
                )
            })
            .collect(),
        "fedora-44" => vec![Place {
            sums_file: format!("Fedora-Cloud-44-1.7-{arch}-CHECKSUM"),
            signing: Signing::Clearsigned,
            ..place(
                format!("releases/44/Cloud/{arch}/images"),
                format!("Fedora-Cloud-Base-Generic-44-1.7.{arch}.qcow2"),
                false,
            )
        }],
        "alpine-3.23" => ["3.23.4", "3.23.0"]
            .into_iter()
            .map(|point| {
                let file = format!("nocloud_alpine-{point}-{arch}-uefi-cloudinit-r0.qcow2");
                Place {
                    sums_file: format!("{file}.sha512"),
                    sums: Sums::Sha512,
                    signing: Signing::None,
                    ..place("alpine/v3.23/releases/cloud".into(), file, point == "3.23.0")
                }
            })
            .collect(),
        _ => return None,
    })
}

pub(super) fn sums_text(place: &Place, here: &[&Image], fault: &Fault) -> String {
    let mut text = String::new();
    for image in here
        .iter()
        .filter(|image| image.place.sums_file == place.sums_file)
    {
        let digest = match place.sums {
            Sums::Sha256 => &image.sha256,
            Sums::Sha512 => &image.sha512,
        };
        let file = &image.place.file;
        if *fault == Fault::MissingChecksum {
            text.push_str(&format!("{digest} *other-{file}\n"));
        } else if place.signing == Signing::Clearsigned {
            text.push_str(&format!("# {file}: 1 bytes\nSHA256 ({file}) = {digest}\n"));
        } else if place.sums_file.ends_with(".sha512") {
            text.push_str(&format!("{digest}\n"));
        } else if place.sums == Sums::Sha512 {
            text.push_str(&format!("{digest}  {file}\n"));
        } else {
            text.push_str(&format!("{digest} *{file}\n"));
        }
    }
    text
}
