//! Which files QEMU may touch (Landlock). Where the kernel has no Landlock, none are ruled out.
//!
//! Files attached later (media, memory) travel as open descriptors; overlays lie in the folders of the images
//! they cover, which are writable from the start.

#[cfg(target_os = "linux")]
pub(super) use linux::Rules;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Rules;

#[cfg(target_os = "linux")]
mod linux {
    use crate::{Capabilities, MachinePlan};
    use landlock::{
        ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
        path_beneath_rules,
    };
    use std::{
        io,
        path::{Path, PathBuf},
    };

    /// The newest rights the rules speak of; older kernels take those they know.
    const RIGHTS: ABI = ABI::V5;

    /// Where programs, libraries, firmware and settings of the system are.
    const SYSTEM: [&str; 12] = [
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib64",
        "/etc",
        "/opt",
        "/nix/store",
        "/gnu/store",
        "/proc",
        "/sys",
        "/run/systemd/resolve",
    ];

    /// Devices that only give or take bytes, and the accelerator.
    const DEVICES: [&str; 6] = [
        "/dev/null",
        "/dev/zero",
        "/dev/urandom",
        "/dev/random",
        "/dev/kvm",
        "/dev/shm",
    ];

    /// Rules, ready to be enforced once.
    pub(in crate::launch) struct Rules(Option<RulesetCreated>);

    impl Rules {
        /// No rules at all.
        pub fn none() -> Self {
            Self(None)
        }

        /// What this machine needs and no more.
        pub fn for_plan(plan: &MachinePlan, qemu: &Capabilities) -> Self {
            match build(plan, qemu) {
                Ok(rules) => Self(Some(rules)),
                Err(error) => {
                    tracing::debug!(%error, "no Landlock here");
                    Self(None)
                }
            }
        }

        /// Applies to the calling thread and what it becomes.
        pub fn enforce(&mut self) -> io::Result<()> {
            match self.0.take() {
                Some(rules) => rules
                    .restrict_self()
                    .map(drop)
                    .map_err(|_| io::ErrorKind::Other.into()),
                None => Ok(()),
            }
        }
    }

    fn build(plan: &MachinePlan, qemu: &Capabilities) -> Result<RulesetCreated, RulesetError> {
        let (read, write) = paths(plan, qemu);
        Ruleset::default()
            .handle_access(AccessFs::from_all(RIGHTS))?
            .create()?
            // Paths that are not there are passed over.
            .add_rules(path_beneath_rules(read, AccessFs::from_read(RIGHTS)))?
            .add_rules(path_beneath_rules(write, AccessFs::from_all(RIGHTS)))
    }

    fn paths(plan: &MachinePlan, qemu: &Capabilities) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let mut read: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
        // A QEMU elsewhere has its libraries and data beside it: PREFIX/bin/qemu, PREFIX/share.
        let binary = std::fs::canonicalize(&qemu.binary).unwrap_or_else(|_| qemu.binary.clone());
        read.extend(
            binary
                .ancestors()
                .nth(2)
                .filter(|prefix| *prefix != Path::new("/"))
                .map(Path::to_owned),
        );
        read.extend(binary.parent().map(Path::to_owned));
        read.extend(plan.firmware_code.clone());
        read.extend(plan.seed.clone());
        read.extend(plan.medium.clone());
        let mut write: Vec<PathBuf> = DEVICES.iter().map(PathBuf::from).collect();
        write.push(plan.images.clone());
        write.push(plan.run.path().to_owned());
        let chains = plan.disks.iter().map(|disk| &disk.chain).chain(&plan.nvram);
        for chain in chains {
            let folder = chain.first().and_then(|image| image.path.parent());
            write.extend(folder.map(Path::to_owned));
            read.extend(chain.iter().map(|image| image.path.clone()));
        }
        write.extend(plan.serial_log.parent().map(Path::to_owned));
        (read, write)
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use crate::{Capabilities, MachinePlan};

    /// Nothing to enforce here.
    pub(in crate::launch) struct Rules;

    impl Rules {
        pub fn none() -> Self {
            Self
        }
        pub fn for_plan(_: &MachinePlan, _: &Capabilities) -> Self {
            Self
        }
        pub fn enforce(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
