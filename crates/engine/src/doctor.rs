//! Doctor: what this computer can do, what hinders it, and the cure.

use crate::Engine;
use nestbox_model::units::{GIB, format_size};
use nestbox_model::{
    Accelerator, AcceleratorReport, Arch, Check, CheckStatus, DoctorReport, Error, EventKind, Firmware,
    HostInfo,
};
use std::path::Path;

const SPACE_WARNING: u64 = 10 * GIB;
const SPACE_FAILURE: u64 = GIB;

/// Memory of this computer: all, and free for machines now; in bytes.
pub(crate) fn host_memory() -> (u64, u64) {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    (system.total_memory(), system.available_memory())
}

/// Free and total bytes of the file system that holds `path`.
pub(crate) fn disk_space(path: &Path) -> Option<(u64, u64)> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some((stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize))
}

impl Engine {
    /// Checks this computer. Accelerators are tested with a real payload; their verdicts are cached until the kernel
    /// or QEMU changes, or `refresh`.
    pub async fn doctor(&self, refresh: bool) -> DoctorReport {
        let mut checks: Vec<Check> = Vec::new();
        let mut usable = false;
        for arch in Arch::ALL {
            let qemu = qemu_check(arch);
            let found = qemu.status == CheckStatus::Ok;
            // Only the common architectures are worth a word when they are missing.
            if found || matches!(arch, Arch::X86_64 | Arch::Aarch64 | Arch::Riscv64) {
                checks.push(qemu);
            }
            if found && matches!(arch, Arch::X86_64 | Arch::Aarch64 | Arch::Riscv64) {
                checks.push(firmware_check(arch));
            }
        }
        checks.push(qemu_img_check());
        let accelerators = self.0.probe.reports(refresh).await;
        for report in &accelerators {
            usable |= report.usable;
            if report.name != Accelerator::Tcg && Arch::host() == Some(report.arch) {
                checks.push(accelerator_check(report));
            }
        }
        let space = disk_space(self.layout().home());
        checks.push(space_check(space));
        checks.push(self.library_check());
        if refresh {
            self.tell(EventKind::DoctorChanged);
        }
        let (memory, memory_free) = host_memory();
        let host = HostInfo {
            system: sysinfo::System::long_os_version().unwrap_or_else(|| std::env::consts::OS.into()),
            arch: std::env::consts::ARCH.into(),
            cpus: crate::hardware::host_cpus(),
            memory,
            memory_free,
            disk_free: space.map_or(0, |(free, _)| free),
            disk_total: space.map_or(0, |(_, total)| total),
        };
        DoctorReport {
            ok: usable
                && !checks
                    .iter()
                    .any(|check| check.id == "qemu-img" && check.status != CheckStatus::Ok),
            checks,
            accelerators,
            host,
        }
    }

    fn library_check(&self) -> Check {
        let notices = self
            .0
            .notices
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        let broken = self
            .handles()
            .iter()
            .filter(|h| h.state() == nestbox_model::MachineState::Broken)
            .count();
        let (status, message) = if broken > 0 {
            (
                CheckStatus::Failed,
                format!("{broken} machines of the library can't be read."),
            )
        } else if notices.is_empty() {
            (
                CheckStatus::Ok,
                format!("The library is in order: {}", self.layout().home().display()),
            )
        } else {
            (CheckStatus::Warning, notices.join(" "))
        };
        let fix = (status != CheckStatus::Ok).then(|| "nestbox library check".to_owned());
        Check {
            id: "library".into(),
            status,
            message,
            fix,
            technical: None,
        }
    }
}

fn from_error(id: String, status: CheckStatus, error: Error) -> Check {
    let technical =
        (!error.details.is_empty()).then(|| serde_json::Value::Object(error.details.clone()).to_string());
    Check {
        id,
        status,
        message: error.message,
        fix: (!error.hint.is_empty()).then_some(error.hint),
        technical,
    }
}

fn qemu_check(arch: Arch) -> Check {
    let id = format!("qemu.{arch}");
    match nestbox_accel::find_qemu(arch) {
        Ok(qemu) => {
            let (major, minor, patch) = qemu.version;
            Check {
                id,
                status: CheckStatus::Ok,
                message: format!("QEMU {major}.{minor}.{patch} runs {} guests.", arch.common_name()),
                fix: None,
                technical: Some(qemu.path.display().to_string()),
            }
        }
        Err(error) => from_error(id, CheckStatus::Missing, error),
    }
}

fn firmware_check(arch: Arch) -> Check {
    let id = format!("firmware.{arch}");
    match nestbox_qemu::firmware::find(arch, Firmware::Uefi) {
        Ok(found) => Check {
            id,
            status: CheckStatus::Ok,
            message: format!("UEFI firmware for {} is here.", arch.common_name()),
            fix: None,
            technical: Some(found.code.display().to_string()),
        },
        // The built-in firmware of these boards still boots many systems.
        Err(error) => {
            let status = if arch == Arch::Aarch64 {
                CheckStatus::Missing
            } else {
                CheckStatus::Warning
            };
            from_error(id, status, error)
        }
    }
}

fn qemu_img_check() -> Check {
    match nestbox_accel::find_tool("qemu-img") {
        Ok(path) => Check {
            id: "qemu-img".into(),
            status: CheckStatus::Ok,
            message: "Disk images can be made, grown and checked.".into(),
            fix: None,
            technical: Some(path.display().to_string()),
        },
        Err(error) => from_error("qemu-img".into(), CheckStatus::Missing, error),
    }
}

fn accelerator_check(report: &AcceleratorReport) -> Check {
    Check {
        id: format!("accelerator.{}", report.name),
        // Emulation still works, so this is never more than a warning.
        status: if report.usable {
            CheckStatus::Ok
        } else {
            CheckStatus::Warning
        },
        message: report.reason.clone(),
        fix: report.cure.clone(),
        technical: report
            .seconds
            .map(|seconds| format!("The test took {seconds:.3} s.")),
    }
}

fn space_check(space: Option<(u64, u64)>) -> Check {
    let (status, message) = match space {
        Some((free, _)) if free < SPACE_FAILURE => (
            CheckStatus::Failed,
            format!(
                "Only {} are free where the library is: machines will stop.",
                format_size(free)
            ),
        ),
        Some((free, _)) if free < SPACE_WARNING => (
            CheckStatus::Warning,
            format!("{} are free where the library is.", format_size(free)),
        ),
        Some((free, _)) => (
            CheckStatus::Ok,
            format!("{} are free where the library is.", format_size(free)),
        ),
        None => (CheckStatus::Warning, "The free space could not be read.".into()),
    };
    let fix = (status != CheckStatus::Ok).then(|| "nestbox trash empty".to_owned());
    Check {
        id: "space".into(),
        status,
        message,
        fix,
        technical: None,
    }
}
