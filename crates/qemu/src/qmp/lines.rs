//! Lines of bounded length from a socket.

use std::{io, sync::Arc};
use tokio::net::UnixStream;

/// Longest line taken. The longest honest one, QEMU's description of itself, has a quarter of a megabyte.
pub(crate) const LINE_MAX: usize = 16 << 20;
const READ: usize = 64 << 10;

/// Reads a shared stream line by line; safe to cancel between and inside lines.
pub(crate) struct LineReader {
    stream: Arc<UnixStream>,
    buffer: Vec<u8>,
    /// Where the next line begins in `buffer`.
    start: usize,
    /// Up to here `buffer` is known to hold no line end after `start`.
    searched: usize,
}

impl LineReader {
    pub fn new(stream: Arc<UnixStream>) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
        }
    }

    /// The next line without its end, `None` at the end of the stream (an unfinished line is dropped).
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.buffer[self.searched..]
                .iter()
                .position(|byte| *byte == b'\n')
            {
                let end = self.searched + end;
                let line = self.buffer[self.start..end].to_vec();
                self.start = end + 1;
                self.searched = self.start;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Ok(Some(line));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            self.searched = self.buffer.len();
            if self.buffer.len() > LINE_MAX {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "It sent a line without end.",
                ));
            }
            // One very long line must not keep its memory for ever.
            if self.buffer.is_empty() && self.buffer.capacity() > 1 << 20 {
                self.buffer = Vec::new();
            }
            self.stream.readable().await?;
            self.buffer.reserve(READ);
            match self.stream.try_read_buf(&mut self.buffer) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
