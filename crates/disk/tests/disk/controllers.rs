//! The controller a disk was on, and the clock, are kept from every description that tells them.

use crate::Place;
use crate::bundles::{converted, fate};
use nestbox_disk::plan;
use nestbox_model::{Arch, DiskBus, ImportPlan, ItemFate};

fn machine_of(name: &str, text: &str) -> ImportPlan {
    let place = Place::new();
    place.file("disk.qcow2", converted(&place, "qcow2", "compat=1.1"));
    plan(&place.file(name, text), None).unwrap()
}

#[test]
fn disks_stay_on_the_controller_their_system_knows() {
    let vmx = "config.version = \"8\"\nvirtualHW.version = \"19\"\nguestOS = \"windows9-64\"\nsata0:0.present = \"TRUE\"\nsata0:0.fileName = \"disk.qcow2\"\n";
    let plan = machine_of("m.vmx", vmx);
    assert_eq!((plan.disks[0].bus, plan.clock_local), (DiskBus::Sata, true));
    assert_eq!(
        fate(&plan, "controller of “disk.qcow2”: SATA"),
        Some(&ItemFate::Kept)
    );
    let arm = vmx.replace("windows9-64", "arm-windows11-64");
    let plan = machine_of("m.vmx", &arm);
    assert_eq!((plan.arch, plan.disks[0].bus), (Arch::Aarch64, DiskBus::Nvme));
    assert_eq!(fate(&plan, "becomes NVMe"), Some(&ItemFate::Changed));

    let domain = |bus: &str, clock: &str| {
        format!(
            r#"<domain type="kvm"><name>box</name><memory unit="GiB">2</memory><vcpu>2</vcpu><os><type arch="x86_64">hvm</type></os><clock offset="{clock}"/><devices><disk type="file" device="disk"><source file="disk.qcow2"/><target dev="sda" bus="{bus}"/></disk></devices></domain>"#
        )
    };
    for (bus, clock, kept, local) in [
        ("virtio", "utc", DiskBus::Virtio, false),
        ("ide", "localtime", DiskBus::Sata, true),
        ("scsi", "utc", DiskBus::Scsi, false),
        ("usb", "utc", DiskBus::Usb, false),
    ] {
        let plan = machine_of("m.xml", &domain(bus, clock));
        assert_eq!((plan.disks[0].bus, plan.clock_local), (kept, local), "{bus}");
    }

    let vbox = |kind: &str| {
        format!(
            r#"<?xml version="1.0"?><VirtualBox xmlns="http://www.virtualbox.org/"><Machine uuid="{{1}}" name="w" OSType="Windows10_64"><MediaRegistry><HardDisks><HardDisk uuid="{{8}}" location="disk.qcow2" format="QCOW2" type="Normal"/></HardDisks></MediaRegistry><Hardware><RTC localOrUTC="UTC"/></Hardware><StorageControllers><StorageController name="c" type="{kind}"><AttachedDevice type="HardDisk"><Image uuid="{{8}}"/></AttachedDevice></StorageController></StorageControllers></Machine></VirtualBox>"#
        )
    };
    let plan = machine_of("m.vbox", &vbox("NVMe"));
    assert_eq!((plan.disks[0].bus, plan.clock_local), (DiskBus::Nvme, false));
    // Not told: Windows starts from SATA.
    let plan = machine_of("m.vbox", &vbox("Unknown"));
    assert_eq!(plan.disks[0].bus, DiskBus::Sata);

    let ovf = r#"<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="r"><References><File ovf:id="f" ovf:href="disk.qcow2"/></References><DiskSection><Info/><Disk ovf:diskId="d" ovf:fileRef="f" ovf:capacity="1048576"/></DiskSection><VirtualSystem ovf:id="vm"><Info/><Name>box</Name><VirtualHardwareSection><Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>AHCI</rasd:ResourceSubType><rasd:ResourceType>20</rasd:ResourceType></Item><Item><rasd:HostResource>ovf:/disk/d</rasd:HostResource><rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item></VirtualHardwareSection></VirtualSystem></Envelope>"#;
    assert_eq!(machine_of("m.ovf", ovf).disks[0].bus, DiskBus::Sata);

    // A disk by itself tells nothing, and gets what is fastest.
    let place = Place::new();
    let lone = plan_of_lone(&place);
    assert_eq!((lone.disks[0].bus, lone.clock_local), (DiskBus::Virtio, false));
}

fn plan_of_lone(place: &Place) -> ImportPlan {
    let disk = place.file("disk.qcow2", converted(place, "qcow2", "compat=1.1"));
    plan(&disk, None).unwrap()
}
