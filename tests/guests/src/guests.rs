//! The guest images: built once from Debian packages, then found.

use nestbox_model::{Error, Result};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Paths of the guest images. They are read-only: make an overlay or a copy to write on one.
#[derive(Clone, Debug)]
pub struct Guests {
    folder: PathBuf,
}

impl Guests {
    /// Builds the guests when they are missing or their recipe changed (half a minute and a 150 MB fetch the first time),
    /// else finds them in milliseconds. Safe to call from many tests and processes at once.
    ///
    /// The folder is `target/guests` of this checkout, or `NESTBOX_TEST_GUESTS`.
    ///
    /// # Errors
    /// `guests-unavailable` (unfit) when this computer cannot build them, with the reason: a test then skips by name, see
    /// [`Guests::for_test`]. `guests-build-failed` when building went wrong.
    pub fn ensure() -> Result<Self> {
        static ONCE: OnceLock<Result<Guests>> = OnceLock::new();
        ONCE.get_or_init(Self::build).clone()
    }

    /// The guests for the test `name`, which also needs these programs (`qemu-system-aarch64`, …). `None` when this computer
    /// cannot do it: the reason has been said on stderr and the test should return. With `NESTBOX_TEST_NO_SKIP` set that
    /// is a failure instead.
    ///
    /// # Panics
    /// When building failed, or when something is missing and skipping is forbidden.
    pub fn for_test(name: &str, programs: &[&str]) -> Option<Self> {
        let reason = match Self::ensure() {
            Ok(guests) => match programs.iter().find(|program| find_program(program).is_none()) {
                None => return Some(guests),
                Some(program) => format!("{program} is not installed"),
            },
            Err(error) if error.code == "guests-unavailable" => error.message,
            Err(error) => panic!("the guests could not be built: {}\n{}", error.message, error.hint),
        };
        assert!(
            std::env::var_os("NESTBOX_TEST_NO_SKIP").is_none(),
            "{name} may not be skipped, but: {reason}"
        );
        eprintln!("skipped {name}: {reason}");
        None
    }

    fn build() -> Result<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = match std::env::var_os("NESTBOX_TEST_GUESTS") {
            Some(folder) => PathBuf::from(folder),
            None => source.join("../../target/guests"),
        };
        let output = Command::new("sh")
            .arg(source.join("build.sh"))
            .arg(&folder)
            .output()
            .map_err(|error| {
                Error::unfit(
                    "guests-unavailable",
                    format!("The guests' recipe could not be run: {error}."),
                )
            })?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => {}
            Some(3) => {
                let reason = said
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("guests: ");
                return Err(Error::unfit(
                    "guests-unavailable",
                    format!("The guests cannot be built here: {reason}."),
                ));
            }
            _ => {
                let tail: Vec<&str> = said.lines().rev().take(15).collect();
                let mut error = Error::failed("guests-build-failed", "Building the guests failed.");
                error.hint = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                return Err(error);
            }
        }
        let folder = folder.canonicalize().map_err(|error| {
            Error::failed(
                "guests-build-failed",
                format!("The guests' folder cannot be opened: {error}."),
            )
        })?;
        Ok(Self { folder })
    }

    /// A compressed qcow2 like a distribution's amd64 cloud image: GPT, boots by UEFI and by BIOS, reads a NoCloud seed.
    pub fn amd64_disk(&self) -> PathBuf {
        self.folder.join("tiny-amd64.qcow2")
    }

    /// The same for arm64, by UEFI.
    pub fn arm64_disk(&self) -> PathBuf {
        self.folder.join("tiny-arm64.qcow2")
    }

    /// A live amd64 ISO that boots by BIOS and by UEFI to a root shell; volume id [`Guests::ISO_VOLUME_ID`].
    pub fn iso(&self) -> PathBuf {
        self.folder.join("tiny.iso")
    }

    /// Volume id of the ISO, in the form Debian's own media have.
    pub const ISO_VOLUME_ID: &'static str = "Debian 12.0.0 amd64 n";
}

/// Where a program is on the `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
