//! The tiny guests that prove an accelerator: what runs, with which arguments, and what success looks like.

use crate::payload_bytes;
use nestbox_model::{Accelerator, Arch};
use std::path::Path;

/// One architecture's payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload {
    arch: Arch,
    image: &'static [u8],
}

/// What a run must show to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Success {
    /// Exit status of QEMU.
    pub(crate) status: i32,
    /// Text the guest must have written to its serial port.
    pub(crate) output: Option<&'static str>,
}

impl Payload {
    /// The payload for guests of `arch`, if there is one.
    pub(crate) fn of(arch: Arch) -> Option<Self> {
        let image: &[u8] = match arch {
            // One image: a processor without long mode takes its 32-bit road.
            Arch::X86_64 | Arch::I386 => &payload_bytes::X86_64,
            Arch::Aarch64 => &payload_bytes::AARCH64,
            Arch::Riscv64 => &payload_bytes::RISCV64,
            Arch::Arm | Arch::Ppc64 | Arch::S390x => return None,
        };
        Some(Self { arch, image })
    }

    /// Whether it has the measuring loop.
    pub(crate) fn measures(self) -> bool {
        self.arch != Arch::I386
    }

    /// The image with its last eight bytes set to how often the measuring loop runs.
    pub(crate) fn image(self, iterations: u64) -> Vec<u8> {
        let mut image = self.image.to_vec();
        let at = image.len().saturating_sub(8);
        image.truncate(at);
        image.extend_from_slice(&iterations.to_le_bytes());
        image
    }

    /// QEMU's arguments to run the image in `file`.
    pub(crate) fn arguments(self, accelerator: Accelerator, cpu_model: &str, file: &Path) -> Vec<String> {
        let file = file.to_string_lossy().into_owned();
        let machine = if matches!(self.arch, Arch::X86_64 | Arch::I386) {
            "q35"
        } else {
            "virt"
        };
        let mut arguments: Vec<String> = ["-nodefaults", "-no-user-config", "-display", "none", "-m", "64"]
            .iter()
            .chain(
                [
                    "-machine",
                    machine,
                    "-accel",
                    accelerator.as_str(),
                    "-cpu",
                    cpu_model,
                ]
                .iter(),
            )
            .map(ToString::to_string)
            .collect();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(ToString::to_string));
        match self.arch {
            Arch::X86_64 | Arch::I386 => {
                add(&["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", &file]);
            }
            Arch::Riscv64 if accelerator == Accelerator::Tcg => add(&["-bios", &file]),
            Arch::Riscv64 => add(&["-bios", "none", "-kernel", &file]),
            _ => add(&[
                "-chardev",
                "stdio,id=out",
                "-serial",
                "chardev:out",
                "-kernel",
                &file,
            ]),
        }
        arguments
    }

    /// What a passing run shows.
    pub(crate) fn success(self) -> Success {
        match self.arch {
            Arch::Aarch64 => Success {
                status: 0,
                output: Some("OK"),
            },
            _ => Success {
                status: 33,
                output: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Assembles `payloads/<name>.S` with the commands it names itself; `None` where the tools are missing.
    fn assemble(name: &str, steps: &[(&str, &[&str])]) -> Option<Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("payloads")
            .join(format!("{name}.S"));
        std::fs::copy(source, dir.path().join("p.S")).unwrap();
        for (tool, arguments) in steps {
            match Command::new(tool)
                .args(*arguments)
                .current_dir(dir.path())
                .output()
            {
                Ok(output) => assert!(
                    output.status.success(),
                    "{tool}: {}",
                    String::from_utf8_lossy(&output.stderr)
                ),
                Err(error) => {
                    println!("skipped: {tool} is not here ({error})");
                    return None;
                }
            }
        }
        Some(std::fs::read(dir.path().join("p.bin")).unwrap())
    }

    #[test]
    fn the_bytes_are_what_the_sources_assemble_to() {
        type Steps = [(&'static str, &'static [&'static str])];
        let cases: [(&str, &[u8], &Steps); 3] = [
            (
                "x86_64",
                &payload_bytes::X86_64,
                &[
                    ("as", &["--32", "p.S", "-o", "p.o"]),
                    (
                        "ld",
                        &[
                            "-m",
                            "elf_i386",
                            "-Ttext=0x100000",
                            "--oformat",
                            "binary",
                            "p.o",
                            "-o",
                            "p.bin",
                        ],
                    ),
                ],
            ),
            (
                "aarch64",
                &payload_bytes::AARCH64,
                &[
                    ("aarch64-linux-gnu-as", &["p.S", "-o", "p.o"]),
                    (
                        "aarch64-linux-gnu-objcopy",
                        &["-O", "binary", "-j", ".text", "p.o", "p.bin"],
                    ),
                ],
            ),
            (
                "riscv64",
                &payload_bytes::RISCV64,
                &[
                    (
                        "riscv64-linux-gnu-as",
                        &["-march=rv64g", "-mno-arch-attr", "p.S", "-o", "p.o"],
                    ),
                    (
                        "riscv64-linux-gnu-ld",
                        &["--no-relax", "-Ttext=0x80000000", "p.o", "-o", "p.elf"],
                    ),
                    (
                        "riscv64-linux-gnu-objcopy",
                        &["-O", "binary", "-j", ".text", "p.elf", "p.bin"],
                    ),
                ],
            ),
        ];
        for (name, embedded, steps) in cases {
            // An `as` for another processor than x86 (on an arm64 host) can't do the first one.
            if name == "x86_64" && !cfg!(target_arch = "x86_64") {
                println!("skipped: x86_64 (the assembler here is not for x86)");
                continue;
            }
            if let Some(assembled) = assemble(name, steps) {
                assert_eq!(assembled, embedded, "{name}");
            }
        }
    }

    #[test]
    fn the_iterations_take_the_last_eight_bytes() {
        for arch in Arch::ALL {
            let Some(payload) = Payload::of(arch) else {
                continue;
            };
            let (zero, some) = (payload.image(0), payload.image(0x0102_0304));
            assert_eq!(zero, payload.image);
            assert_eq!(some[..some.len() - 8], zero[..zero.len() - 8]);
            assert_eq!(some[some.len() - 8..], [4, 3, 2, 1, 0, 0, 0, 0]);
        }
    }

    #[test]
    fn the_multiboot_header_is_valid() {
        let word =
            |index: usize| u32::from_le_bytes(payload_bytes::X86_64[index * 4..][..4].try_into().unwrap());
        assert_eq!(word(0), 0x1bad_b002);
        assert_eq!(word(0).wrapping_add(word(1)).wrapping_add(word(2)), 0);
        assert_eq!((word(3), word(4)), (0x10_0000, 0x10_0000));
        assert_eq!(word(5) as usize, 0x10_0000 + payload_bytes::X86_64.len());
    }
}
