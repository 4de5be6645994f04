//! Which package brings what, per operating system: the one table behind every “install it with …”.

use nestbox_model::Arch;
use std::{fs, path::Path};

/// Something Nestbox needs from the system's package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// `qemu-system-<arch>`.
    Qemu(Arch),
    /// `qemu-img` and its relatives.
    QemuImg,
    /// UEFI firmware for guests of this architecture.
    Firmware(Arch),
}

/// The exact command (or, where there is none, the sentence) that installs `need` on this computer.
pub fn install_hint(need: Need) -> String {
    hint_on(&System::of_this_computer(), need)
}

/// A family of package managers with the same package names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Debian,
    Ubuntu,
    Fedora,
    Arch,
    Suse,
    Alpine,
    Homebrew,
    MacPorts,
    Windows,
    Unknown,
}

/// What decides the command.
#[derive(Clone, Debug)]
struct System {
    family: Family,
    /// `12`, `24.04`; 0 when unknown.
    version: (u32, u32),
    /// `bookworm`.
    codename: String,
    /// A QEMU part from backports is installed: parts from the release itself would conflict with it.
    has_backports_qemu: bool,
    /// Apt already knows the backports suite.
    backports_listed: bool,
    root: bool,
}

fn hint_on(system: &System, need: Need) -> String {
    let Some(package) = package(system, need) else {
        return match need {
            Need::Qemu(arch) => {
                format!("Install the package of your system that has the program qemu-system-{arch}.")
            }
            Need::QemuImg => "Install the package of your system that has the program qemu-img.".to_owned(),
            Need::Firmware(arch) => format!(
                "This system has no package with UEFI firmware for {} guests. Choose the firmware “bios” for the \
                 machine, or use a newer release of the system.",
                arch.common_name()
            ),
        };
    };
    let sudo = if system.root { "" } else { "sudo " };
    match system.family {
        Family::Debian if system.has_backports_qemu => {
            let suite = format!("{}-backports", system.codename);
            let install = format!("{sudo}apt-get install -t {suite} {package}");
            if system.backports_listed {
                install
            } else {
                // Which server the user trusts is theirs to say: the suite goes beside the release's own.
                format!(
                    "Add the suite {suite} to the Debian sources in /etc/apt, beside {}, then run: {sudo}apt-get update \
                     && {install}",
                    system.codename
                )
            }
        }
        Family::Debian | Family::Ubuntu => format!("{sudo}apt-get install {package}"),
        Family::Fedora => format!("{sudo}dnf install {package}"),
        Family::Arch => format!("{sudo}pacman -S {package}"),
        Family::Suse => format!("{sudo}zypper install {package}"),
        Family::Alpine => format!("{sudo}apk add {package}"),
        Family::Homebrew => format!("brew install {package}"),
        Family::MacPorts => format!("sudo port install {package}"),
        Family::Windows => format!("winget install {package}"),
        Family::Unknown => package.to_owned(),
    }
}

/// The table. `None`: no such package there.
fn package(system: &System, need: Need) -> Option<&'static str> {
    use Arch::{Aarch64, Arm, I386, Ppc64, Riscv64, S390x, X86_64};
    // QEMU 9.2 and later split riscv64 out of qemu-system-misc, and bring s390x beside it.
    let split_misc = match system.family {
        Family::Debian => system.has_backports_qemu || system.version >= (13, 0) || system.version == (0, 0),
        Family::Ubuntu => system.version >= (25, 4),
        _ => false,
    };
    Some(match (system.family, need) {
        (Family::Unknown, _) => return None,
        (Family::Homebrew | Family::MacPorts, _) => "qemu",
        (Family::Windows, _) => "SoftwareFreedomConservancy.QEMU",

        (Family::Debian | Family::Ubuntu, Need::QemuImg) => "qemu-utils",
        (Family::Debian | Family::Ubuntu, Need::Qemu(arch)) => match arch {
            X86_64 | I386 => "qemu-system-x86",
            Aarch64 | Arm => "qemu-system-arm",
            Riscv64 if split_misc => "qemu-system-riscv",
            S390x if split_misc || system.family == Family::Ubuntu => "qemu-system-s390x",
            Riscv64 | S390x => "qemu-system-misc",
            Ppc64 => "qemu-system-ppc",
        },
        (Family::Debian | Family::Ubuntu, Need::Firmware(arch)) => match arch {
            X86_64 => "ovmf",
            I386 => "ovmf-ia32",
            Aarch64 => "qemu-efi-aarch64",
            Arm => "qemu-efi-arm",
            Riscv64 if system.family == Family::Debian && (1..13).contains(&system.version.0) => return None,
            Riscv64 => "qemu-efi-riscv64",
            Ppc64 | S390x => return None,
        },

        (Family::Fedora, Need::QemuImg) => "qemu-img",
        (Family::Fedora, Need::Qemu(arch)) => match arch {
            X86_64 | I386 => "qemu-system-x86",
            Aarch64 => "qemu-system-aarch64",
            Arm => "qemu-system-arm",
            Riscv64 => "qemu-system-riscv",
            Ppc64 => "qemu-system-ppc",
            S390x => "qemu-system-s390x",
        },
        (Family::Fedora, Need::Firmware(arch)) => match arch {
            X86_64 => "edk2-ovmf",
            I386 => "edk2-ovmf-ia32",
            Aarch64 => "edk2-aarch64",
            Riscv64 => "edk2-riscv64",
            Arm | Ppc64 | S390x => return None,
        },

        (Family::Arch, Need::QemuImg) => "qemu-img",
        (Family::Arch, Need::Qemu(X86_64)) => "qemu-desktop",
        (Family::Arch, Need::Qemu(_)) => "qemu-full",
        (Family::Arch, Need::Firmware(arch)) => match arch {
            X86_64 | I386 => "edk2-ovmf",
            Aarch64 => "edk2-aarch64",
            Arm => "edk2-arm",
            Riscv64 => "edk2-riscv64",
            Ppc64 | S390x => return None,
        },

        (Family::Suse, Need::QemuImg) => "qemu-img",
        (Family::Suse, Need::Qemu(arch)) => match arch {
            X86_64 | I386 => "qemu-x86",
            Aarch64 | Arm => "qemu-arm",
            Riscv64 => "qemu-extra",
            Ppc64 => "qemu-ppc",
            S390x => "qemu-s390x",
        },
        (Family::Suse, Need::Firmware(arch)) => match arch {
            X86_64 => "qemu-ovmf-x86_64",
            I386 => "qemu-ovmf-ia32",
            Aarch64 => "qemu-uefi-aarch64",
            Arm => "qemu-uefi-aarch32",
            Riscv64 => "qemu-uefi-riscv64",
            Ppc64 | S390x => return None,
        },

        (Family::Alpine, Need::QemuImg) => "qemu-img",
        (Family::Alpine, Need::Qemu(arch)) => match arch {
            X86_64 => "qemu-system-x86_64 qemu-hw-display-virtio-vga qemu-hw-display-virtio-gpu-pci",
            I386 => "qemu-system-i386",
            Aarch64 => "qemu-system-aarch64 qemu-hw-display-virtio-gpu-pci",
            Arm => "qemu-system-arm",
            Riscv64 => "qemu-system-riscv64 qemu-hw-display-virtio-gpu-pci",
            Ppc64 => "qemu-system-ppc64",
            S390x => "qemu-system-s390x",
        },
        (Family::Alpine, Need::Firmware(arch)) => match arch {
            X86_64 => "ovmf",
            Aarch64 => "aavmf",
            _ => return None,
        },
    })
}

impl System {
    fn of_this_computer() -> Self {
        let mut system = if cfg!(target_os = "macos") {
            let ports = Path::new("/opt/local/bin/port").exists();
            let brew = ["/opt/homebrew/bin/brew", "/usr/local/bin/brew"]
                .iter()
                .any(|path| Path::new(path).exists());
            Self::plain(if ports && !brew {
                Family::MacPorts
            } else {
                Family::Homebrew
            })
        } else if cfg!(windows) {
            Self::plain(Family::Windows)
        } else {
            let release = fs::read_to_string("/etc/os-release")
                .or_else(|_| fs::read_to_string("/usr/lib/os-release"))
                .unwrap_or_default();
            let mut system = Self::from_os_release(&release);
            if system.family == Family::Debian {
                let status = fs::read_to_string("/var/lib/dpkg/status").unwrap_or_default();
                system.has_backports_qemu = dpkg_has_backports_qemu(&status);
                system.backports_listed =
                    apt_lists(Path::new("/etc/apt"), &format!("{}-backports", system.codename));
            }
            system
        };
        #[cfg(unix)]
        {
            system.root = rustix::process::geteuid().is_root();
        }
        system
    }

    fn plain(family: Family) -> Self {
        Self {
            family,
            version: (0, 0),
            codename: String::new(),
            has_backports_qemu: false,
            backports_listed: false,
            root: false,
        }
    }

    fn from_os_release(text: &str) -> Self {
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
                .unwrap_or_default()
        };
        let (id, like) = (value("ID"), value("ID_LIKE"));
        let family = std::iter::once(id.as_str())
            .chain(like.split_whitespace())
            .find_map(|word| {
                Some(match word {
                    "debian" => Family::Debian,
                    "ubuntu" => Family::Ubuntu,
                    "fedora" | "rhel" | "centos" => Family::Fedora,
                    "arch" => Family::Arch,
                    "opensuse" | "suse" | "sles" | "opensuse-tumbleweed" | "opensuse-leap" => Family::Suse,
                    "alpine" => Family::Alpine,
                    _ => return None,
                })
            });
        let mut system = Self::plain(family.unwrap_or(Family::Unknown));
        // Only the distribution's own numbers say something about its packages; those of derivatives don't.
        if matches!(id.as_str(), "debian" | "ubuntu") {
            let version = value("VERSION_ID");
            let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
            system.version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        }
        system.codename = value("VERSION_CODENAME");
        system
    }
}

/// Whether dpkg's status file lists an installed part of QEMU from backports (`~bpo` in its version).
fn dpkg_has_backports_qemu(status: &str) -> bool {
    status.split("\n\n").any(|entry| {
        let field = |key: &str| {
            entry
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .map(str::trim)
        };
        field("Package:").is_some_and(|name| name.starts_with("qemu-"))
            && field("Status:").is_some_and(|status| status.ends_with(" installed"))
            && field("Version:").is_some_and(|version| version.contains("~bpo"))
    })
}

/// Whether apt's source lists under `etc_apt` name `suite` in a line that is in use.
fn apt_lists(etc_apt: &Path, suite: &str) -> bool {
    let parts = fs::read_dir(etc_apt.join("sources.list.d"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path());
    parts.chain([etc_apt.join("sources.list")]).any(|path| {
        fs::read_to_string(path).is_ok_and(|text| {
            text.lines()
                .filter(|line| !line.trim_start().starts_with('#'))
                .any(|line| line.split_whitespace().any(|word| word == suite))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(os_release: &str, need: Need) -> String {
        hint_on(&System::from_os_release(os_release), need)
    }

    const BOOKWORM: &str = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";

    #[test]
    fn each_system_gets_its_own_command() {
        let cases = [
            (
                BOOKWORM,
                Need::Qemu(Arch::X86_64),
                "sudo apt-get install qemu-system-x86",
            ),
            (
                BOOKWORM,
                Need::Qemu(Arch::Riscv64),
                "sudo apt-get install qemu-system-misc",
            ),
            (
                BOOKWORM,
                Need::Firmware(Arch::Aarch64),
                "sudo apt-get install qemu-efi-aarch64",
            ),
            (
                "ID=debian\nVERSION_ID=13\n",
                Need::Qemu(Arch::Riscv64),
                "sudo apt-get install qemu-system-riscv",
            ),
            (
                "ID=ubuntu\nVERSION_ID=\"24.04\"\n",
                Need::Qemu(Arch::Riscv64),
                "sudo apt-get install qemu-system-misc",
            ),
            (
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                Need::Qemu(Arch::Aarch64),
                "sudo apt-get install qemu-system-arm",
            ),
            (
                "ID=fedora\nVERSION_ID=44\n",
                Need::Firmware(Arch::X86_64),
                "sudo dnf install edk2-ovmf",
            ),
            ("ID=arch\n", Need::Qemu(Arch::Aarch64), "sudo pacman -S qemu-full"),
            (
                "ID=manjaro\nID_LIKE=arch\n",
                Need::QemuImg,
                "sudo pacman -S qemu-img",
            ),
            (
                "ID=opensuse-leap\n",
                Need::Qemu(Arch::Aarch64),
                "sudo zypper install qemu-arm",
            ),
        ];
        for (release, need, expected) in cases {
            assert_eq!(on(release, need), expected, "{release}");
        }
        assert_eq!(
            hint_on(&System::plain(Family::Homebrew), Need::Firmware(Arch::Aarch64)),
            "brew install qemu"
        );
    }

    #[test]
    fn an_installed_backport_keeps_to_backports() {
        let mut system = System::from_os_release(BOOKWORM);
        system.has_backports_qemu = true;
        let install = "sudo apt-get install -t bookworm-backports qemu-system-riscv";
        let hint = hint_on(&system, Need::Qemu(Arch::Riscv64));
        assert!(
            hint.starts_with("Add the suite bookworm-backports") && hint.ends_with(install),
            "{hint}"
        );
        system.backports_listed = true;
        assert_eq!(hint_on(&system, Need::Qemu(Arch::Riscv64)), install);
    }

    #[test]
    fn what_no_package_brings_gets_a_sentence() {
        assert!(on("ID=haiku\n", Need::Qemu(Arch::X86_64)).contains("qemu-system-x86_64"));
        assert!(on(BOOKWORM, Need::Firmware(Arch::Riscv64)).contains("bios"));
    }

    #[test]
    fn dpkg_and_apt_files_are_read_as_they_are() {
        let entry = |version: &str, status: &str| {
            format!(
                "Package: qemu-utils\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\n\nPackage: zsh\n"
            )
        };
        assert!(dpkg_has_backports_qemu(&entry(
            "1:10.0.2+ds-2~bpo12+1",
            "install ok installed"
        )));
        assert!(!dpkg_has_backports_qemu(&entry(
            "1:10.0.2+ds-2~bpo12+1",
            "deinstall ok config-files"
        )));
        assert!(!dpkg_has_backports_qemu(&entry(
            "1:7.2+dfsg-7",
            "install ok installed"
        )));

        let etc = tempfile::tempdir().unwrap();
        let lists = etc.path().join("sources.list.d");
        fs::create_dir(&lists).unwrap();
        fs::write(
            lists.join("a.sources"),
            "Types: deb\n#Suites: bookworm-backports\n",
        )
        .unwrap();
        assert!(!apt_lists(etc.path(), "bookworm-backports"));
        fs::write(lists.join("b.sources"), "Suites: bookworm bookworm-backports\n").unwrap();
        assert!(apt_lists(etc.path(), "bookworm-backports"));
    }
}
