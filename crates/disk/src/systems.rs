//! Which system an image holds, by the name of an ISO's volume or of the file, and what a machine for it should have.
//! A new system is one line in [`SYSTEMS`].

use nestbox_model::{
    Arch,
    units::{GIB, MIB},
};

/// What is known about a family of systems.
#[derive(Debug)]
pub(crate) struct System {
    /// Words that must all be in the name; the first line that fits counts.
    words: &'static [&'static str],
    /// For people.
    pub name: &'static str,
    /// Two letters.
    pub glyph: &'static str,
    /// Bytes.
    pub memory: u64,
    /// Bytes, for a new disk.
    pub disk: u64,
    /// Processors.
    pub cpus: u32,
}

const fn system(
    words: &'static [&'static str],
    name: &'static str,
    glyph: &'static str,
    memory_mib: u64,
    disk_gib: u64,
    cpus: u32,
) -> System {
    System {
        words,
        name,
        glyph,
        memory: memory_mib * MIB,
        disk: disk_gib * GIB,
        cpus,
    }
}

/// Glyph of all Windows systems.
pub(crate) const WINDOWS_GLYPH: &str = "Wi";

/// When nothing is known.
pub(crate) const UNKNOWN: System = system(&[], "", "VM", 2048, 20, 2);

const SYSTEMS: &[System] = &[
    system(&["ubuntu", "server"], "Ubuntu Server", "Ub", 3072, 25, 2),
    system(&["kubuntu"], "Kubuntu", "Ku", 4096, 25, 2),
    system(&["xubuntu"], "Xubuntu", "Xu", 4096, 25, 2),
    system(&["lubuntu"], "Lubuntu", "Lu", 4096, 25, 2),
    system(&["ubuntu"], "Ubuntu", "Ub", 4096, 25, 2),
    system(&["noble"], "Ubuntu", "Ub", 4096, 25, 2),
    system(&["resolute"], "Ubuntu", "Ub", 4096, 25, 2),
    system(&["linux mint"], "Linux Mint", "Mi", 4096, 25, 2),
    system(&["linuxmint"], "Linux Mint", "Mi", 4096, 25, 2),
    system(&["pop os"], "Pop!_OS", "Po", 4096, 25, 2),
    system(&["kali"], "Kali Linux", "Ka", 4096, 30, 2),
    system(&["d live"], "Debian Live", "De", 2048, 20, 2),
    system(&["debian"], "Debian", "De", 2048, 20, 2),
    system(&["raspios"], "Raspberry Pi OS", "Ra", 2048, 16, 2),
    system(&["fedora", "ws"], "Fedora Workstation", "Fe", 4096, 25, 2),
    system(
        &["fedora", "workstation"],
        "Fedora Workstation",
        "Fe",
        4096,
        25,
        2,
    ),
    system(&["fedora"], "Fedora", "Fe", 2048, 20, 2),
    system(&["centos"], "CentOS Stream", "Ce", 3072, 25, 2),
    system(&["rocky"], "Rocky Linux", "Ro", 3072, 25, 2),
    system(&["almalinux"], "AlmaLinux", "Al", 3072, 25, 2),
    system(&["rhel"], "Red Hat Enterprise Linux", "Rh", 3072, 25, 2),
    system(&["opensuse"], "openSUSE", "Su", 3072, 30, 2),
    system(&["suse"], "SUSE Linux", "Su", 3072, 30, 2),
    system(&["alpine"], "Alpine Linux", "Al", 512, 8, 1),
    system(&["archboot"], "Arch Linux", "Ar", 2048, 20, 2),
    system(&["arch linux"], "Arch Linux", "Ar", 2048, 20, 2),
    system(&["archlinux"], "Arch Linux", "Ar", 2048, 20, 2),
    // `ARCH_202601`
    system(&["arch 20"], "Arch Linux", "Ar", 2048, 20, 2),
    system(&["manjaro"], "Manjaro", "Ma", 4096, 30, 2),
    system(&["endeavouros"], "EndeavourOS", "En", 4096, 30, 2),
    system(&["nixos"], "NixOS", "Ni", 4096, 30, 2),
    system(&["gentoo"], "Gentoo", "Ge", 4096, 40, 4),
    system(&["void live"], "Void Linux", "Vo", 2048, 20, 2),
    system(&["slackware"], "Slackware", "Sl", 2048, 30, 2),
    system(&["tails"], "Tails", "Ta", 3072, 10, 2),
    system(&["grml"], "Grml", "Gr", 2048, 10, 2),
    system(&["systemrescue"], "SystemRescue", "Sy", 2048, 10, 2),
    system(&["clonezilla"], "Clonezilla", "Cl", 1024, 10, 1),
    system(&["gparted"], "GParted Live", "Gp", 1024, 10, 1),
    system(&["proxmox"], "Proxmox VE", "Px", 4096, 40, 2),
    system(&["pve"], "Proxmox VE", "Px", 4096, 40, 2),
    system(&["truenas"], "TrueNAS", "Tn", 8192, 40, 2),
    system(&["haiku"], "Haiku", "Ha", 2048, 10, 2),
    system(&["reactos"], "ReactOS", "Re", 1024, 10, 1),
    system(&["freebsd"], "FreeBSD", "Fb", 2048, 20, 2),
    system(&["openbsd"], "OpenBSD", "Ob", 2048, 20, 2),
    system(&["netbsd"], "NetBSD", "Nb", 2048, 20, 2),
    system(&["dragonfly"], "DragonFly BSD", "Df", 2048, 20, 2),
    system(&["virtio win"], "virtio drivers for Windows", "Vi", 2048, 20, 1),
    // Windows: `CCCOMA_X64FRE_EN-US_DV9`, `SSS_X64FRE…` (Server), `CPBA_A64FRE…`, …
    system(&["sss x64fre"], "Windows Server", "Wi", 4096, 64, 2),
    system(&["windows server"], "Windows Server", "Wi", 4096, 64, 2),
    system(&["x64fre"], "Windows", "Wi", 4096, 64, 2),
    system(&["a64fre"], "Windows", "Wi", 4096, 64, 2),
    system(&["x86fre"], "Windows", "Wi", 2048, 40, 2),
    system(&["win11"], "Windows 11", "Wi", 4096, 64, 2),
    system(&["windows"], "Windows", "Wi", 4096, 64, 2),
];

/// The system that `name` speaks of, in words with its version where the name has one.
pub(crate) fn guess(name: &str) -> Option<(&'static System, String)> {
    let plain = words_of(name);
    let system = SYSTEMS.iter().find(|system| {
        system
            .words
            .iter()
            .all(|word| plain.contains(&format!(" {word}")))
    })?;
    let version = version_in(name).filter(|_| !system.name.contains(|c: char| c.is_ascii_digit()));
    let lts = if plain.contains(" lts ") { " LTS" } else { "" };
    let words = match version {
        Some(version) => format!("{} {version}{lts}", system.name),
        None => system.name.to_owned(),
    };
    Some((system, words))
}

/// The architecture that `name` speaks of.
pub(crate) fn arch_in(name: &str) -> Option<Arch> {
    let plain = words_of(name);
    let has = |word: &str| plain.contains(&format!(" {word} "));
    let table = [
        (Arch::Aarch64, &["arm64", "aarch64", "a64fre"][..]),
        (Arch::Riscv64, &["riscv64"][..]),
        (Arch::X86_64, &["amd64", "x86 64", "x64", "x64fre"][..]),
        (Arch::S390x, &["s390x"][..]),
        (Arch::Ppc64, &["ppc64le", "ppc64el", "ppc64", "powerpc64"][..]),
        (Arch::Arm, &["armhf", "armv7", "armel"][..]),
        (Arch::I386, &["i386", "i586", "i686", "x86fre"][..]),
    ];
    table
        .into_iter()
        .find(|(_, words)| words.iter().any(|word| has(word)))
        .map(|(arch, _)| arch)
}

/// Lower case, every run of other characters than letters and digits one space, spaces around.
fn words_of(name: &str) -> String {
    let mut out = String::from(" ");
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            out.push(c);
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    if !out.ends_with(' ') {
        out.push(' ');
    }
    out
}

/// The first thing in `name` that looks like a version: `24.04.2`, `13`, `9.5`; not dates, not `64`.
fn version_in(name: &str) -> Option<String> {
    name.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'))
        .map(|word| word.trim_start_matches(['v', 'V', 'r']).trim_matches('.'))
        .map(|word| {
            word.trim_end_matches(|c: char| c.is_ascii_alphabetic())
                .trim_matches('.')
        })
        .find(|word| {
            let digits = word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let whole = !word.contains('.');
            digits
                && !word.is_empty()
                && word.len() <= 10
                && (!whole || (word.len() <= 2 && !matches!(*word, "64" | "32" | "86")))
        })
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_real_volumes_and_files_are_understood() {
        for (name, words, arch) in [
            (
                "Ubuntu-Server 24.04.2 LTS amd64",
                Some("Ubuntu Server 24.04.2 LTS"),
                Some(Arch::X86_64),
            ),
            (
                "Ubuntu 26.04 LTS arm64",
                Some("Ubuntu 26.04 LTS"),
                Some(Arch::Aarch64),
            ),
            (
                "Debian 13.1.0 arm64 n",
                Some("Debian 13.1.0"),
                Some(Arch::Aarch64),
            ),
            ("Fedora-WS-Live-44", Some("Fedora Workstation 44"), None),
            (
                "alpine-std 3.23.4 x86_64",
                Some("Alpine Linux 3.23.4"),
                Some(Arch::X86_64),
            ),
            ("ARCH_202601", Some("Arch Linux"), None),
            ("CCCOMA_X64FRE_EN-US_DV9", Some("Windows"), Some(Arch::X86_64)),
            ("CCCOMA_A64FRE_EN-US_DV9", Some("Windows"), Some(Arch::Aarch64)),
            ("15_1_RELEASE_AMD64_DVD", None, Some(Arch::X86_64)),
            (
                "FreeBSD-15.1-RELEASE-arm64-aarch64.qcow2",
                Some("FreeBSD 15.1"),
                Some(Arch::Aarch64),
            ),
            (
                "ubuntu-24.04-server-cloudimg-riscv64.img",
                Some("Ubuntu Server 24.04"),
                Some(Arch::Riscv64),
            ),
            (
                "debian-13-genericcloud-amd64.qcow2",
                Some("Debian 13"),
                Some(Arch::X86_64),
            ),
            ("win11_en-us.iso", Some("Windows 11"), None),
            ("MY_DATA", None, None),
            ("", None, None),
        ] {
            assert_eq!(guess(name).map(|(_, words)| words).as_deref(), words, "{name}");
            assert_eq!(arch_in(name), arch, "{name}");
        }
    }
}
