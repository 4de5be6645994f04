//! Writes the settings of a machine of UTM's (version 4 of its property list, QEMU as the backend).

use nestbox_model::{Arch, DiskBus, Error, Firmware, MachineSpec, Protocol, Result, units::MIB};
use plist::{Dictionary, Value};
use std::{fs::File, io::BufWriter, path::Path};

/// Name of the settings in the folder.
pub const CONFIG: &str = "config.plist";
/// Name, under `Data`, of the UEFI variables (raw).
pub const VARIABLES: &str = "efi_vars.fd";
/// Longest name of a system in which an icon's is looked for.
const SYSTEMS: [&str; 6] = ["ubuntu", "debian", "fedora", "windows", "freebsd", "linux"];

/// Writes `config.plist` into `folder`, for a machine whose disks have these file names under `Data`.
///
/// # Errors
/// `utm-arch` (usage) for an architecture that UTM has no name for; `no-space` and friends.
pub fn write_config(spec: &MachineSpec, disks: &[String], folder: &Path) -> Result<()> {
    let path = folder.join(CONFIG);
    let file = File::create_new(&path).map_err(|error| Error::io("write the settings", &path, &error))?;
    Value::Dictionary(config(spec, disks)?)
        .to_writer_xml(BufWriter::new(file))
        .map_err(|error| {
            Error::failed("io-error", "The machine's settings could not be written.")
                .with_detail("system", error.to_string())
        })
}

fn dictionary<const N: usize>(values: [(&str, Value); N]) -> Dictionary {
    values
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn list(values: impl IntoIterator<Item = Dictionary>) -> Value {
    Value::Array(values.into_iter().map(Value::Dictionary).collect())
}

fn config(spec: &MachineSpec, disks: &[String]) -> Result<Dictionary> {
    let (arch, target, display) = match spec.arch {
        Arch::X86_64 => ("x86_64", "q35", "virtio-vga"),
        Arch::I386 => ("i386", "q35", "virtio-vga"),
        Arch::Aarch64 => ("aarch64", "virt", "virtio-gpu-pci"),
        Arch::Riscv64 => ("riscv64", "virt", "virtio-gpu-pci"),
        other => {
            return Err(Error::usage(
                "utm-arch",
                format!("Machines of the architecture {other} are not written for UTM."),
            )
            .with_hint("Export its disks as qcow2, and make the machine in UTM by hand."));
        }
    };
    let local = spec.clock_local;
    Ok(dictionary([
        ("Backend", "QEMU".into()),
        ("ConfigurationVersion", 4.into()),
        ("Information", information(spec).into()),
        (
            "System",
            dictionary([
                ("Architecture", arch.into()),
                ("Target", target.into()),
                ("CPU", "default".into()),
                ("CPUCount", u64::from(spec.cpus).into()),
                ("CPUFlagsAdd", Value::Array(Vec::new())),
                ("CPUFlagsRemove", Value::Array(Vec::new())),
                ("ForceMulticore", false.into()),
                ("JITCacheSize", 0.into()),
                ("MemorySize", (spec.memory / MIB).into()),
            ])
            .into(),
        ),
        (
            "QEMU",
            dictionary([
                ("AdditionalArguments", Value::Array(Vec::new())),
                ("BalloonDevice", false.into()),
                ("DebugLog", false.into()),
                ("Hypervisor", true.into()),
                ("PS2Controller", false.into()),
                ("RNGDevice", true.into()),
                ("RTCLocalTime", local.into()),
                ("TPMDevice", false.into()),
                ("TSO", false.into()),
                ("UEFIBoot", (spec.firmware == Firmware::Uefi).into()),
            ])
            .into(),
        ),
        (
            "Input",
            dictionary([
                ("MaximumUsbShare", 3.into()),
                ("UsbBusSupport", "3.0".into()),
                ("UsbSharing", false.into()),
            ])
            .into(),
        ),
        (
            "Sharing",
            dictionary([
                ("ClipboardSharing", true.into()),
                ("DirectoryShareMode", "None".into()),
                ("DirectoryShareReadOnly", false.into()),
            ])
            .into(),
        ),
        (
            "Display",
            list([dictionary([
                ("DownscalingFilter", "Linear".into()),
                ("DynamicResolution", true.into()),
                ("Hardware", display.into()),
                ("NativeResolution", false.into()),
                ("UpscalingFilter", "Nearest".into()),
            ])]),
        ),
        ("Drive", drives(spec, disks)),
        ("Network", networks(spec)),
        ("Serial", Value::Array(Vec::new())),
        ("Sound", Value::Array(Vec::new())),
    ]))
}

fn information(spec: &MachineSpec) -> Dictionary {
    let mut about = dictionary([
        ("IconCustom", false.into()),
        ("Name", spec.name.as_str().into()),
        ("UUID", spec.id.as_str().to_uppercase().into()),
    ]);
    if !spec.notes.trim().is_empty() {
        about.insert("Notes".into(), spec.notes.as_str().into());
    }
    let system = spec.system.as_deref().unwrap_or_default().to_lowercase();
    if let Some(icon) = SYSTEMS.into_iter().find(|name| system.contains(name)) {
        about.insert("Icon".into(), icon.into());
    }
    about
}

fn drives(spec: &MachineSpec, files: &[String]) -> Value {
    list(spec.disks.iter().zip(files).map(|(disk, file)| {
        let interface = match disk.bus {
            DiskBus::Virtio => "VirtIO",
            DiskBus::Scsi => "SCSI",
            DiskBus::Nvme => "NVMe",
            DiskBus::Sata => "IDE",
            DiskBus::Usb => "USB",
        };
        let id = file.strip_suffix(".qcow2").unwrap_or(file);
        dictionary([
            ("Identifier", id.into()),
            ("ImageName", file.as_str().into()),
            ("ImageType", "Disk".into()),
            ("Interface", interface.into()),
            ("InterfaceVersion", 1.into()),
            ("ReadOnly", disk.read_only.into()),
        ])
    }))
}

/// Forwards are those of the first NIC.
fn networks(spec: &MachineSpec) -> Value {
    list(spec.nics.iter().enumerate().map(|(index, nic)| {
        let forwards = spec.ports.iter().filter(|_| index == 0).map(|forward| {
            dictionary([
                ("GuestAddress", "".into()),
                ("GuestPort", u64::from(forward.guest).into()),
                ("HostAddress", "127.0.0.1".into()),
                ("HostPort", u64::from(forward.host).into()),
                (
                    "Protocol",
                    match forward.protocol {
                        Protocol::Tcp => "TCP".into(),
                        Protocol::Udp => "UDP".into(),
                    },
                ),
            ])
        });
        dictionary([
            ("Hardware", "virtio-net-pci".into()),
            ("IsolateFromHost", false.into()),
            ("MacAddress", nic.mac.to_uppercase().into()),
            ("Mode", "Emulated".into()),
            ("PortForward", list(forwards)),
        ])
    }))
}
