//! Reading numbers and lengths off the socket, and what can go wrong with them.

use nestbox_model::Error;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};

/// Bytes of one read of small things; larger ones go straight where they belong.
const BUFFER: usize = 64 * 1024;
/// A length is believed in steps of this many bytes, so that a lie costs no more memory than was really sent.
const STEP: usize = 1024 * 1024;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum Fault {
    /// The other side left, or the socket broke.
    Closed(io::Error),
    /// It sent what the protocol does not allow, or more than we take.
    Nonsense(String),
    /// It stopped in the middle of something.
    Silent,
    /// It does not read what we send.
    Deaf,
    /// Nobody takes our events any more.
    Unheard,
    /// Something to be told as it is.
    Told(Error),
}

pub(super) type Outcome<T> = Result<T, Fault>;

pub(super) fn nonsense<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Fault::Nonsense(what.into()))
}

pub(super) fn lost(message: impl Into<String>) -> Error {
    Error::failed("display-lost", message)
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Closed(error) => {
                lost("The machine closed its display.").with_detail("technical", error.to_string())
            }
            Fault::Nonsense(what) => lost("The machine's display sent something that makes no sense.")
                .with_detail("technical", what),
            Fault::Silent => lost("The machine's display stopped in the middle of a picture."),
            Fault::Deaf => lost("The machine's display takes no input."),
            Fault::Unheard => lost("The display was left."),
            Fault::Told(error) => error,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Closed(error)
    }
}

/// The reading half of a connection.
pub(super) struct Wire<R> {
    inner: BufReader<R>,
}

impl<R: AsyncRead + Unpin> Wire<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner: BufReader::with_capacity(BUFFER, inner),
        }
    }
    pub(super) async fn u8(&mut self) -> Outcome<u8> {
        Ok(self.inner.read_u8().await?)
    }
    pub(super) async fn u16(&mut self) -> Outcome<u16> {
        Ok(self.inner.read_u16().await?)
    }
    pub(super) async fn u32(&mut self) -> Outcome<u32> {
        Ok(self.inner.read_u32().await?)
    }
    pub(super) async fn i32(&mut self) -> Outcome<i32> {
        Ok(self.inner.read_i32().await?)
    }
    pub(super) async fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).await?;
        Ok(bytes)
    }
    /// `length` bytes in memory that was empty before. The caller has bounded `length`.
    pub(super) async fn bytes(&mut self, length: usize) -> Outcome<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length.min(STEP));
        let mut part = (&mut self.inner).take(length as u64);
        while bytes.len() < length {
            if bytes.len() == bytes.capacity() {
                bytes.reserve((length - bytes.len()).min(STEP));
            }
            // Into memory that was not written before: clearing a frame first would cost as much as reading it.
            if part.read_buf(&mut bytes).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        Ok(bytes)
    }
    /// Reads `length` bytes and forgets them.
    pub(super) async fn skip(&mut self, mut length: usize) -> Outcome<()> {
        let mut some = [0; 4096];
        while length > 0 {
            let part = length.min(some.len());
            if let Some(part) = some.get_mut(..part) {
                self.inner.read_exact(part).await?;
            }
            length -= part;
        }
        Ok(())
    }
    /// Text of a peer for people: at most 200 characters, none of them a control character.
    pub(super) async fn words(&mut self, length: usize) -> Outcome<String> {
        let bytes = self.bytes(length).await?;
        Ok(String::from_utf8_lossy(&bytes)
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_length_that_lies_costs_what_was_sent_and_words_are_clean() {
        let mut wire = Wire::new(&b"\x01\x02\x03"[..]);
        assert_eq!(wire.u16().await.unwrap(), 0x0102);
        assert!(matches!(wire.bytes(usize::MAX).await, Err(Fault::Closed(_))));
        let mut wire = Wire::new(&b"bad\x1b[31m\0\xff!"[..]);
        assert_eq!(wire.words(11).await.unwrap(), "bad[31m\u{fffd}!");
        let mut wire = Wire::new(&[7; 9000][..]);
        wire.skip(8999).await.unwrap();
        assert_eq!(wire.u8().await.unwrap(), 7);
        assert!(wire.u8().await.is_err());
    }
}
