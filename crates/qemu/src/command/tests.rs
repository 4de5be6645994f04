use super::*;
use crate::{DiskPlan, MemorySupport, NicPlan};
use nestbox_model::{DiskId, LinkState, MachineId, NicId, Protocol, layout::RunFolder};
use std::collections::BTreeSet;

fn qemu(arch: Arch) -> Capabilities {
    let devices = [
        "virtio-vga",
        "VGA",
        "virtio-gpu-pci",
        "virtio-gpu-ccw",
        "qemu-xhci",
        "usb-tablet",
        "usb-kbd",
        "ide-cd",
        "scsi-cd",
        "virtio-balloon-pci",
        "virtio-balloon-ccw",
        "virtio-keyboard-ccw",
        "virtio-tablet-ccw",
        "vmgenid",
    ];
    Capabilities {
        binary: format!("/usr/bin/qemu-system-{arch}").into(),
        version: (10, 0, 2),
        devices: devices.iter().map(|&name| name.to_owned()).collect(),
        machines: BTreeSet::new(),
        sandbox: true,
        user_network: true,
        memory: MemorySupport::default(),
    }
}

fn qcow2(path: &str) -> ImageRef {
    ImageRef {
        path: path.into(),
        format: ImageFormat::Qcow2,
    }
}

fn plan(arch: Arch) -> MachinePlan {
    MachinePlan {
        id: MachineId::from_text("00112233445566778899aabbccddeeff"),
        name: "ubuntu".into(),
        arch,
        cpus: 2,
        memory: 2 << 30,
        firmware: Firmware::Uefi,
        firmware_code: Some("/fw/CODE.fd".into()),
        nvram: Some(vec![qcow2("/m/nvram/1.qcow2")]),
        accelerator: Accelerator::Tcg,
        cpu_model: "max".into(),
        disks: vec![DiskPlan {
            id: DiskId::from_text("0a0a0a0a00000000"),
            chain: vec![
                qcow2("/m/disks/1.qcow2"),
                ImageRef {
                    path: "/base.img".into(),
                    format: ImageFormat::Raw,
                },
            ],
            read_only: false,
            connection: Default::default(),
        }],
        images: "/m/disks".into(),
        expansion_slots: 0,
        seed: Some("/m/seed.img".into()),
        medium: None,
        nics: vec![NicPlan {
            id: NicId::from_text("0b0b0b0b00000000"),
            mac: "52:54:00:12:34:56".into(),
            link: LinkState::Up,
            forwards: vec![
                PortForward {
                    protocol: Protocol::Tcp,
                    host: 2222,
                    guest: 22,
                },
                PortForward {
                    protocol: Protocol::Udp,
                    host: 0,
                    guest: 53,
                },
            ],
        }],
        resolution: (1280, 800),
        clock_local: false,
        boot_order: vec![],
        run: RunFolder("/run/0011".into()),
        serial_log: "/m/logs/serial.log".into(),
        backend_log: "/m/logs/qemu.log".into(),
        incoming: false,
    }
}

/// One option a line, as it would be read aloud.
fn lines(plan: &MachinePlan) -> String {
    let mut text = String::new();
    for word in command_line(plan, &qemu(plan.arch)) {
        let option = word.starts_with('-') && word[1..].starts_with(|c: char| c.is_ascii_alphabetic());
        text.push_str(if text.is_empty() {
            ""
        } else if option {
            "\n"
        } else {
            " "
        });
        text.push_str(&word);
    }
    text
}

#[test]
fn x86_64_with_uefi_disk_seed_and_forwards() {
    insta::assert_snapshot!(lines(&plan(Arch::X86_64)), @r#"
    /usr/bin/qemu-system-x86_64
    -nodefaults
    -no-user-config
    -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
    -name guest=ubuntu,debug-threads=on
    -uuid 00112233-4455-6677-8899-aabbccddeeff
    -machine q35,pflash0=firmware,pflash1=nvram
    -accel tcg
    -cpu max
    -smp cpus=2,sockets=1,cores=2,threads=1
    -m size=2048M
    -rtc base=utc
    -boot strict=on
    -msg timestamp=on
    -chardev socket,id=qmp,path=/run/0011/qmp.sock,server=on,wait=off
    -mon chardev=qmp,mode=control
    -chardev socket,id=serial,path=/run/0011/serial.sock,server=on,wait=off,logfile=/m/logs/serial.log,logappend=on
    -serial chardev:serial
    -chardev socket,id=agent,path=/run/0011/agent.sock,server=on,wait=off
    -vnc unix:/run/0011/vnc.sock,share=force-shared
    -blockdev {"driver":"raw","file":{"driver":"file","filename":"/fw/CODE.fd","locking":"on","read-only":true},"node-name":"firmware","read-only":true}
    -blockdev {"backing":null,"detect-zeroes":"unmap","discard":"unmap","driver":"qcow2","file":{"discard":"unmap","driver":"file","filename":"/m/nvram/1.qcow2","locking":"on"},"node-name":"nvram"}
    -blockdev {"backing":{"driver":"raw","file":{"driver":"file","filename":"/base.img","locking":"on","read-only":true},"node-name":"disk-0a0a0a0a-1","read-only":true},"detect-zeroes":"unmap","discard":"unmap","driver":"qcow2","file":{"discard":"unmap","driver":"file","filename":"/m/disks/1.qcow2","locking":"on"},"node-name":"disk-0a0a0a0a"}
    -device virtio-blk-pci,drive=disk-0a0a0a0a,id=disk-0a0a0a0a,serial=0a0a0a0a,bootindex=1
    -blockdev {"driver":"raw","file":{"driver":"file","filename":"/m/seed.img","locking":"on","read-only":true},"node-name":"seed","read-only":true}
    -device virtio-blk-pci,drive=seed,id=seed
    -device ide-cd,id=medium,bus=ide.0,bootindex=101
    -netdev user,id=net-0b0b0b0b,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp:127.0.0.1:0-:53
    -device virtio-net-pci,netdev=net-0b0b0b0b,id=nic-0b0b0b0b,mac=52:54:00:12:34:56,romfile=
    -device virtio-vga,id=display,xres=1280,yres=800
    -device qemu-xhci,id=usb
    -device usb-tablet,id=tablet,bus=usb.0
    -device usb-kbd,id=keyboard,bus=usb.0
    -object rng-builtin,id=entropy
    -device virtio-rng-pci,rng=entropy,id=rng
    -device virtio-balloon-pci,id=balloon,deflate-on-oom=on,free-page-reporting=on
    -device virtio-serial-pci,id=channels
    -device virtserialport,bus=channels.0,chardev=agent,name=org.qemu.guest_agent.0,id=agent-port
    -device vmgenid,guid=auto,id=generation
    "#);
}

#[test]
fn x86_64_with_bios_installs_from_an_iso() {
    let mut plan = plan(Arch::X86_64);
    plan.firmware = Firmware::Bios;
    plan.firmware_code = None;
    plan.nvram = None;
    plan.seed = None;
    plan.nics.clear();
    plan.disks[0].chain.truncate(1);
    plan.medium = Some("/home/me/debian 13.iso".into());
    plan.boot_order = vec!["media".into(), "disk".into(), "network".into()];
    plan.clock_local = true;
    insta::assert_snapshot!(lines(&plan), @r#"
    /usr/bin/qemu-system-x86_64
    -nodefaults
    -no-user-config
    -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
    -name guest=ubuntu,debug-threads=on
    -uuid 00112233-4455-6677-8899-aabbccddeeff
    -machine q35
    -accel tcg
    -cpu max
    -smp cpus=2,sockets=1,cores=2,threads=1
    -m size=2048M
    -rtc base=localtime
    -boot strict=on
    -msg timestamp=on
    -chardev socket,id=qmp,path=/run/0011/qmp.sock,server=on,wait=off
    -mon chardev=qmp,mode=control
    -chardev socket,id=serial,path=/run/0011/serial.sock,server=on,wait=off,logfile=/m/logs/serial.log,logappend=on
    -serial chardev:serial
    -chardev socket,id=agent,path=/run/0011/agent.sock,server=on,wait=off
    -vnc unix:/run/0011/vnc.sock,share=force-shared
    -blockdev {"backing":null,"detect-zeroes":"unmap","discard":"unmap","driver":"qcow2","file":{"discard":"unmap","driver":"file","filename":"/m/disks/1.qcow2","locking":"on"},"node-name":"disk-0a0a0a0a"}
    -device virtio-blk-pci,drive=disk-0a0a0a0a,id=disk-0a0a0a0a,serial=0a0a0a0a,bootindex=101
    -blockdev {"driver":"raw","file":{"driver":"file","filename":"/home/me/debian 13.iso","locking":"on","read-only":true},"node-name":"medium-0","read-only":true}
    -device ide-cd,id=medium,bus=ide.0,drive=medium-0,bootindex=1
    -device VGA,id=display,vgamem_mb=16,xres=1280,yres=800
    -device qemu-xhci,id=usb
    -device usb-tablet,id=tablet,bus=usb.0
    -object rng-builtin,id=entropy
    -device virtio-rng-pci,rng=entropy,id=rng
    -device virtio-balloon-pci,id=balloon,deflate-on-oom=on,free-page-reporting=on
    -device virtio-serial-pci,id=channels
    -device virtserialport,bus=channels.0,chardev=agent,name=org.qemu.guest_agent.0,id=agent-port
    -device vmgenid,guid=auto,id=generation
    "#);
}

#[test]
fn aarch64_goes_on_from_memory_with_a_snapshot_chain() {
    let mut plan = plan(Arch::Aarch64);
    plan.incoming = true;
    plan.seed = None;
    plan.disks[0].chain.insert(0, qcow2("/m/disks/2.qcow2"));
    plan.nvram = Some(vec![qcow2("/m/nvram/2.qcow2"), qcow2("/m/nvram/1.qcow2")]);
    insta::assert_snapshot!(lines(&plan), @r#"
    /usr/bin/qemu-system-aarch64
    -nodefaults
    -no-user-config
    -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
    -name guest=ubuntu,debug-threads=on
    -uuid 00112233-4455-6677-8899-aabbccddeeff
    -machine virt,gic-version=max,pflash0=firmware,pflash1=nvram
    -accel tcg
    -cpu max
    -smp cpus=2,sockets=1,cores=2,threads=1
    -m size=2048M
    -rtc base=utc
    -boot strict=on
    -msg timestamp=on
    -chardev socket,id=qmp,path=/run/0011/qmp.sock,server=on,wait=off
    -mon chardev=qmp,mode=control
    -chardev socket,id=serial,path=/run/0011/serial.sock,server=on,wait=off,logfile=/m/logs/serial.log,logappend=on
    -serial chardev:serial
    -chardev socket,id=agent,path=/run/0011/agent.sock,server=on,wait=off
    -vnc unix:/run/0011/vnc.sock,share=force-shared
    -blockdev {"driver":"raw","file":{"driver":"file","filename":"/fw/CODE.fd","locking":"on","read-only":true},"node-name":"firmware","read-only":true}
    -blockdev {"backing":{"backing":null,"detect-zeroes":"unmap","discard":"unmap","driver":"qcow2","file":{"discard":"unmap","driver":"file","filename":"/m/nvram/1.qcow2","locking":"on"},"node-name":"nvram-1","read-only":true},"detect-zeroes":"unmap","discard":"unmap","driver":"qcow2","file":{"discard":"unmap","driver":"file","filename":"/m/nvram/2.qcow2","locking":"on"},"node-name":"nvram"}
    -blockdev {"backing":{"backing":{"driver":"raw","file":{"driver":"file","filename":"/base.img","locking":"on","read-only":true},"node-name":"disk-0a0a0a0a-2","read-only":true},"detect-zeroes":"unmap","discard":"unmap","driver":"qcow2","file":{"discard":"unmap","driver":"file","filename":"/m/disks/1.qcow2","locking":"on"},"node-name":"disk-0a0a0a0a-1","read-only":true},"detect-zeroes":"unmap","discard":"unmap","driver":"qcow2","file":{"discard":"unmap","driver":"file","filename":"/m/disks/2.qcow2","locking":"on"},"node-name":"disk-0a0a0a0a"}
    -device virtio-blk-pci,drive=disk-0a0a0a0a,id=disk-0a0a0a0a,serial=0a0a0a0a,bootindex=1
    -device virtio-scsi-pci,id=scsi
    -device scsi-cd,id=medium,bus=scsi.0,bootindex=101
    -netdev user,id=net-0b0b0b0b,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp:127.0.0.1:0-:53
    -device virtio-net-pci,netdev=net-0b0b0b0b,id=nic-0b0b0b0b,mac=52:54:00:12:34:56,romfile=
    -device virtio-gpu-pci,id=display,xres=1280,yres=800
    -device qemu-xhci,id=usb
    -device usb-tablet,id=tablet,bus=usb.0
    -device usb-kbd,id=keyboard,bus=usb.0
    -object rng-builtin,id=entropy
    -device virtio-rng-pci,rng=entropy,id=rng
    -device virtio-balloon-pci,id=balloon,deflate-on-oom=on,free-page-reporting=on
    -device virtio-serial-pci,id=channels
    -device virtserialport,bus=channels.0,chardev=agent,name=org.qemu.guest_agent.0,id=agent-port
    -S
    -incoming defer
    "#);
}

#[test]
fn riscv64_starts_uboot_as_a_kernel() {
    let mut plan = plan(Arch::Riscv64);
    plan.nvram = None;
    plan.firmware_code = Some("/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin".into());
    plan.nics.clear();
    plan.seed = None;
    insta::assert_snapshot!(lines(&plan), @r#"
    /usr/bin/qemu-system-riscv64
    -nodefaults
    -no-user-config
    -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
    -name guest=ubuntu,debug-threads=on
    -uuid 00112233-4455-6677-8899-aabbccddeeff
    -machine virt
    -accel tcg
    -cpu max
    -smp cpus=2,sockets=1,cores=2,threads=1
    -m size=2048M
    -rtc base=utc
    -boot strict=on
    -msg timestamp=on
    -chardev socket,id=qmp,path=/run/0011/qmp.sock,server=on,wait=off
    -mon chardev=qmp,mode=control
    -chardev socket,id=serial,path=/run/0011/serial.sock,server=on,wait=off,logfile=/m/logs/serial.log,logappend=on
    -serial chardev:serial
    -chardev socket,id=agent,path=/run/0011/agent.sock,server=on,wait=off
    -vnc unix:/run/0011/vnc.sock,share=force-shared
    -kernel /usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin
    -blockdev {"backing":{"driver":"raw","file":{"driver":"file","filename":"/base.img","locking":"on","read-only":true},"node-name":"disk-0a0a0a0a-1","read-only":true},"detect-zeroes":"unmap","discard":"unmap","driver":"qcow2","file":{"discard":"unmap","driver":"file","filename":"/m/disks/1.qcow2","locking":"on"},"node-name":"disk-0a0a0a0a"}
    -device virtio-blk-pci,drive=disk-0a0a0a0a,id=disk-0a0a0a0a,serial=0a0a0a0a,bootindex=1
    -device virtio-scsi-pci,id=scsi
    -device scsi-cd,id=medium,bus=scsi.0,bootindex=101
    -device virtio-gpu-pci,id=display,xres=1280,yres=800
    -device qemu-xhci,id=usb
    -device usb-tablet,id=tablet,bus=usb.0
    -device usb-kbd,id=keyboard,bus=usb.0
    -object rng-builtin,id=entropy
    -device virtio-rng-pci,rng=entropy,id=rng
    -device virtio-balloon-pci,id=balloon,deflate-on-oom=on,free-page-reporting=on
    -device virtio-serial-pci,id=channels
    -device virtserialport,bus=channels.0,chardev=agent,name=org.qemu.guest_agent.0,id=agent-port
    "#);
}

#[test]
fn s390x_speaks_ccw() {
    let mut plan = plan(Arch::S390x);
    plan.firmware_code = None;
    plan.nvram = None;
    plan.seed = None;
    insta::assert_snapshot!(lines(&plan), @r#"
    /usr/bin/qemu-system-s390x
    -nodefaults
    -no-user-config
    -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
    -name guest=ubuntu,debug-threads=on
    -uuid 00112233-4455-6677-8899-aabbccddeeff
    -machine s390-ccw-virtio
    -accel tcg
    -cpu max
    -smp cpus=2,sockets=1,cores=2,threads=1
    -m size=2048M
    -rtc base=utc
    -boot strict=on
    -msg timestamp=on
    -chardev socket,id=qmp,path=/run/0011/qmp.sock,server=on,wait=off
    -mon chardev=qmp,mode=control
    -chardev socket,id=serial,path=/run/0011/serial.sock,server=on,wait=off,logfile=/m/logs/serial.log,logappend=on
    -serial chardev:serial
    -chardev socket,id=agent,path=/run/0011/agent.sock,server=on,wait=off
    -vnc unix:/run/0011/vnc.sock,share=force-shared
    -blockdev {"backing":{"driver":"raw","file":{"driver":"file","filename":"/base.img","locking":"on","read-only":true},"node-name":"disk-0a0a0a0a-1","read-only":true},"detect-zeroes":"unmap","discard":"unmap","driver":"qcow2","file":{"discard":"unmap","driver":"file","filename":"/m/disks/1.qcow2","locking":"on"},"node-name":"disk-0a0a0a0a"}
    -device virtio-blk-ccw,drive=disk-0a0a0a0a,id=disk-0a0a0a0a,serial=0a0a0a0a,bootindex=1
    -device virtio-scsi-ccw,id=scsi
    -device scsi-cd,id=medium,bus=scsi.0,bootindex=101
    -netdev user,id=net-0b0b0b0b,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp:127.0.0.1:0-:53
    -device virtio-net-ccw,netdev=net-0b0b0b0b,id=nic-0b0b0b0b,mac=52:54:00:12:34:56
    -device virtio-gpu-ccw,id=display,xres=1280,yres=800
    -device virtio-keyboard-ccw,id=virtio-keyboard-ccw
    -device virtio-tablet-ccw,id=virtio-tablet-ccw
    -object rng-builtin,id=entropy
    -device virtio-rng-ccw,rng=entropy,id=rng
    -device virtio-balloon-ccw,id=balloon,deflate-on-oom=on,free-page-reporting=on
    -device virtio-serial-ccw,id=channels
    -device virtserialport,bus=channels.0,chardev=agent,name=org.qemu.guest_agent.0,id=agent-port
    "#);
}

#[test]
fn odd_names_stay_one_word_and_one_value() {
    let mut plan = plan(Arch::X86_64);
    plan.name = "Grüße, \"you\" & 'me',incoming=tcp:0.0.0.0".into();
    plan.run = RunFolder("/tmp/a,b c/run".into());
    plan.serial_log = "/tmp/a,b c/it's \"serial\".log".into();
    plan.disks[0].chain = vec![qcow2("/tmp/a,b c/dïsk \"1\",format=raw.qcow2")];
    plan.medium = Some("json:{\"driver\":\"nbd\"}".into());
    let argv = command_line(&plan, &qemu(plan.arch));
    let value = |option: &str, start: &str| {
        let at = argv
            .windows(2)
            .position(|pair| pair[0] == option && pair[1].starts_with(start));
        argv[at.unwrap() + 1].clone()
    };
    insta::assert_snapshot!(value("-name", ""), @r#"guest=Grüße,, "you" & 'me',,incoming=tcp:0.0.0.0,debug-threads=on"#);
    insta::assert_snapshot!(value("-chardev", "socket,id=serial"), @r#"socket,id=serial,path=/tmp/a,,b c/run/serial.sock,server=on,wait=off,logfile=/tmp/a,,b c/it's "serial".log,logappend=on"#);
    insta::assert_snapshot!(value("-vnc", ""), @r#"unix:/tmp/a,,b c/run/vnc.sock,share=force-shared"#);
    let disk: Value = serde_json::from_str(&value("-blockdev", "{\"backing\":null")).unwrap();
    assert_eq!(disk["driver"], "qcow2");
    let disk: Vec<Value> = argv
        .iter()
        .filter_map(|word| serde_json::from_str(word).ok())
        .collect();
    let names: Vec<&str> = disk
        .iter()
        .filter_map(|node| node["file"]["filename"].as_str())
        .collect();
    assert!(names.contains(&"/tmp/a,b c/dïsk \"1\",format=raw.qcow2"));
    assert!(
        names.contains(&"json:{\"driver\":\"nbd\"}"),
        "a name is a name for the driver file"
    );
    assert!(disk.iter().all(|node| node["file"]["driver"] != "nbd"));
}

#[test]
fn nothing_is_probed_and_every_chain_has_an_end() {
    let mut plan = plan(Arch::X86_64);
    plan.medium = Some("/x.iso".into());
    fn check(node: &Value) {
        assert!(node["driver"].is_string(), "{node}");
        match node["driver"].as_str() {
            Some("qcow2") => {
                let below = node.get("backing").expect("a stated backing");
                if !below.is_null() {
                    assert_eq!(below["read-only"], true);
                    check(below);
                }
                check(&node["file"]);
            }
            Some("raw") => check(&node["file"]),
            Some("file") => assert_eq!(node["locking"], "on"),
            other => panic!("{other:?}"),
        }
    }
    let argv = command_line(&plan, &qemu(plan.arch));
    let nodes: Vec<&String> = argv
        .windows(2)
        .filter(|pair| pair[0] == "-blockdev")
        .map(|pair| &pair[1])
        .collect();
    assert_eq!(nodes.len(), 5);
    for node in nodes {
        check(&serde_json::from_str(node).unwrap());
    }
    assert!(
        !argv
            .iter()
            .any(|word| word == "-drive" || word == "-hda" || word == "-cdrom")
    );
}

#[test]
fn shells_read_back_the_same_words() {
    let words = [
        "a",
        "",
        "it's",
        "$HOME `x` \"q\"",
        "back\\slash",
        "ü, ;&|<>*?[]#~!",
        "a=b,c:/d_e-f.g@h%i+j",
    ];
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let script = format!(
        "for word in {}; do printf '%s\\n' \"$word\"; done",
        shell_quoted(&words)
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    let back: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(back, words);
}
