//! What the process may still do once it has its images: use some memory and time, read them and answer.

use rustix::process::{Resource, Rlimit, setrlimit};
use std::io;

/// Address space, bytes: the program itself, caches and tables.
const MEMORY_MAX: u64 = 1 << 30;
/// Processor time of a listing, seconds.
const LISTING_SECONDS: u64 = 60;
/// Processor time of a copy, seconds; its progress is watched from outside.
const COPY_SECONDS: u64 = 24 * 3600;

/// No more memory, no file that grows, no new descriptor, no file by its path, no TCP.
pub(crate) fn confine(copying: bool) -> io::Result<()> {
    let seconds = if copying { COPY_SECONDS } else { LISTING_SECONDS };
    limit(Resource::Cpu, seconds)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Core, 0)?;
    paths();
    limit(Resource::Nofile, 0)?;
    // macOS knows no limit of address space for what is mapped already.
    if cfg!(target_os = "linux") {
        limit(Resource::As, MEMORY_MAX)?;
    }
    Ok(())
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(resource, limit).map_err(Into::into)
}

/// Landlock without a single rule: no path can be opened, no TCP port used. Where the kernel has none, the limit on
/// descriptors already leaves no room to open anything.
#[cfg(target_os = "linux")]
fn paths() {
    use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr};
    let _ = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(ABI::V5)))
        .and_then(|rules| rules.create())
        .and_then(|rules| rules.restrict_self());
    // Nobody may look into it, and it ends with who started it.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

#[cfg(not(target_os = "linux"))]
fn paths() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::process::Command;

    /// In a process of its own, since there is no way back.
    #[test]
    fn nothing_can_be_opened_any_more() {
        let done = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "confine::tests::inside", "--ignored", "--nocapture"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{done:?}");
    }

    #[test]
    #[ignore = "run by the other test, in a process of its own"]
    fn inside() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut open = File::open("/proc/self/exe").unwrap();
        let own = std::env::current_exe().unwrap();
        confine(false).unwrap();
        let mut byte = [0];
        open.read_exact(&mut byte).unwrap();
        assert!(File::open(&own).is_err());
        assert!(File::create("/tmp/nestbox-confined").is_err());
        assert!(std::fs::read_dir("/").is_err());
        assert!(TcpStream::connect(address).is_err());
        assert!(rustix::io::dup(&open).is_err());
        assert!(Vec::<u8>::new().try_reserve_exact(2 << 30).is_err());
        assert!(Command::new("/bin/true").status().is_err());
    }
}
