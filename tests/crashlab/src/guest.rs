//! The guest that writes numbers, and reading them from its disk without it.
//!
//! Number `n` goes into sector `512 + n % 1024` of the disk, which lies between the partition table and the first
//! partition, and is said on the serial port once fsync returned. So the disk holds the last 1024 numbers without a gap,
//! and never less than was said.

use crate::Finding;
use nestbox_guests::TestHome;
use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const FIRST_SECTOR: u64 = 512;
const SECTORS: u64 = 1024;
const SECTOR_BYTES: usize = 512;
/// How much of the serial log is looked at.
const TAIL_BYTES: u64 = 64 << 10;

/// Logs in and starts the writer.
///
/// # Errors
/// What the guest did not do.
pub fn start_writer(home: &TestHome, machine: &str, boot: Duration) -> Finding<()> {
    let told = |error: nestbox_model::Error| error.message;
    home.serial_log(machine).wait_ready(boot).map_err(told)?;
    let mut console = home.console(machine).map_err(told)?;
    console.send_line("").map_err(told)?;
    console.wait_for("login:", boot).map_err(told)?;
    console.send_line("root").map_err(told)?;
    console.wait_for("built-in shell", boot).map_err(told)?;
    let writer = format!(
        "(n=0; while :; do n=$((n+1)); printf '%-511d\\n' $n | dd of=/dev/vda bs={SECTOR_BYTES} \
         seek=$(({FIRST_SECTOR}+n%{SECTORS})) conv=notrunc,fsync 2>/dev/null; echo \"lab $n.\" >/dev/ttyS0; \
         usleep 20000; done) </dev/null >/dev/null 2>&1 &"
    );
    console.send_line(&writer).map_err(told)?;
    console.wait_for("lab 3.", boot).map_err(told)?;
    Ok(())
}

/// The last number that a guest said, from the end of its serial log.
pub fn said(log: &Path) -> Option<u64> {
    let mut file = std::fs::File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))
        .ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix("lab ")?.strip_suffix('.')?.parse().ok())
}

/// Waits until the guest has said `count` more numbers.
///
/// # Errors
/// When it stands still for so long.
pub fn goes_on(log: &Path, count: u64, patience: Duration) -> Finding<()> {
    let deadline = Instant::now() + patience;
    let mut first = said(log);
    loop {
        let now = said(log);
        match (first, now) {
            (Some(first), Some(now)) if now >= first + count => return Ok(()),
            // A restored guest begins at a lower number, a new process with an empty log.
            (Some(before), Some(now)) if now < before => first = Some(now),
            (None, Some(now)) => first = Some(now),
            _ => {}
        }
        if Instant::now() > deadline {
            return Err(format!(
                "the guest stands still: {first:?} to {now:?} in {} s",
                patience.as_secs()
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The numbers on a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    pub highest: u64,
    sectors: Vec<u8>,
}

/// Reads the numbers that an image and what it stands on show.
///
/// # Errors
/// When it can't be read, or a number is missing.
pub fn numbers(image: &Path) -> Finding<Numbers> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let target = folder.path().join("numbers");
    let copied = Command::new("qemu-img")
        .args(["dd", "-U", "-f", "qcow2", "-O", "raw", "bs=512"])
        .arg(format!("skip={FIRST_SECTOR}"))
        .arg(format!("count={}", FIRST_SECTOR + SECTORS))
        .arg(format!("if={}", image.display()))
        .arg(format!("of={}", target.display()))
        .output()
        .map_err(|e| format!("qemu-img: {e}"))?;
    if !copied.status.success() {
        let why = String::from_utf8_lossy(&copied.stderr);
        return Err(format!("{} can't be read: {why}", image.display()));
    }
    let sectors = std::fs::read(&target).map_err(|e| e.to_string())?;
    parse(sectors).map_err(|why| format!("{}: {why}", image.display()))
}

fn parse(sectors: Vec<u8>) -> Finding<Numbers> {
    let mut found = BTreeSet::new();
    for sector in sectors.chunks(SECTOR_BYTES) {
        if sector.iter().all(|byte| *byte == 0) {
            continue;
        }
        let text = String::from_utf8_lossy(sector);
        let number: u64 = text.trim().parse().map_err(|_| "a sector is torn".to_owned())?;
        found.insert(number);
    }
    let highest = found.last().copied().unwrap_or(0);
    let expected = highest.min(SECTORS);
    if found.len() as u64 != expected
        || found
            .first()
            .is_some_and(|lowest| lowest + expected != highest + 1)
    {
        return Err(format!(
            "numbers are missing: {} of {expected} up to {highest}",
            found.len()
        ));
    }
    Ok(Numbers { highest, sectors })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(numbers: impl Iterator<Item = u64>) -> Vec<u8> {
        let mut bytes = vec![0; (SECTORS as usize) * SECTOR_BYTES];
        for number in numbers {
            let at = (number % SECTORS) as usize * SECTOR_BYTES;
            bytes[at..at + SECTOR_BYTES].copy_from_slice(format!("{number:<511}\n").as_bytes());
        }
        bytes
    }

    #[test]
    fn a_gap_is_seen() {
        assert_eq!(parse(disk(0..0)).unwrap().highest, 0);
        assert_eq!(parse(disk(1..=7)).unwrap().highest, 7);
        assert_eq!(parse(disk(1..=3000)).unwrap().highest, 3000);
        assert!(parse(disk((1..=9).filter(|n| *n != 4))).is_err());
        assert!(parse(disk((1..=3000).filter(|n| *n != 2999))).is_err());
        let mut torn = disk(1..=9);
        torn[5 * SECTOR_BYTES] = b'x';
        assert!(parse(torn).is_err());
    }
}
