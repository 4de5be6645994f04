//! Writes OVF 1.0 (DMTF DSP0243): a machine described so that VMware and VirtualBox make it again.
//!
//! The devices are those that both know and every system has drivers for: a SATA controller, E1000 NICs.

use nestbox_model::{Arch, Firmware, LinkState, MachineSpec, units::MIB};
use std::fmt::Write;

const ENVELOPE: &str = "http://schemas.dmtf.org/ovf/envelope/1";
const RASD: &str = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData";
const VSSD: &str = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData";
const VMWARE: &str = "http://www.vmware.com/schema/ovf";
const DISK_FORMAT: &str = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";
/// Instance number of the controller; those of its disks and of NICs follow.
const CONTROLLER: usize = 3;

/// A disk beside the description.
#[derive(Clone, Debug)]
pub struct OvfDisk {
    /// Name of its file.
    pub file: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes that a guest sees.
    pub capacity: u64,
}

/// The description of a machine with these disks.
pub fn describe(spec: &MachineSpec, disks: &[OvfDisk]) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Envelope ovf:version=\"1.0\" xmlns=\"{ENVELOPE}\" xmlns:ovf=\"{ENVELOPE}\" xmlns:rasd=\"{RASD}\" \
         xmlns:vssd=\"{VSSD}\" xmlns:vmw=\"{VMWARE}\">\n"
    );
    references(&mut out, disks);
    if !spec.nics.is_empty() {
        out += "  <NetworkSection>\n    <Info>Networks</Info>\n    <Network ovf:name=\"NAT\">\n      \
                <Description>The computer's own connection</Description>\n    </Network>\n  </NetworkSection>\n";
    }
    let name = escaped(&spec.name);
    let _ = writeln!(
        out,
        "  <VirtualSystem ovf:id=\"{name}\">\n    <Info>A virtual machine</Info>\n    <Name>{name}</Name>"
    );
    system(&mut out, spec);
    if !spec.notes.trim().is_empty() {
        let notes = escaped(&spec.notes);
        let _ = writeln!(
            out,
            "    <AnnotationSection>\n      <Info>Notes</Info>\n      <Annotation>{notes}</Annotation>\n    </AnnotationSection>"
        );
    }
    hardware(&mut out, spec, disks.len());
    out += "  </VirtualSystem>\n</Envelope>\n";
    out
}

fn references(out: &mut String, disks: &[OvfDisk]) {
    *out += "  <References>\n";
    for (number, disk) in (1..).zip(disks) {
        let (file, bytes) = (escaped(&disk.file), disk.bytes);
        let _ = writeln!(
            out,
            "    <File ovf:id=\"file{number}\" ovf:href=\"{file}\" ovf:size=\"{bytes}\"/>"
        );
    }
    *out += "  </References>\n  <DiskSection>\n    <Info>Disks</Info>\n";
    for (number, disk) in (1..).zip(disks) {
        let capacity = disk.capacity;
        let _ = writeln!(
            out,
            "    <Disk ovf:diskId=\"disk{number}\" ovf:fileRef=\"file{number}\" ovf:capacity=\"{capacity}\" \
             ovf:capacityAllocationUnits=\"byte\" ovf:format=\"{DISK_FORMAT}\"/>"
        );
    }
    *out += "  </DiskSection>\n";
}

/// Numbers of CIM_OperatingSystem.OSType.
fn system(out: &mut String, spec: &MachineSpec) {
    let words = spec.system.as_deref().unwrap_or_default();
    let known_linux = [
        "ubuntu", "debian", "fedora", "alpine", "linux", "rocky", "alma", "centos", "suse", "arch", "nixos",
    ];
    let is_linux = known_linux.iter().any(|name| words.to_lowercase().contains(name));
    let (id, vmware) = match (spec.arch, is_linux) {
        (Arch::Aarch64, _) => (1, " vmw:osType=\"arm-other-64\""),
        (Arch::X86_64, true) => (101, ""),
        (_, true) => (36, ""),
        _ => (1, ""),
    };
    let words = escaped(if words.is_empty() { "Other" } else { words });
    let _ = writeln!(
        out,
        "    <OperatingSystemSection ovf:id=\"{id}\"{vmware}>\n      <Info>The system inside</Info>\n      \
         <Description>{words}</Description>\n    </OperatingSystemSection>"
    );
}

/// Values of one device, by name; they are written in the schema's order, which is that of the alphabet.
fn item(out: &mut String, values: &[(&str, String)]) {
    let mut values = values.to_vec();
    values.sort_by_key(|(name, _)| *name);
    *out += "      <Item>\n";
    for (name, value) in values {
        let _ = writeln!(out, "        <rasd:{name}>{}</rasd:{name}>", escaped(&value));
    }
    *out += "      </Item>\n";
}

fn hardware(out: &mut String, spec: &MachineSpec, disks: usize) {
    let name = escaped(&spec.name);
    let _ = writeln!(
        out,
        "    <VirtualHardwareSection>\n      <Info>Devices</Info>\n      <System>\n        \
         <vssd:ElementName>Virtual hardware</vssd:ElementName>\n        <vssd:InstanceID>0</vssd:InstanceID>\n        \
         <vssd:VirtualSystemIdentifier>{name}</vssd:VirtualSystemIdentifier>\n        \
         <vssd:VirtualSystemType>vmx-11</vssd:VirtualSystemType>\n      </System>"
    );
    let text = |text: &str| text.to_owned();
    item(
        out,
        &[
            ("AllocationUnits", text("hertz * 10^6")),
            ("Description", text("Number of processors")),
            ("ElementName", format!("{} processors", spec.cpus)),
            ("InstanceID", text("1")),
            ("ResourceType", text("3")),
            ("VirtualQuantity", spec.cpus.to_string()),
        ],
    );
    let mebibytes = spec.memory / MIB;
    item(
        out,
        &[
            ("AllocationUnits", text("byte * 2^20")),
            ("Description", text("Memory")),
            ("ElementName", format!("{mebibytes} MiB of memory")),
            ("InstanceID", text("2")),
            ("ResourceType", text("4")),
            ("VirtualQuantity", mebibytes.to_string()),
        ],
    );
    item(
        out,
        &[
            ("Address", text("0")),
            ("Description", text("SATA controller")),
            ("ElementName", text("SATA controller 0")),
            ("InstanceID", CONTROLLER.to_string()),
            ("ResourceSubType", text("vmware.sata.ahci")),
            ("ResourceType", text("20")),
        ],
    );
    for number in 1..=disks {
        item(
            out,
            &[
                ("AddressOnParent", (number - 1).to_string()),
                ("ElementName", format!("Disk {number}")),
                ("HostResource", format!("ovf:/disk/disk{number}")),
                ("InstanceID", (CONTROLLER + number).to_string()),
                ("Parent", CONTROLLER.to_string()),
                ("ResourceType", text("17")),
            ],
        );
    }
    for (index, nic) in spec.nics.iter().enumerate() {
        item(
            out,
            &[
                ("Address", nic.mac.clone()),
                ("AddressOnParent", (index + 7).to_string()),
                ("AutomaticAllocation", (nic.link == LinkState::Up).to_string()),
                ("Connection", text("NAT")),
                ("Description", text("E1000 network card")),
                ("ElementName", format!("Network card {}", index + 1)),
                ("InstanceID", (CONTROLLER + disks + index + 1).to_string()),
                ("ResourceSubType", text("E1000")),
                ("ResourceType", text("10")),
            ],
        );
    }
    let firmware = if spec.firmware == Firmware::Uefi {
        "efi"
    } else {
        "bios"
    };
    let _ = writeln!(
        out,
        "      <vmw:Config ovf:required=\"false\" vmw:key=\"firmware\" vmw:value=\"{firmware}\"/>\n    \
         </VirtualHardwareSection>"
    );
}

/// Text that XML can hold.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' => out.push(letter),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {}
            letter => out.push(letter),
        }
    }
    out
}
