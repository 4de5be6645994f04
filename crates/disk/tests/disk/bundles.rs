//! Machines of other programs, written here: sound, odd and hostile.

use crate::{NO_PROGRESS, Place, disk_with_data, qemu_img, refused};
use nestbox_disk::{import_disk, import_disks, inspect, plan};
use nestbox_model::{FileAction, Firmware, ImportPlan, ItemFate, Recognised};
use sha2::{Digest, Sha256};
use std::{fs, path::Path};
use tokio_util::sync::CancellationToken;

/// A header and its data, as `tar` writes them.
pub(crate) fn tar_member(name: &str, kind: u8, link: &str, data: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(124, format!("{:011o}\0", data.len()).as_bytes());
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    put(148, b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend(data);
    header.resize(header.len().next_multiple_of(512), 0);
    header
}

fn tar(members: &[Vec<u8>]) -> Vec<u8> {
    let mut out = members.concat();
    out.resize(out.len() + 1024, 0);
    out
}

fn file(name: &str, data: &[u8]) -> Vec<u8> {
    tar_member(name, b'0', "", data)
}

/// An OVF with these parts; `{}` stands for what is different in each test.
fn ovf(files: &str, disks: &str, items: &str) -> String {
    format!(
        r#"<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="r" xmlns:vmw="v">
<References>{files}</References>
<DiskSection><Info/>{disks}</DiskSection>
<VirtualSystem ovf:id="vm"><Info/><Name>Fedora box</Name>
<AnnotationSection><Annotation>Two
lines</Annotation></AnnotationSection>
<OperatingSystemSection ovf:id="80"><Description>Fedora 44 (64-bit)</Description></OperatingSystemSection>
<VirtualHardwareSection>
<Item><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
<Item><rasd:AllocationUnits>MegaBytes</rasd:AllocationUnits><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>1536</rasd:VirtualQuantity></Item>
<Item><rasd:Connection>NAT</rasd:Connection><rasd:Address>08:00:27:AA:BB:CC</rasd:Address><rasd:ResourceType>10</rasd:ResourceType></Item>
{items}
<vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
</VirtualHardwareSection></VirtualSystem></Envelope>"#
    )
}

fn disk_item(id: &str) -> String {
    format!(
        "<Item><rasd:HostResource>ovf:/disk/{id}</rasd:HostResource><rasd:ResourceType>17</rasd:ResourceType></Item>"
    )
}

fn sound_ovf(names: &[&str]) -> String {
    let part = |make: &dyn Fn(&str) -> String| names.iter().map(|name| make(name)).collect::<String>();
    ovf(
        &part(&|name| format!(r#"<File ovf:id="f-{name}" ovf:href="{name}"/>"#)),
        &part(&|name| {
            format!(r#"<Disk ovf:diskId="d-{name}" ovf:fileRef="f-{name}" ovf:capacity="1048576"/>"#)
        }),
        &part(&|name| disk_item(&format!("d-{name}"))),
    )
}

pub(crate) fn converted(place: &Place, driver: &str, options: &str) -> Vec<u8> {
    let raw = place.file("source.raw", disk_with_data());
    let to = place.text("converted");
    qemu_img(&[
        "convert",
        "-f",
        "raw",
        "-O",
        driver,
        "-o",
        options,
        raw.to_str().unwrap(),
        &to,
    ]);
    let content = fs::read(&to).unwrap();
    fs::remove_file(&to).unwrap();
    content
}

pub(crate) fn same_as_source(place: &Place, image: &Path) {
    let source = place.text("source.raw");
    qemu_img(&[
        "compare",
        "-f",
        "raw",
        "-F",
        "qcow2",
        &source,
        image.to_str().unwrap(),
    ]);
    qemu_img(&["check", "-f", "qcow2", image.to_str().unwrap()]);
}

pub(crate) fn fate<'a>(plan: &'a ImportPlan, part: &str) -> Option<&'a ItemFate> {
    plan.items
        .iter()
        .find(|item| item.what.contains(part))
        .map(|item| &item.fate)
}

#[tokio::test]
async fn an_ova_yields_all_its_disks_without_being_unpacked() {
    let place = Place::new();
    let vmdk = converted(&place, "vmdk", "subformat=streamOptimized");
    let qcow2 = converted(&place, "qcow2", "compat=1.1");
    let text = sound_ovf(&["a.vmdk", "b.qcow2"]);
    let sum = |name: &str, data: &[u8]| format!("SHA256({name})= {}\n", hex::encode(Sha256::digest(data)));
    let manifest = sum("m.ovf", text.as_bytes()) + &sum("a.vmdk", &vmdk) + &sum("b.qcow2", &qcow2);
    let members = [
        file("m.ovf", text.as_bytes()),
        file("m.mf", manifest.as_bytes()),
        file("a.vmdk", &vmdk),
        file("b.qcow2", &qcow2),
    ];
    let ova = place.file("box.ova", tar(&members));
    let plan = plan(&ova, None).unwrap();
    assert_eq!(
        (plan.recognised, plan.name.as_str()),
        (Recognised::Ova, "Fedora box")
    );
    assert_eq!(
        (plan.cpus.min(2), plan.memory, plan.firmware),
        (plan.cpus, 1536 << 20, Firmware::Uefi)
    );
    assert_eq!(plan.system.as_deref(), Some("Fedora 44"));
    assert_eq!(plan.notes.as_deref(), Some("Two\nlines"));
    assert_eq!(plan.nics[0].mac.as_deref(), Some("08:00:27:aa:bb:cc"));
    let kinds: Vec<_> = plan
        .disks
        .iter()
        .map(|disk| (disk.name.as_str(), disk.recognised, disk.capacity))
        .collect();
    assert_eq!(
        kinds,
        [
            ("a.vmdk", Recognised::Vmdk, 1 << 20),
            ("b.qcow2", Recognised::Qcow2, 1 << 20)
        ]
    );

    let packed = place.file("box.ova.gz", crate::packing::gz(&fs::read(&ova).unwrap()));
    let packed_plan = nestbox_disk::plan(&packed, None).unwrap();
    assert_eq!(packed_plan.inside, Some(Recognised::Ova));
    assert_eq!((&packed_plan.name, packed_plan.memory), (&plan.name, plan.memory));
    assert_eq!(packed_plan.nics, plan.nics);
    let names: Vec<&str> = packed_plan.disks.iter().map(|disk| disk.name.as_str()).collect();
    assert_eq!(names, ["a.vmdk", "b.qcow2"]);
    let cancel = CancellationToken::new();
    let name = |index: usize| place.path(&format!("packed-{index}.qcow2"));
    let all = import_disks(
        &inspect(&packed).unwrap(),
        FileAction::Move,
        &name,
        NO_PROGRESS,
        &cancel,
    )
    .await
    .unwrap();
    assert!(all.len() == 2 && !packed.exists());
    for index in 0..2 {
        same_as_source(&place, &name(index));
        fs::remove_file(name(index)).unwrap();
    }

    let inspection = inspect(&ova).unwrap();
    let one = import_disk(
        &inspection,
        FileAction::Copy,
        &place.path("x"),
        NO_PROGRESS,
        &cancel,
    )
    .await;
    assert_eq!(one.unwrap_err().code, "several-disks");
    let name = |index: usize| place.path(&format!("new-{index}.qcow2"));
    let all = import_disks(&inspection, FileAction::Move, &name, NO_PROGRESS, &cancel)
        .await
        .unwrap();
    assert_eq!(all.len(), 2);
    assert!(!ova.exists() && !all[0].kept_in_place);
    same_as_source(&place, &name(0));
    same_as_source(&place, &name(1));

    // A disk that was changed on its way is found when it is read, and nothing is left.
    let mut changed = tar(&members);
    let at = changed.len() - 1024 - 100;
    changed[at] ^= 1;
    let ova = place.file("changed.ova", changed);
    let (inspection, name) = (inspect(&ova).unwrap(), |n: usize| place.path(&format!("c{n}")));
    let outcome = import_disks(&inspection, FileAction::Copy, &name, NO_PROGRESS, &cancel).await;
    assert_eq!(outcome.unwrap_err().code, "checksum-mismatch");
    assert_eq!(
        place.names(),
        ["changed.ova", "new-0.qcow2", "new-1.qcow2", "source.raw"]
    );
}

#[test]
fn tar_tricks_are_refused() {
    let place = Place::new();
    let vmdk = converted(&place, "vmdk", "subformat=streamOptimized");
    let text = sound_ovf(&["a.vmdk"]);
    let (text, disk) = (file("m.ovf", text.as_bytes()), file("a.vmdk", &vmdk));
    let pax = |record: &str| {
        let length = record.len() + 4;
        tar_member("pax", b'x', "", format!("{length} {record}\n").as_bytes())
    };
    for (what, members, expected) in [
        ("sound", vec![text.clone(), disk.clone()], "accepted"),
        ("the disk first", vec![disk.clone(), text.clone()], "accepted"),
        (
            "a folder",
            vec![tar_member("d/", b'5', "", b""), text.clone(), disk.clone()],
            "accepted",
        ),
        (
            "a way out",
            vec![text.clone(), disk.clone(), file("../x", b"")],
            "image-refers-elsewhere",
        ),
        (
            "an absolute name",
            vec![text.clone(), disk.clone(), file("/tmp/x", b"")],
            "image-refers-elsewhere",
        ),
        (
            "a device's name",
            vec![text.clone(), disk.clone(), file("C:\\x", b"")],
            "image-refers-elsewhere",
        ),
        (
            "a folder out",
            vec![tar_member("../d", b'5', "", b""), text.clone(), disk.clone()],
            "image-refers-elsewhere",
        ),
        (
            "a symbolic link",
            vec![text.clone(), tar_member("a.vmdk", b'2', "/etc/passwd", b"")],
            "archive-link",
        ),
        (
            "a hard link",
            vec![text.clone(), tar_member("a.vmdk", b'1', "m.ovf", b"")],
            "archive-link",
        ),
        (
            "a device",
            vec![text.clone(), tar_member("a.vmdk", b'3', "", b"")],
            "archive-link",
        ),
        (
            "a sparse file",
            vec![text.clone(), tar_member("a.vmdk", b'S', "", &vmdk)],
            "image-feature-unsupported",
        ),
        (
            "two of a name",
            vec![text.clone(), disk.clone(), disk.clone()],
            "archive-duplicate",
        ),
        (
            "two machines",
            vec![text.clone(), disk.clone(), file("n.ovf", b"x")],
            "machine-unsupported",
        ),
        ("a disk alone", vec![disk.clone()], "accepted"),
        ("a text alone", vec![file("a", b"hello")], "archive-no-image"),
        (
            "no machine",
            vec![disk.clone(), file("a", b"hello")],
            "archive-no-image",
        ),
        ("no disk", vec![text.clone()], "part-missing"),
        (
            "another length",
            vec![text.clone(), pax("size=999999"), disk.clone()],
            "image-damaged",
        ),
        (
            "a long name",
            vec![text.clone(), pax("path=../../etc/passwd"), disk.clone()],
            "image-refers-elsewhere",
        ),
        (
            "a link's name",
            vec![text.clone(), pax("linkpath=/etc/passwd"), disk.clone()],
            "archive-link",
        ),
        (
            "a record that is none",
            vec![
                text.clone(),
                tar_member("p", b'x', "", b"9999 a=b\n"),
                disk.clone(),
            ],
            "image-damaged",
        ),
    ] {
        assert_eq!(refused(&place.file("x.ova", tar(&members))), expected, "{what}");
    }
    let whole = tar(&[text, disk]);
    assert_eq!(
        refused(&place.file("x.ova", &whole[..whole.len() - 3000])),
        "image-truncated"
    );
    let mut spoiled = whole;
    spoiled[3] = b'x';
    assert_eq!(refused(&place.file("x.ova", spoiled)), "image-damaged");
}

#[test]
fn descriptions_by_ovf_are_kept_within_bounds() {
    let place = Place::new();
    place.file("a.qcow2", converted(&place, "qcow2", "compat=1.1"));
    let sound = sound_ovf(&["a.qcow2"]);
    let with = |items: &str| sound.replace("<vmw:Config", &format!("{items}<vmw:Config"));
    let read = |text: &str| plan(&place.file("m.ovf", text), None);
    assert_eq!(read(&sound).unwrap().recognised, Recognised::Ovf);
    place.file("a b.qcow2", fs::read(place.path("a.qcow2")).unwrap());
    for (name, disk) in [
        ("a b.qcow2", "a b.qcow2"),
        ("a%20b.qcow2", "a b.qcow2"),
        ("%61.qcow2", "a.qcow2"),
    ] {
        let plan = read(&sound.replace("href=\"a.qcow2\"", &format!("href=\"{name}\""))).unwrap();
        assert_eq!(plan.disks[0].name, disk, "{name}");
    }
    for (what, text, expected) in [
        (
            "an entity",
            sound.replace(
                "<Envelope",
                "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><Envelope",
            ),
            "bundle-entities",
        ),
        ("cut", sound[..sound.len() / 2].to_owned(), "bundle-invalid"),
        (
            "nested without end",
            sound.replace("<References>", &format!("<References>{}", "<a>".repeat(200_000))),
            "bundle-invalid",
        ),
        (
            "another place",
            sound.replace("\"a.qcow2\"", "\"../a.qcow2\""),
            "image-refers-elsewhere",
        ),
        (
            "an address",
            sound.replace("\"a.qcow2\"", "\"http://127.0.0.1/a.qcow2\""),
            "image-refers-elsewhere",
        ),
        (
            "a hidden way out",
            sound.replace("\"a.qcow2\"", "\"%2e%2e%2fa.qcow2\""),
            "part-missing",
        ),
        (
            "another size",
            sound.replace("href=\"a.qcow2\"", "href=\"a.qcow2\" ovf:size=\"1\""),
            "size-mismatch",
        ),
        (
            "compressed",
            sound.replace("href=\"a.qcow2\"", "href=\"a.qcow2\" ovf:compression=\"gzip\""),
            "machine-unsupported",
        ),
        (
            "a parent",
            sound.replace("ovf:capacity", "ovf:parentRef=\"x\" ovf:capacity"),
            "image-refers-elsewhere",
        ),
        (
            "no disk used",
            sound.replace("ovf:/disk/", "/dev/vda"),
            "bundle-no-disk",
        ),
        ("a disk twice", with(&disk_item("d-a.qcow2")), "bundle-invalid"),
        (
            "a MAC that is none",
            sound.replace("08:00:27:AA:BB:CC", "x,script=/tmp/x"),
            "bundle-invalid",
        ),
    ] {
        assert_eq!(refused(&place.file("m.ovf", text)), expected, "{what}");
    }
    let odd = with("<Item><rasd:HostResource>/dev/vda</rasd:HostResource><rasd:ResourceType>17</rasd:ResourceType></Item>\
        <Item><rasd:ResourceType>9999</rasd:ResourceType></Item>")
        .replace("<rasd:VirtualQuantity>2<", "<rasd:VirtualQuantity>-4<")
        .replace("MegaBytes", "byte * 2^999")
        .replace("Fedora box", "<![CDATA[a<img>,b;$(x)]]>");
    let plan = read(&odd).unwrap();
    assert_eq!(plan.name, "aimg,b(x)");
    for part in ["/dev/vda", "9999"] {
        assert_eq!(fate(&plan, part), Some(&ItemFate::Dropped), "{part}");
    }
    for part in ["The processors", "The memory", "The name"] {
        assert_eq!(fate(&plan, part), Some(&ItemFate::Changed), "{part}");
    }
}

fn vbox(hardware: &str, disk: &str, rest: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><VirtualBox xmlns="http://www.virtualbox.org/" version="1.19-linux">
<Machine uuid="{{1}}" name="Ubuntu box" OSType="Ubuntu_64"><MediaRegistry><HardDisks>{disk}</HardDisks></MediaRegistry>
<Hardware><CPU count="2"/><Memory RAMSize="1024"/><Firmware type="EFI"/><Network><Adapter slot="0" enabled="true" MACAddress="080027ABCDEF"><NAT><Forwarding name="ssh" proto="1" hostport="2022" guestport="22"/></NAT></Adapter></Network>{hardware}</Hardware>
<StorageControllers><StorageController name="SATA"><AttachedDevice type="HardDisk"><Image uuid="{{8}}"/></AttachedDevice><AttachedDevice type="DVD"/></StorageController></StorageControllers>{rest}</Machine></VirtualBox>"#
    )
}

const VDI: &str = r#"<HardDisk uuid="{8}" location="disk.vdi" format="VDI" type="Normal"/>"#;

#[tokio::test]
async fn machines_of_virtualbox_are_read() {
    let place = Place::new();
    place.file("disk.vdi", converted(&place, "vdi", "static=off"));
    let shares = r#"<SharedFolders><SharedFolder name="r" hostPath="/" writable="true"/></SharedFolders><UART><Port enabled="true" path="/etc/cron.d/x"/></UART>"#;
    let snapshots = r#"<Snapshot name="one"><Snapshots><Snapshot name="two"/></Snapshots></Snapshot>"#;
    let path = place.file("m.vbox", vbox(shares, VDI, snapshots));
    let plan = plan(&path, None).unwrap();
    assert_eq!(
        (plan.recognised, plan.name.as_str(), plan.memory),
        (Recognised::Vbox, "Ubuntu box", 1 << 30)
    );
    assert_eq!(plan.nics[0].mac.as_deref(), Some("08:00:27:ab:cd:ef"));
    assert_eq!(plan.ports[0].to_string(), "2022:22");
    assert_eq!(plan.snapshots, ["one", "two"]);
    assert_eq!(
        (plan.shares[0].host_path.as_str(), plan.shares[0].read_only),
        ("/", false)
    );
    assert_eq!(fate(&plan, "/etc/cron.d/x"), Some(&ItemFate::Dropped));
    let to = place.path("new.qcow2");
    import_disk(
        &inspect(&path).unwrap(),
        FileAction::Copy,
        &to,
        NO_PROGRESS,
        &CancellationToken::new(),
    )
    .await
    .unwrap();
    same_as_source(&place, &to);
    for (what, text, expected) in [
        (
            "a way out",
            vbox("", &VDI.replace("disk.vdi", "../disk.vdi"), ""),
            "image-refers-elsewhere",
        ),
        (
            "an address",
            vbox("", &VDI.replace("disk.vdi", "iscsi://127.0.0.1/x"), ""),
            "image-refers-elsewhere",
        ),
        (
            "a path of its own, beside it",
            vbox("", &VDI.replace("disk.vdi", "/home/someone/vm/disk.vdi"), ""),
            "accepted",
        ),
        (
            "a path of Windows",
            vbox("", &VDI.replace("disk.vdi", "C:\\vm\\disk.vdi"), ""),
            "accepted",
        ),
        (
            "a path of its own, not there",
            vbox("", &VDI.replace("disk.vdi", "/etc/passwd"), ""),
            "image-refers-elsewhere",
        ),
        (
            "a snapshot's disk",
            vbox(
                "",
                &VDI.replace("/>", "><HardDisk uuid=\"{9}\" location=\"disk.vdi\"/></HardDisk>")
                    .replace("{8}", "{7}")
                    .replace("{9}", "{8}"),
                "",
            ),
            "image-refers-elsewhere",
        ),
        (
            "an unknown disk",
            vbox("", &VDI.replace("{8}", "{9}"), ""),
            "bundle-invalid",
        ),
        (
            "two machines' hardware",
            vbox("", VDI, "<Hardware/>"),
            "bundle-invalid",
        ),
    ] {
        assert_eq!(refused(&place.file("m.vbox", text)), expected, "{what}");
    }
}

const VMX: &str = ".encoding = \"UTF-8\"\nconfig.version = \"8\"\nguestOS = \"ubuntu-64\"\ndisplayName = \"Box|22 one\"\nmemsize = \"1024\"\nnumvcpus = \"2\"\n\
    scsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"disk.vmdk\"\nethernet0.present = \"TRUE\"\nethernet0.connectionType = \"nat\"\nethernet0.generatedAddress = \"00:0c:29:11:22:33\"\n";

#[test]
fn machines_of_vmware_are_read() {
    let place = Place::new();
    place.file(
        "disk.vmdk",
        converted(&place, "vmdk", "subformat=monolithicSparse"),
    );
    let path = place.file("m.vmx", VMX);
    let plan = plan(&path, None).unwrap();
    assert_eq!(
        (plan.recognised, plan.name.as_str(), plan.memory),
        (Recognised::Vmx, "Box one", 1 << 30)
    );
    assert_eq!(
        (plan.nics[0].mac.as_deref(), plan.firmware),
        (Some("00:0c:29:11:22:33"), Firmware::Bios)
    );
    for (what, text, expected) in [
        ("a mark at the start", format!("\u{feff}{VMX}"), "accepted"),
        (
            "a way out",
            VMX.replace("disk.vmdk", "../../etc/passwd"),
            "image-refers-elsewhere",
        ),
        (
            "a device",
            format!("{VMX}scsi0:0.deviceType = \"rawDisk\"\n"),
            "image-refers-elsewhere",
        ),
        (
            "a key twice",
            format!("{VMX}SCSI0:0.filename = \"/etc/passwd\"\n"),
            "bundle-invalid",
        ),
        ("not closed", format!("{VMX}a = \"b\n"), "bundle-invalid"),
        ("no assignment", format!("{VMX}hello\n"), "bundle-invalid"),
        (
            "a line without end",
            format!("{VMX}a = \"{}\"\n", "x".repeat(100_000)),
            "bundle-invalid",
        ),
        (
            "encrypted",
            format!("{VMX}encryption.data = \"x\"\n"),
            "image-encrypted",
        ),
        ("no disk", VMX.replace("disk.vmdk", ""), "bundle-no-disk"),
    ] {
        assert_eq!(refused(&place.file("m.vmx", text)), expected, "{what}");
    }
    let text = format!(
        "{VMX}sharedFolder0.present = \"TRUE\"\nsharedFolder0.hostPath = \"/\"\nserial0.present = \"TRUE\"\nserial0.fileName = \"/etc/x\"\n"
    );
    let plan =
        nestbox_disk::plan(&place.file("m.vmx", text.replace("1024", "99999999999999")), None).unwrap();
    assert_eq!(fate(&plan, "/etc/x"), Some(&ItemFate::Dropped));
    assert_eq!(fate(&plan, "The memory"), Some(&ItemFate::Changed));
    assert!(plan.shares[0].read_only);
    // The folder of such a machine is one, too.
    fs::create_dir(place.path("Box.vmwarevm")).unwrap();
    for name in ["m.vmx", "disk.vmdk"] {
        fs::copy(place.path(name), place.path("Box.vmwarevm").join(name)).unwrap();
    }
    assert_eq!(
        inspect(&place.path("Box.vmwarevm")).unwrap().recognised,
        Recognised::Vmx
    );
}

fn domain(devices: &str, rest: &str) -> String {
    format!(
        r#"<domain type="kvm" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0"><name>box</name><memory unit="GiB">2</memory><vcpu>2</vcpu><os firmware="efi"><type arch="x86_64">hvm</type></os>{rest}<devices>{devices}<disk type="file" device="disk"><source file="disk.qcow2"/><target dev="vda"/></disk><interface type="network"><mac address="52:54:00:11:22:33"/><source network="default"/></interface></devices></domain>"#
    )
}

#[test]
fn machines_of_libvirt_are_read() {
    let place = Place::new();
    place.file("disk.qcow2", converted(&place, "qcow2", "compat=1.1"));
    let sound = domain("", "");
    let plan_of = |text: &str| plan(&place.file("m.xml", text), None).unwrap();
    let plan = plan_of(&sound);
    assert_eq!(
        (plan.recognised, plan.memory, plan.firmware),
        (Recognised::Libvirt, 2 << 30, Firmware::Uefi)
    );
    assert_eq!(plan.nics[0].connection, "NAT");
    for (what, device, shown) in [
        (
            "a host's disk",
            r#"<disk type="block"><source dev="/dev/vda"/></disk>"#,
            "/dev/vda",
        ),
        (
            "a network's disk",
            r#"<disk type="network"><source protocol="nbd"/></disk>"#,
            "nbd",
        ),
        (
            "a script",
            r#"<interface type="ethernet"><script path="/tmp/evil.sh"/></interface>"#,
            "/tmp/evil.sh",
        ),
        (
            "a file behind a port",
            r#"<serial type="file"><source path="/etc/cron.d/x"/></serial>"#,
            "/etc/cron.d/x",
        ),
        ("a host's device", r#"<hostdev type="pci"/>"#, "pci"),
        (
            "a shared folder",
            r#"<filesystem type="mount"><source dir="/"/><target dir="all"/></filesystem>"#,
            "all",
        ),
        ("an emulator", "<emulator>/tmp/evil</emulator>", "/tmp/evil"),
    ] {
        let plan = plan_of(&domain(device, ""));
        assert_eq!(fate(&plan, shown), Some(&ItemFate::Dropped), "{what}");
        assert_eq!(plan.disks.len(), 1, "{what}");
    }
    let plan = plan_of(&domain(
        "",
        r#"<qemu:commandline><qemu:arg value="-incoming"/></qemu:commandline>"#,
    ));
    assert_eq!(fate(&plan, "Additional arguments"), Some(&ItemFate::Dropped));
    for (what, text, expected) in [
        (
            "a foreign path",
            sound.replace("disk.qcow2", "/etc/passwd"),
            "image-refers-elsewhere",
        ),
        (
            "a second <os>",
            domain("", "<os><kernel>/etc/shadow</kernel></os>"),
            "bundle-invalid",
        ),
        (
            "an entity",
            format!("<!DOCTYPE d [<!ENTITY a 'b'>]>{sound}"),
            "bundle-entities",
        ),
        (
            "no disk",
            sound.replace("type=\"file\"", "type=\"block\""),
            "bundle-no-disk",
        ),
    ] {
        assert_eq!(refused(&place.file("m.xml", text)), expected, "{what}");
    }
}

#[test]
fn files_of_quickemu_are_read_and_never_run() {
    let place = Place::new();
    fs::create_dir(place.path("sub")).unwrap();
    let image = converted(&place, "qcow2", "compat=1.1");
    place.file("sub/disk.qcow2", image);
    let sound = "#!/usr/bin/quickemu --vm\nguest_os=\"linux\"\ndisk_img=\"sub/disk.qcow2\"\nram=\"4G\"\ncpu_cores='2' # enough\n\
        port_forwards=(\"8080:80\" 2222:22)\n";
    let path = place.file("box.conf", sound);
    let plan = plan(&path, None).unwrap();
    assert_eq!(
        (plan.recognised, plan.memory, plan.name.as_str()),
        (Recognised::Quickemu, 4 << 30, "box")
    );
    let ports: Vec<String> = plan.ports.iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["8080:80", "2222:22"]);
    let kept = nestbox_disk::plan(
        &place.file(
            "box.conf",
            format!("{sound}extra_args=\"-incoming exec:touch${{IFS}}/tmp/x\"\n"),
        ),
        None,
    )
    .unwrap();
    assert_eq!(fate(&kept, "extra_args"), Some(&ItemFate::Dropped));
    for line in [
        "touch /tmp/x",
        "guest=linux;touch /tmp/x",
        "a=\"$(touch /tmp/x)\"",
        "a=`touch /tmp/x`",
        "a=$(touch /tmp/x)",
        "a=b c",
        "a=b&",
        "a=(b; c)",
        "a=<(x)",
        "export a=b",
        "a+=b",
        "a[0]=b",
        "if true; then",
        "a=\"b\" touch /tmp/x",
        "a=\"unclosed",
        "guest_os=other",
        "1a=b",
        "=b",
        "a=\"\\$(x)\"",
        "source /tmp/x",
        ". /tmp/x",
    ] {
        assert_eq!(
            refused(&place.file("box.conf", format!("{sound}{line}\n"))),
            "bundle-invalid",
            "{line}"
        );
    }
    for (from, to, expected) in [
        ("sub/disk.qcow2", "../disk.qcow2", "image-refers-elsewhere"),
        ("sub/disk.qcow2", "${HOME}/disk.qcow2", "bundle-invalid"),
        ("8080:80", "8080:80,guestfwd=x", "bundle-invalid"),
    ] {
        assert_eq!(
            refused(&place.file("box.conf", sound.replace(from, to))),
            expected,
            "{to}"
        );
    }
}
