//! The distributions beside Ubuntu, Debian and Alpine.

use super::{Place, Signing, Sums};

fn place(folder: String, file: String, sums_file: &str) -> Place {
    Place {
        sums_file: sums_file.replace("{file}", &file),
        folder,
        file,
        sums: Sums::Sha256,
        signing: Signing::None,
        signature_file: "",
        pinned: false,
        listed_as: None,
    }
}

fn fedora(arch: &str, version: &str, compose: &str, edition: &str) -> Place {
    let (folder, file) = match edition {
        "Cloud" => (
            "images",
            format!("Fedora-Cloud-Base-Generic-{version}-{compose}.{arch}.qcow2"),
        ),
        _ => (
            "iso",
            format!("Fedora-{edition}-Live-{version}-{compose}.{arch}.iso"),
        ),
    };
    Place {
        signing: Signing::Clearsigned,
        ..place(
            format!("releases/{version}/{edition}/{arch}/{folder}"),
            file,
            &format!("Fedora-{edition}-{version}-{compose}-{arch}-CHECKSUM"),
        )
    }
}

fn opensuse(folder: String, file: String, build: &str) -> Place {
    Place {
        listed_as: Some(file.replace("-Cloud", &format!("-1.0.0-Cloud-{build}"))),
        ..place(folder, file, "{file}.sha256")
    }
}

fn freebsd(arch: &str, version: &str) -> Option<Place> {
    let (folder, word) = match arch {
        "x86_64" => ("amd64", "amd64"),
        "aarch64" => ("aarch64", "arm64-aarch64"),
        _ => return None,
    };
    Some(Place {
        sums: Sums::Sha512,
        ..place(
            format!("releases/VM-IMAGES/{version}-RELEASE/{folder}/Latest"),
            format!("FreeBSD-{version}-RELEASE-{word}-BASIC-CLOUDINIT-ufs.qcow2.xz"),
            "CHECKSUM.SHA512",
        )
    })
}

/// Two places of an installer that is called after its point release.
fn kali(arch: &str) -> Vec<Place> {
    ["current", "kali-2026.2"]
        .into_iter()
        .map(|folder| Place {
            pinned: folder != "current",
            ..place(
                folder.into(),
                format!("kali-linux-2026.2-installer-netinst-{arch}.iso"),
                "SHA256SUMS",
            )
        })
        .collect()
}

fn netbsd(arch: &str) -> Place {
    let word = match arch {
        "x86_64" => "amd64",
        "aarch64" => "evbarm-aarch64",
        other => other,
    };
    Place {
        sums: Sums::Sha512,
        ..place(
            "NetBSD-11.0/images".into(),
            format!("NetBSD-11.0-{word}.iso"),
            "SHA512",
        )
    }
}

fn unchecked(folder: &str, file: &str) -> Place {
    Place {
        sums: Sums::None,
        ..place(folder.into(), file.into(), "")
    }
}

pub(super) fn places(template: &str, arch: &str) -> Option<Vec<Place>> {
    let debian = match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let rpm = if arch == "ppc64" { "ppc64le" } else { arch };
    let major = template.rsplit('-').next().unwrap_or_default();
    let one = match template {
        "fedora-43" => fedora(rpm, "43", "1.6", "Cloud"),
        "fedora-44" => fedora(rpm, "44", "1.7", "Cloud"),
        "fedora-44-workstation" => fedora(rpm, "44", "1.7", "Workstation"),
        "arch" => place(
            "images/latest".into(),
            "Arch-Linux-x86_64-cloudimg.qcow2".into(),
            "{file}.SHA256",
        ),
        "opensuse-16.0" => opensuse(
            "distribution/leap/16.0/appliances".into(),
            format!("Leap-16.0-Minimal-VM.{arch}-Cloud.qcow2"),
            "Build16.2",
        ),
        "opensuse-tumbleweed" => opensuse(
            match arch {
                "x86_64" => "tumbleweed/appliances".into(),
                other => format!("ports/{other}/tumbleweed/appliances"),
            },
            format!("openSUSE-Tumbleweed-Minimal-VM.{arch}-Cloud.qcow2"),
            "Snapshot20261101",
        ),
        "rocky-9" | "rocky-10" => place(
            format!("{major}/images/{rpm}"),
            format!("Rocky-{major}-GenericCloud-Base.latest.{rpm}.qcow2"),
            "{file}.CHECKSUM",
        ),
        "alma-9" | "alma-10" => Place {
            signing: Signing::Detached,
            signature_file: "CHECKSUM.asc",
            ..place(
                format!("{major}/cloud/{rpm}/images"),
                format!("AlmaLinux-{major}-GenericCloud-latest.{rpm}.qcow2"),
                "CHECKSUM",
            )
        },
        "centos-9" | "centos-10" => place(
            format!("{major}-stream/{rpm}/images"),
            format!("CentOS-Stream-GenericCloud-{major}-latest.{rpm}.qcow2"),
            "{file}.SHA256SUM",
        ),
        "nixos-26.05" => Place {
            listed_as: Some(format!("nixos-minimal-26.05.1234.abcdef012345-{arch}-linux.iso")),
            ..place(
                "nixos-26.05".into(),
                format!("latest-nixos-minimal-{arch}-linux.iso"),
                "{file}.sha256",
            )
        },
        "kali" => return Some(kali(debian)),
        "freebsd-15" => freebsd(arch, "15.1")?,
        "freebsd-14" => freebsd(arch, "14.4")?,
        "openbsd-7.9" => place(format!("7.9/{debian}"), "install79.iso".into(), "SHA256"),
        "netbsd-11" => netbsd(arch),
        "haiku-r1" => unchecked("haiku-release/r1beta5", "haiku-r1beta5-x86_64-anyboot.iso"),
        "reactos-0.4" => unchecked(
            "0.4.15-release",
            "ReactOS-0.4.15-release-1-gdbb43bbaeb2-x86-iso.zip",
        ),
        "freedos-1.4" => place("1.4".into(), "FD14-LiveCD.zip".into(), "verify.txt"),
        _ => return None,
    };
    Some(vec![one])
}
