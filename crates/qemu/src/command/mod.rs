//! A plan as a command line. Pure: the same plan and QEMU give the same words, whatever the computer does.

mod block;
mod board;
mod disk;
#[cfg(test)]
mod tests;

pub(crate) use board::board;
pub use board::{disk_buses, has_disk_bus, sata_places};

pub(crate) use block::{Host, Use, chain, layer, raw_read_only};
pub(crate) use disk::{Spot, devices, iothread, plugged};
pub use disk::{expansion_slots, slots_for};

use crate::{
    Capabilities, ImageRef, MachinePlan,
    plan::{MEDIUM_DEVICE, MEDIUM_NODE, NVRAM_NODE, disk_node, nic_device, nic_netdev},
};
use nestbox_model::{Accelerator, Arch, DiskBus, Firmware, ImageFormat, PortForward};
use serde_json::Value;
use std::path::Path;

/// The whole command, `argv[0]` being QEMU's own path. What it may touch is narrowed by its seccomp sandbox;
/// every block node is spelled out (see the module `block`).
pub fn command_line(plan: &MachinePlan, qemu: &Capabilities) -> Vec<String> {
    let board = board(plan.arch);
    let mut line = Line(vec![qemu.binary.to_string_lossy().into_owned()]);
    hardening(&mut line, qemu);
    identity(&mut line, plan);
    processor(&mut line, plan, &board);
    sockets(&mut line, plan);
    firmware(&mut line, plan, &board);
    drives(&mut line, plan, qemu, &board);
    nics(&mut line, plan, &board);
    if let Some(display) = board::display(plan, qemu) {
        line.device(display);
    }
    for device in board::input(plan, qemu) {
        line.device(device);
    }
    helpers(&mut line, qemu, &board);
    disk::slots(&mut line, plan);
    disk::other_disks(&mut line, plan, &board);
    if plan.arch == Arch::X86_64 && qemu.has_device("vmgenid") {
        // New with every process: a guest that goes on from saved memory learns that its random numbers are not
        // its own alone.
        line.device("vmgenid,guid=auto,id=generation");
    }
    if plan.incoming {
        line.flag("-S");
        line.option("-incoming", "defer");
    }
    line.0
}

/// `argv` as one line a POSIX shell reads back as the same words.
pub fn shell_quoted(argv: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    let words = argv.iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A path or name as the value of a `key=value,…` option: commas are doubled.
pub(crate) fn escaped(value: &str) -> String {
    value.replace(',', ",,")
}

/// A forward as QEMU writes it, always on the loopback address.
pub(crate) fn hostfwd(forward: &PortForward) -> String {
    format!(
        "{}:127.0.0.1:{}-:{}",
        forward.protocol.as_str(),
        forward.host,
        forward.guest
    )
}

struct Line(Vec<String>);

impl Line {
    fn flag(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }
    fn option(&mut self, name: &str, value: impl Into<String>) {
        self.0.push(name.to_owned());
        self.0.push(value.into());
    }
    fn device(&mut self, value: impl Into<String>) {
        self.option("-device", value);
    }
    fn blockdev(&mut self, node: &Value) {
        self.option("-blockdev", node.to_string());
    }
}

fn path_value(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

fn hardening(line: &mut Line, qemu: &Capabilities) {
    line.flag("-nodefaults");
    line.flag("-no-user-config");
    if qemu.sandbox {
        line.option(
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        );
    }
}

fn identity(line: &mut Line, plan: &MachinePlan) {
    line.option("-name", format!("guest={},debug-threads=on", escaped(&plan.name)));
    if let Some(uuid) = uuid(plan.id.as_str()) {
        line.option("-uuid", uuid);
    }
}

/// 32 hex digits with the hyphens QEMU wants; ids of any other shape are left out.
fn uuid(id: &str) -> Option<String> {
    if id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some(format!(
        "{}-{}-{}-{}-{}",
        &id[..8],
        &id[8..12],
        &id[12..16],
        &id[16..20],
        &id[20..]
    ))
}

fn processor(line: &mut Line, plan: &MachinePlan, board: &board::Board) {
    let mut machine = board.machine.to_owned();
    if plan.arch == Arch::Aarch64 && plan.accelerator == Accelerator::Hvf {
        // HVF has no emulated GICv3 ITS to choose from.
        machine = "virt".to_owned();
    }
    if plan.firmware_code.is_some() && board.flash && !kernel_firmware(plan) {
        machine.push_str(",pflash0=firmware");
        if plan.nvram.is_some() {
            machine.push_str(",pflash1=nvram");
        }
    }
    line.option("-machine", machine);
    line.option("-accel", plan.accelerator.as_str());
    if !plan.cpu_model.is_empty() {
        line.option("-cpu", plan.cpu_model.clone());
    }
    // One socket: some systems are licensed, and all schedule, by sockets.
    line.option(
        "-smp",
        format!("cpus={0},sockets=1,cores={0},threads=1", plan.cpus),
    );
    line.option("-m", format!("size={}M", plan.memory.div_ceil(1 << 20)));
    line.option(
        "-rtc",
        if plan.clock_local {
            "base=localtime"
        } else {
            "base=utc"
        },
    );
    line.option("-boot", "strict=on");
    line.option("-msg", "timestamp=on");
}

fn sockets(line: &mut Line, plan: &MachinePlan) {
    let socket =
        |id: &str, path: &Path| format!("socket,id={id},path={},server=on,wait=off", path_value(path));
    line.option("-chardev", socket("qmp", &plan.run.qmp()));
    line.option("-mon", "chardev=qmp,mode=control");
    line.option(
        "-chardev",
        format!(
            "{},logfile={},logappend=on",
            socket("serial", &plan.run.serial()),
            path_value(&plan.serial_log)
        ),
    );
    line.option("-serial", "chardev:serial");
    line.option("-chardev", socket("agent", &plan.run.agent()));
    // Viewers share the screen: a picture taken for a thumbnail must not throw the user out.
    line.option(
        "-vnc",
        format!("unix:{},share=force-shared", path_value(&plan.run.vnc())),
    );
}

/// U-Boot offers UEFI on riscv64 but is started as a kernel, not from flash.
fn kernel_firmware(plan: &MachinePlan) -> bool {
    plan.arch == Arch::Riscv64 && plan.nvram.is_none()
}

fn firmware(line: &mut Line, plan: &MachinePlan, board: &board::Board) {
    let Some(code) = &plan.firmware_code else { return };
    if kernel_firmware(plan) {
        line.option("-kernel", code.to_string_lossy());
    } else if board.flash {
        let qcow2 = code.extension().is_some_and(|extension| extension == "qcow2");
        let format = if qcow2 {
            ImageFormat::Qcow2
        } else {
            ImageFormat::Raw
        };
        let image = ImageRef {
            path: code.clone(),
            format,
        };
        line.blockdev(&layer(
            Some("firmware"),
            &image,
            Use::Read,
            Host::default(),
            Value::Null,
        ));
        if let Some(nvram) = &plan.nvram {
            line.blockdev(&block::chain(NVRAM_NODE, nvram, Use::Write, Host::default()));
        }
    } else if plan.firmware == Firmware::Bios {
        line.option("-bios", code.to_string_lossy());
    }
}

/// Boot positions in the plan's order; each kind takes as many numbers as it has devices.
struct BootOrder(Vec<String>);

impl BootOrder {
    fn of(plan: &MachinePlan) -> Self {
        if plan.boot_order.is_empty() {
            return Self(vec!["disk".into(), "media".into()]);
        }
        Self(plan.boot_order.clone())
    }
    /// `,bootindex=N` for the `nth` device of `kind`, nothing when it is not to be started from.
    fn index(&self, kind: &str, nth: usize) -> String {
        match self.0.iter().position(|word| word == kind) {
            Some(place) => format!(",bootindex={}", place * 100 + nth + 1),
            None => String::new(),
        }
    }
}

fn drives(line: &mut Line, plan: &MachinePlan, qemu: &Capabilities, board: &board::Board) {
    let order = BootOrder::of(plan);
    let virtio = board.virtio;
    for (nth, disk) in plan.disks.iter().enumerate() {
        let node = disk_node(&disk.id);
        if let Some(thread) = iothread(disk) {
            line.option("-object", thread.to_string());
        }
        line.blockdev(&block::chain(
            &node,
            &disk.chain,
            disk::purpose(disk),
            Host::of(&disk.connection),
        ));
        // Whatever is not as it always was comes last: addresses are given in this order.
        if disk.connection.bus == DiskBus::Virtio && disk.connection.slot.is_none() {
            for device in devices(disk, board, &Spot::Usual, &node) {
                line.device(format!("{}{}", disk::words(&device), order.index("disk", nth)));
            }
        }
    }
    if let Some(seed) = &plan.seed {
        line.blockdev(&raw_read_only("seed", seed));
        line.device(format!("virtio-blk-{virtio},drive=seed,id=seed"));
    }
    let (device, bus) = if board.scsi_medium {
        ("scsi-cd", "scsi.0")
    } else {
        ("ide-cd", board.ide_bus)
    };
    if !qemu.has_device(device) {
        return;
    }
    if board.scsi_medium {
        line.device(format!("virtio-scsi-{virtio},id=scsi"));
    }
    let drive = match &plan.medium {
        Some(path) => {
            line.blockdev(&raw_read_only(MEDIUM_NODE, path));
            format!(",drive={MEDIUM_NODE}")
        }
        None => String::new(),
    };
    line.device(format!(
        "{device},id={MEDIUM_DEVICE},bus={bus}{drive}{}",
        order.index("media", 0)
    ));
}

fn nics(line: &mut Line, plan: &MachinePlan, board: &board::Board) {
    let order = BootOrder::of(plan);
    for (nth, nic) in plan.nics.iter().enumerate() {
        let netdev = nic_netdev(&nic.id);
        let mut host = format!("user,id={netdev}");
        for forward in &nic.forwards {
            host.push_str(&format!(",hostfwd={}", hostfwd(forward)));
        }
        line.option("-netdev", host);
        let boot = order.index("network", nth);
        // Without network boot the card's boot program would only cost time.
        let rom = if boot.is_empty() && board.virtio == "pci" {
            ",romfile="
        } else {
            ""
        };
        let mac = escaped(&nic.mac);
        let id = nic_device(&nic.id);
        line.device(format!(
            "virtio-net-{},netdev={netdev},id={id},mac={mac}{rom}{boot}",
            board.virtio
        ));
    }
}

fn helpers(line: &mut Line, qemu: &Capabilities, board: &board::Board) {
    let virtio = board.virtio;
    line.option("-object", "rng-builtin,id=entropy");
    line.device(format!("virtio-rng-{virtio},rng=entropy,id=rng"));
    let balloon = format!("virtio-balloon-{virtio}");
    if qemu.has_device(&balloon) {
        line.device(format!(
            "{balloon},id=balloon,deflate-on-oom=on,free-page-reporting=on"
        ));
    }
    line.device(format!("virtio-serial-{virtio},id=channels"));
    line.device("virtserialport,bus=channels.0,chardev=agent,name=org.qemu.guest_agent.0,id=agent-port");
}
