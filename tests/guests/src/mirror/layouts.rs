//! Where the distributions publish, written down here again so that a wrong template is found.

mod more;

use super::Fault;
use std::path::PathBuf;

/// Digest of a checksum file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sums {
    Sha256,
    Sha512,
    /// No checksum file.
    None,
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
    /// The name beside the digest, where it is not the file's.
    pub(super) listed_as: Option<String>,
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
        "ppc64" => "ppc64el",
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
        listed_as: None,
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
        "ubuntu-22.04" => vec![place(
            "releases/jammy/release".into(),
            format!("ubuntu-22.04-server-cloudimg-{debian}.img"),
            false,
        )],
        "ubuntu-26.04" => ubuntu_cloud("resolute", "26.04", "20260927"),
        "ubuntu-24.04-server" => ubuntu_iso("24.04", "24.04.4", "live-server"),
        "ubuntu-26.04-server" => ubuntu_iso("26.04", "26.04.1", "live-server"),
        "ubuntu-24.04-desktop" => ubuntu_iso("24.04", "24.04.4", "desktop"),
        "ubuntu-26.04-desktop" => ubuntu_iso("26.04", "26.04.1", "desktop"),
        "debian-12" => debian_cloud(debian, "bookworm", "12", "20260909-2596"),
        "debian-13" | "container-host" | "k3s-node" => debian_cloud(debian, "trixie", "13", "20260712-2537"),
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
        other => return more::places(other, arch),
    })
}

fn debian_cloud(arch: &str, codename: &str, version: &str, dated: &str) -> Vec<Place> {
    let place = |folder: &str, file, pinned| Place {
        folder: format!("images/cloud/{codename}/{folder}"),
        file,
        sums_file: "SHA512SUMS".into(),
        sums: Sums::Sha512,
        signing: Signing::None,
        signature_file: "",
        pinned,
        listed_as: None,
    };
    vec![
        place("latest", format!("debian-{version}-generic-{arch}.qcow2"), false),
        place(
            dated,
            format!("debian-{version}-generic-{arch}-{dated}.qcow2"),
            true,
        ),
    ]
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
            Sums::None => continue,
        };
        let file = image.place.listed_as.as_ref().unwrap_or(&image.place.file);
        if *fault == Fault::MissingChecksum {
            text.push_str(&format!("{digest} *other-{file}\n"));
        } else if place.signing == Signing::Clearsigned {
            text.push_str(&format!("# {file}: 1 bytes\nSHA256 ({file}) = {digest}\n"));
        } else if ["CHECKSUM", "SHA256SUM", "SHA512", "SHA256"]
            .iter()
            .any(|end| place.sums_file.ends_with(end))
            && !place.sums_file.ends_with("qcow2.SHA256")
            && place.signing == Signing::None
        {
            let word = if place.sums == Sums::Sha512 {
                "SHA512"
            } else {
                "SHA256"
            };
            text.push_str(&format!("{word} ({file}) = {digest}\n"));
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
