//! UEFI firmware on this computer, and a machine's own copy of its variables.

use nestbox_accel::{Need, find_tool, install_hint};
use nestbox_model::{Arch, Error, Firmware, ImageFormat, Result};
use serde::Deserialize;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::process::Command;

/// Folders of firmware descriptions (QEMU's `docs/interop/firmware.json`), best first.
const DESCRIPTORS: [&str; 5] = [
    "/etc/qemu/firmware",
    "/usr/local/share/qemu/firmware",
    "/usr/share/qemu/firmware",
    "/opt/homebrew/share/qemu/firmware",
    "/run/current-system/sw/share/qemu/firmware",
];

/// Firmware found for an architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The program, read-only: for [`crate::MachinePlan::firmware_code`].
    pub code: PathBuf,
    /// Empty UEFI variables. `None`: this firmware keeps none ([`make_vars`] refuses).
    pub vars_template: Option<PathBuf>,
    /// Format of `code`.
    pub format: ImageFormat,
    /// Format of `vars_template`.
    pub vars_format: ImageFormat,
    /// Bytes the board's second flash chip must have; `None` takes the template's size.
    pub vars_size: Option<u64>,
}

/// Finds firmware for `arch`. [`Firmware::Bios`] is built in everywhere (an error says so where a board has none).
///
/// UEFI without Secure Boot keys is chosen: QEMU's own descriptions first, then the places distributions use. On
/// riscv64, where edk2 is not packaged everywhere, U-Boot serves as UEFI without stored variables.
///
/// # Errors
/// `firmware-missing` (unfit) with the command that installs it.
pub fn find(arch: Arch, firmware: Firmware) -> Result<Found> {
    find_in(Path::new("/"), arch, firmware)
}

fn find_in(root: &Path, arch: Arch, firmware: Firmware) -> Result<Found> {
    if firmware == Firmware::Bios || matches!(arch, Arch::Ppc64 | Arch::S390x) {
        return Err(Error::usage(
            "firmware-built-in",
            format!(
                "Machines of this kind ({arch}, bios) bring their own firmware; there is nothing to find."
            ),
        ));
    }
    described(root, arch)
        .or_else(|| well_known(root, arch))
        .map(|found| Found {
            vars_size: flash_size(arch),
            ..found
        })
        .ok_or_else(|| {
            Error::unfit(
                "firmware-missing",
                format!(
                    "UEFI firmware for {} guests is not installed.",
                    arch.common_name()
                ),
            )
            .with_hint(install_hint(Need::Firmware(arch)))
            .with_detail("arch", arch.as_str())
        })
}

/// Boards with flash chips of one size only.
fn flash_size(arch: Arch) -> Option<u64> {
    match arch {
        Arch::Aarch64 | Arch::Arm => Some(64 << 20),
        Arch::Riscv64 => Some(32 << 20),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Description {
    interface_types: Vec<String>,
    mapping: Mapping,
    targets: Vec<Target>,
    #[serde(default)]
    features: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mapping {
    device: String,
    #[serde(default)]
    mode: Option<String>,
    executable: Option<FlashFile>,
    nvram_template: Option<FlashFile>,
}

#[derive(Deserialize)]
struct FlashFile {
    filename: PathBuf,
    format: String,
}

#[derive(Deserialize)]
struct Target {
    architecture: String,
    machines: Vec<String>,
}

impl Description {
    fn fits(&self, arch: Arch) -> bool {
        let board = match arch {
            Arch::X86_64 => "pc-q35-",
            Arch::I386 => "pc-i440fx-",
            _ => "virt",
        };
        let bad = ["secure-boot", "enrolled-keys", "requires-smm"];
        self.interface_types.iter().any(|kind| kind == "uefi")
            && self.mapping.device == "flash"
            && self.mapping.mode.as_deref().unwrap_or("split") == "split"
            && !self
                .features
                .iter()
                .any(|feature| bad.contains(&feature.as_str()))
            && self.targets.iter().any(|target| {
                target.architecture == arch.as_str()
                    && target.machines.iter().any(|machine| machine.starts_with(board))
            })
    }
    fn found(self) -> Option<Found> {
        let (code, vars) = (self.mapping.executable?, self.mapping.nvram_template?);
        let format = |text: &str| match text {
            "raw" => Some(ImageFormat::Raw),
            "qcow2" => Some(ImageFormat::Qcow2),
            _ => None,
        };
        Some(Found {
            format: format(&code.format)?,
            code: code.filename,
            vars_format: format(&vars.format)?,
            vars_template: Some(vars.filename),
            vars_size: None,
        })
    }
}

fn described(root: &Path, arch: Arch) -> Option<Found> {
    // A file in an earlier folder hides one of the same name in a later folder; names give the order.
    let mut files: Vec<(OsString, PathBuf)> = Vec::new();
    for folder in DESCRIPTORS {
        let Ok(entries) = std::fs::read_dir(under(root, folder)) else {
            continue;
        };
        for entry in entries.flatten().take(500) {
            let name = entry.file_name();
            if name.to_string_lossy().ends_with(".json") && !files.iter().any(|(known, _)| *known == name) {
                files.push((name, entry.path()));
            }
        }
    }
    files.sort();
    files.into_iter().find_map(|(_, path)| {
        let text = std::fs::read(path).ok().filter(|text| text.len() < 1 << 20)?;
        let description: Description = serde_json::from_slice(&text).ok()?;
        let found = description.fits(arch).then(|| description.found())??;
        let code = under(root, &found.code.to_string_lossy());
        let vars = under(root, &found.vars_template.as_ref()?.to_string_lossy());
        (code.is_file() && vars.is_file()).then_some(Found {
            code,
            vars_template: Some(vars),
            ..found
        })
    })
}

/// Pairs of code and variables where distributions put them, for those without descriptions.
fn well_known(root: &Path, arch: Arch) -> Option<Found> {
    let pairs: &[(&str, &str)] = match arch {
        Arch::X86_64 => &[
            (
                "/usr/share/OVMF/OVMF_CODE_4M.fd",
                "/usr/share/OVMF/OVMF_VARS_4M.fd",
            ),
            (
                "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
                "/usr/share/edk2/x64/OVMF_VARS.4m.fd",
            ),
            (
                "/usr/share/edk2/ovmf/OVMF_CODE.fd",
                "/usr/share/edk2/ovmf/OVMF_VARS.fd",
            ),
            ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
            (
                "/usr/share/qemu/ovmf-x86_64-4m-code.bin",
                "/usr/share/qemu/ovmf-x86_64-4m-vars.bin",
            ),
            (
                "/usr/share/qemu/edk2-x86_64-code.fd",
                "/usr/share/qemu/edk2-i386-vars.fd",
            ),
            (
                "/opt/homebrew/share/qemu/edk2-x86_64-code.fd",
                "/opt/homebrew/share/qemu/edk2-i386-vars.fd",
            ),
            (
                "/usr/local/share/qemu/edk2-x86_64-code.fd",
                "/usr/local/share/qemu/edk2-i386-vars.fd",
            ),
        ],
        Arch::I386 => &[
            (
                "/usr/share/OVMF/OVMF32_CODE_4M.fd",
                "/usr/share/OVMF/OVMF32_VARS_4M.fd",
            ),
            (
                "/usr/share/edk2/ia32/OVMF_CODE.4m.fd",
                "/usr/share/edk2/ia32/OVMF_VARS.4m.fd",
            ),
            (
                "/usr/share/qemu/edk2-i386-code.fd",
                "/usr/share/qemu/edk2-i386-vars.fd",
            ),
            (
                "/opt/homebrew/share/qemu/edk2-i386-code.fd",
                "/opt/homebrew/share/qemu/edk2-i386-vars.fd",
            ),
        ],
        Arch::Aarch64 => &[
            (
                "/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd",
                "/usr/share/AAVMF/AAVMF_VARS.fd",
            ),
            ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
            (
                "/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw",
                "/usr/share/edk2/aarch64/vars-template-pflash.raw",
            ),
            (
                "/usr/share/edk2/aarch64/QEMU_CODE.fd",
                "/usr/share/edk2/aarch64/QEMU_VARS.fd",
            ),
            (
                "/usr/share/qemu/edk2-aarch64-code.fd",
                "/usr/share/qemu/edk2-arm-vars.fd",
            ),
            (
                "/opt/homebrew/share/qemu/edk2-aarch64-code.fd",
                "/opt/homebrew/share/qemu/edk2-arm-vars.fd",
            ),
            (
                "/usr/local/share/qemu/edk2-aarch64-code.fd",
                "/usr/local/share/qemu/edk2-arm-vars.fd",
            ),
        ],
        Arch::Arm => &[
            (
                "/usr/share/AAVMF/AAVMF32_CODE.fd",
                "/usr/share/AAVMF/AAVMF32_VARS.fd",
            ),
            (
                "/usr/share/edk2/arm/QEMU_CODE.fd",
                "/usr/share/edk2/arm/QEMU_VARS.fd",
            ),
            (
                "/usr/share/qemu/edk2-arm-code.fd",
                "/usr/share/qemu/edk2-arm-vars.fd",
            ),
            (
                "/opt/homebrew/share/qemu/edk2-arm-code.fd",
                "/opt/homebrew/share/qemu/edk2-arm-vars.fd",
            ),
        ],
        Arch::Riscv64 => &[
            (
                "/usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd",
                "/usr/share/qemu-efi-riscv64/RISCV_VIRT_VARS.fd",
            ),
            (
                "/usr/share/edk2/riscv/RISCV_VIRT_CODE.fd",
                "/usr/share/edk2/riscv/RISCV_VIRT_VARS.fd",
            ),
            (
                "/usr/share/qemu/edk2-riscv-code.fd",
                "/usr/share/qemu/edk2-riscv-vars.fd",
            ),
            (
                "/opt/homebrew/share/qemu/edk2-riscv-code.fd",
                "/opt/homebrew/share/qemu/edk2-riscv-vars.fd",
            ),
        ],
        Arch::Ppc64 | Arch::S390x => &[],
    };
    let raw = |code: PathBuf, vars_template| Found {
        code,
        vars_template,
        format: ImageFormat::Raw,
        vars_format: ImageFormat::Raw,
        vars_size: None,
    };
    let pair = pairs.iter().find_map(|(code, vars)| {
        let (code, vars) = (under(root, code), under(root, vars));
        (code.is_file() && vars.is_file()).then(|| raw(code, Some(vars)))
    });
    pair.or_else(|| {
        let uboot = [
            "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin",
            "/usr/share/uboot/qemu-riscv64_smode/u-boot.bin",
        ];
        let code = uboot
            .iter()
            .map(|path| under(root, path))
            .find(|path| path.is_file())?;
        (arch == Arch::Riscv64).then(|| raw(code, None))
    })
}

fn under(root: &Path, absolute: &str) -> PathBuf {
    root.join(absolute.trim_start_matches('/'))
}

/// Makes a machine's own UEFI variables at `dst_qcow2`: a qcow2 copy of the template, as long as the board's flash
/// chip. It appears complete or not at all.
///
/// # Errors
/// `qemu-missing` (no `qemu-img`), `no-space`, `nvram-failed`.
pub async fn make_vars(found: &Found, dst_qcow2: &Path) -> Result<()> {
    let template = found.vars_template.as_ref().ok_or_else(|| {
        Error::usage(
            "no-variables",
            "This firmware keeps no variables, so there is nothing to copy.",
        )
    })?;
    let tool = find_tool("qemu-img")?;
    let part = dst_qcow2.with_extension("part");
    let made = async {
        let source =
            std::fs::metadata(template).map_err(|error| Error::io("read the firmware", template, &error))?;
        let convert = ["convert", "-q", "-f", found.vars_format.as_str(), "-O", "qcow2"];
        run(&tool, &convert, &[template, &part]).await?;
        if let Some(size) = found.vars_size
            && (found.vars_format == ImageFormat::Qcow2 || source.len() < size)
        {
            let target = size.to_string();
            let mut command = Command::new(&tool);
            command
                .args(["resize", "-q", "-f", "qcow2"])
                .arg(plain(&part))
                .arg(target);
            finish(command).await?;
        }
        let file = std::fs::File::open(&part)
            .map_err(|error| Error::io("open the UEFI variables", &part, &error))?;
        file.sync_all()
            .map_err(|error| Error::io("save the UEFI variables", &part, &error))?;
        std::fs::rename(&part, dst_qcow2)
            .map_err(|error| Error::io("save the UEFI variables", dst_qcow2, &error))
    };
    let made = made.await;
    if made.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    made
}

/// A path no tool takes for an option or a protocol.
fn plain(path: &Path) -> PathBuf {
    if path.is_absolute() {
        path.to_owned()
    } else {
        Path::new("./").join(path)
    }
}

async fn run(tool: &Path, arguments: &[&str], paths: &[&Path]) -> Result<()> {
    let mut command = Command::new(tool);
    command.args(arguments).args(paths.iter().map(|path| plain(path)));
    finish(command).await
}

async fn finish(mut command: Command) -> Result<()> {
    let failed = |why: String| {
        let error = if crate::trouble::is_no_space(&why) {
            Error::unfit(
                "no-space",
                "The machine's UEFI variables could not be made: the disk is full.",
            )
            .with_hint("Free some space, then try again.")
        } else {
            Error::failed("nvram-failed", "The machine's UEFI variables could not be made.")
        };
        error.with_detail("technical", why)
    };
    command.kill_on_drop(true).stdin(std::process::Stdio::null());
    let output = tokio::time::timeout(Duration::from_secs(60), command.output())
        .await
        .map_err(|_| failed("qemu-img took longer than 60 s".into()))?
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(format!(
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = under(root, path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn description(arch: &str, machine: &str, code: &str, vars: &str, features: &str) -> String {
        format!(
            r#"{{"description":"x","interface-types":["uefi"],"mapping":{{"device":"flash","executable":{{"filename":"{code}","format":"raw"}},
            "nvram-template":{{"filename":"{vars}","format":"raw"}}}},"targets":[{{"architecture":"{arch}","machines":["{machine}-*"]}}],
            "features":[{features}],"tags":[]}}"#
        )
    }

    #[test]
    fn descriptions_decide_and_secure_boot_is_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for name in ["/s/code", "/s/vars", "/p/code", "/p/vars"] {
            put(root, name, "x");
        }
        let secure = description(
            "x86_64",
            "pc-q35",
            "/s/code",
            "/s/vars",
            r#""secure-boot","requires-smm""#,
        );
        put(root, "/usr/share/qemu/firmware/40-secure.json", &secure);
        put(root, "/usr/share/qemu/firmware/50-broken.json", "{");
        assert_eq!(
            find_in(root, Arch::X86_64, Firmware::Uefi).unwrap_err().code,
            "firmware-missing"
        );
        put(
            root,
            "/usr/share/qemu/firmware/60-plain.json",
            &description("x86_64", "pc-q35", "/p/code", "/p/vars", ""),
        );
        let found = find_in(root, Arch::X86_64, Firmware::Uefi).unwrap();
        assert_eq!(found.code, under(root, "/p/code"));
        assert_eq!(found.vars_size, None);
        assert!(find_in(root, Arch::Aarch64, Firmware::Uefi).is_err());
    }

    #[test]
    fn uboot_is_riscv64s_second_choice_only() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        put(root, "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin", "x");
        let found = find_in(root, Arch::Riscv64, Firmware::Uefi).unwrap();
        assert_eq!(found.vars_template, None);
        assert!(find_in(root, Arch::Arm, Firmware::Uefi).is_err());
        put(root, "/usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd", "x");
        put(root, "/usr/share/qemu-efi-riscv64/RISCV_VIRT_VARS.fd", "x");
        let found = find_in(root, Arch::Riscv64, Firmware::Uefi).unwrap();
        assert!(found.vars_template.is_some());
        assert_eq!(found.vars_size, Some(32 << 20));
    }

    #[tokio::test]
    async fn variables_are_padded_to_the_flash_and_appear_whole() {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("vars.fd");
        std::fs::write(&template, vec![7; 4096]).unwrap();
        let found = Found {
            code: template.clone(),
            vars_template: Some(template),
            format: ImageFormat::Raw,
            vars_format: ImageFormat::Raw,
            vars_size: Some(64 << 20),
        };
        let target = folder.path().join("a, “b” c.qcow2");
        make_vars(&found, &target).await.unwrap();
        let header = std::fs::read(&target).unwrap();
        assert_eq!(&header[..4], b"QFI\xfb");
        assert_eq!(u64::from_be_bytes(header[24..32].try_into().unwrap()), 64 << 20);
        let missing = folder.path().join("no/such/folder/x.qcow2");
        assert_eq!(
            make_vars(&found, &missing).await.unwrap_err().code,
            "nvram-failed"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
