//! Logs a guest can write into without end, kept short from outside. QEMU appends (`O_APPEND`), so a file that was
//! cut goes on growing from its new end.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// A serial log is cut when it is longer, in bytes.
pub const SERIAL_LOG_MAX: u64 = 4 << 20;
/// QEMU's own log, likewise.
pub(crate) const BACKEND_LOG_MAX: u64 = 1 << 20;
/// What is kept of a log that is cut.
const KEPT: u64 = 512 << 10;

/// Cuts `path` to its last half megabyte, from a line's beginning, if it is longer than `max`. A missing file is fine.
/// What is written in the very moment of the cut may be lost.
pub(crate) fn cut(path: &Path, max: u64) -> io::Result<()> {
    let length = match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => meta.len(),
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if length <= max {
        return Ok(());
    }
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let mut tail = vec![0; KEPT as usize];
    file.read_exact_at(&mut tail, length.saturating_sub(KEPT))?;
    let begin = tail.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    file.set_len(0)?;
    file.write_all(&tail[begin..])
}

/// Keeps both logs of a running machine short, for ever.
pub(crate) async fn keep_short(serial: PathBuf, backend: PathBuf) {
    loop {
        // A flood of 100 MB/s gets 25 MB far before it is cut; an idle machine costs two `stat` each time.
        tokio::time::sleep(Duration::from_millis(250)).await;
        for (path, max) in [(&serial, SERIAL_LOG_MAX), (&backend, BACKEND_LOG_MAX)] {
            if let Err(error) = cut(path, max) {
                tracing::debug!(path = %path.display(), %error, "a log could not be cut");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_keeps_its_last_lines_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serial.log");
        cut(&path, 10).unwrap();
        // The writer has it open all the time, as QEMU does.
        let mut writer = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        for number in 0..200_000 {
            writeln!(writer, "line number {number}").unwrap();
        }
        cut(&path, 1 << 20).unwrap();
        writeln!(writer, "after").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() as u64 <= KEPT + 10, "{}", text.len());
        assert!(text.starts_with("line number "));
        assert!(text.ends_with("line number 199999\nafter\n"));
        let before = text.len();
        cut(&path, 1 << 20).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), before as u64);
    }
}
