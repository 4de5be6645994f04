//! Bundles of UTM, written here: sound, odd and hostile.

use crate::bundles::{converted, fate, same_as_source};
use crate::{NO_PROGRESS, Place, refused};
use nestbox_disk::{import_disk, inspect, plan};
use nestbox_model::{Arch, FileAction, Firmware, ItemFate, Recognised};
use std::{fs, os::unix::fs::symlink, path::PathBuf};
use tokio_util::sync::CancellationToken;

const UTM: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>Backend</key><string>QEMU</string>
<key>ConfigurationVersion</key><integer>4</integer>
<key>Information</key><dict><key>Name</key><string>Debian on ARM</string><key>Icon</key><string>debian</string></dict>
<key>System</key><dict><key>Architecture</key><string>aarch64</string><key>CPUCount</key><integer>3</integer><key>MemorySize</key><integer>2048</integer></dict>
<key>QEMU</key><dict><key>UEFIBoot</key><true/><key>AdditionalArguments</key><array><string>-incoming</string></array></dict>
<key>Drive</key><array><dict><key>ImageName</key><string>disk.qcow2</string><key>ImageType</key><string>Disk</string></dict></array>
<key>Network</key><array><dict><key>Mode</key><string>Bridged</string><key>MacAddress</key><string>02:11:22:33:44:55</string>
<key>PortForward</key><array><dict><key>Protocol</key><string>TCP</string><key>HostPort</key><integer>2222</integer><key>GuestPort</key><integer>22</integer></dict></array></dict></array>
</dict></plist>"#;

fn utm(place: &Place, config: impl AsRef<[u8]>) -> PathBuf {
    let folder = place.path("Debian.utm");
    fs::create_dir_all(folder.join("Data")).unwrap();
    fs::write(folder.join("config.plist"), config).unwrap();
    if !folder.join("Data/disk.qcow2").exists() {
        fs::write(
            folder.join("Data/disk.qcow2"),
            converted(place, "qcow2", "compat=1.1"),
        )
        .unwrap();
    }
    folder
}

#[tokio::test]
async fn a_folder_of_utm_is_a_machine() {
    let place = Place::new();
    let folder = utm(&place, UTM);
    let plan = plan(&folder, None).unwrap();
    assert_eq!(
        (plan.recognised, plan.name.as_str()),
        (Recognised::Utm, "Debian on ARM")
    );
    assert_eq!(
        (plan.arch, plan.firmware, plan.memory),
        (Arch::Aarch64, Firmware::Uefi, 2 << 30)
    );
    assert_eq!(plan.ports[0].to_string(), "2222:22");
    assert_eq!(plan.nics[0].connection, "bridged");
    assert_eq!(fate(&plan, "Additional arguments"), Some(&ItemFate::Dropped));
    let to = place.path("new.qcow2");
    let inspection = inspect(&folder).unwrap();
    let imported = import_disk(
        &inspection,
        FileAction::Move,
        &to,
        NO_PROGRESS,
        &CancellationToken::new(),
    )
    .await
    .unwrap();
    assert!(
        imported.kept_in_place && folder.join("Data/disk.qcow2").exists(),
        "folders are never removed"
    );
    same_as_source(&place, &to);
}

#[test]
fn spoiled_folders_of_utm_are_refused() {
    let place = Place::new();
    let deep = format!(
        "<plist><dict><key>a</key>{}</dict></plist>",
        "<array>".repeat(30_000)
    );
    for (what, config, expected) in [
        (
            "a newer version",
            UTM.replace(">4<", ">99<"),
            "machine-unsupported",
        ),
        (
            "a way out",
            UTM.replace("disk.qcow2", "../../x"),
            "image-refers-elsewhere",
        ),
        (
            "an absolute path",
            UTM.replace("disk.qcow2", "/etc/passwd"),
            "image-refers-elsewhere",
        ),
        (
            "another disk",
            UTM.replace("disk.qcow2", "gone.qcow2"),
            "part-missing",
        ),
        ("no disk", UTM.replace(">Disk<", ">BIOS<"), "bundle-no-disk"),
        (
            "options in a MAC",
            UTM.replace("33:44:55", "33:44:55,script=x"),
            "bundle-invalid",
        ),
        (
            "options in an architecture",
            UTM.replace(">aarch64<", ">aarch64,x=y<"),
            "bundle-invalid",
        ),
        (
            "an unknown architecture",
            UTM.replace(">aarch64<", ">m68k<"),
            "machine-unsupported",
        ),
        (
            "an impossible port",
            UTM.replace(">2222<", ">99999<"),
            "bundle-invalid",
        ),
        (
            "another backend",
            UTM.replace(">QEMU<", ">Evil<"),
            "bundle-invalid",
        ),
        (
            "macOS",
            UTM.replace(">QEMU<", ">Apple<")
                .replace("<key>CPUCount", "<key>MacPlatform</key><dict/><key>CPUCount"),
            "machine-unsupported",
        ),
        (
            "an entity",
            UTM.replace(
                "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\"",
                "[<!ENTITY a \"b\">]",
            ),
            "bundle-entities",
        ),
        ("nested without end", deep, "bundle-invalid"),
        ("nothing", String::new(), "bundle-invalid"),
        ("too long", " ".repeat(300_000), "bundle-invalid"),
    ] {
        assert_eq!(refused(&utm(&place, config)), expected, "{what}");
    }
    let folder = utm(&place, UTM);
    fs::remove_file(folder.join("Data/disk.qcow2")).unwrap();
    symlink("/etc/passwd", folder.join("Data/disk.qcow2")).unwrap();
    assert_eq!(
        refused(&folder),
        "image-refers-elsewhere",
        "a link in the place of a disk"
    );
}

/// A binary property list: `dict` with one key whose value is nested arrays, `depth` deep.
fn binary_plist(depth: u32) -> Vec<u8> {
    let mut out = b"bplist00".to_vec();
    let mut offsets = vec![out.len() as u32];
    out.extend([0xd1, 0, 0, 0, 1, 0, 0, 0, 2]);
    offsets.push(out.len() as u32);
    out.extend([0x51, b'a']);
    for level in 0..depth {
        offsets.push(out.len() as u32);
        out.push(0xa1);
        out.extend((level + 3).to_be_bytes());
    }
    offsets.push(out.len() as u32);
    out.push(0x09);
    let table = out.len() as u64;
    out.extend(offsets.iter().flat_map(|offset| offset.to_be_bytes()));
    out.extend([0, 0, 0, 0, 0, 0, 4, 4]);
    out.extend((offsets.len() as u64).to_be_bytes());
    out.extend(0u64.to_be_bytes());
    out.extend(table.to_be_bytes());
    out
}

#[test]
fn deeply_nested_binary_lists_neither_crash_nor_hang() {
    let place = Place::new();
    for depth in [1, 100, 25_000] {
        assert_eq!(
            refused(&utm(&place, binary_plist(depth))),
            "bundle-invalid",
            "{depth}"
        );
    }
    let mut huge = binary_plist(1);
    let at = huge.len() - 24;
    huge[at..at + 8].copy_from_slice(&(1u64 << 62).to_be_bytes());
    assert_eq!(refused(&utm(&place, huge)), "bundle-invalid");
}
