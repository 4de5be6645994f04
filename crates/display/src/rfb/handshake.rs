//! From a fresh connection to the server's first words about its picture (RFC 6143, 7.1 to 7.3).

use super::wire::{Fault, Outcome, Wire, lost};
use crate::SIDE_MAX;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// Longest reason read, in bytes.
const REASON_MAX: u32 = 64 * 1024;
/// Longest desktop name read, in bytes.
const NAME_MAX: u32 = 64 * 1024;
/// Security type without any.
const SECURITY_NONE: u8 = 1;

/// What a server says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) width: u16,
    pub(super) height: u16,
    /// It calls itself QEMU, whose departures from the protocol are then expected.
    pub(super) qemu: bool,
}

/// Shakes hands. The caller limits the time.
pub(super) async fn shake<R, W>(wire: &mut Wire<R>, writer: &mut W) -> Outcome<Hello>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    version(&wire.array().await?)?;
    writer.write_all(b"RFB 003.008\n").await?;
    let count = wire.u8().await?;
    if count == 0 {
        return Err(refused(wire).await);
    }
    let types = wire.bytes(usize::from(count)).await?;
    if !types.contains(&SECURITY_NONE) {
        return told(
            "The machine's display asks for a password or encryption, which Nestbox's own displays never do.",
            format!("security types {types:?}"),
        );
    }
    writer.write_all(&[SECURITY_NONE]).await?;
    if wire.u32().await? != 0 {
        return Err(refused(wire).await);
    }
    // Shared: others may look too.
    writer.write_all(&[1]).await?;
    let (width, height) = (wire.u16().await?, wire.u16().await?);
    if width == 0 || height == 0 || width > SIDE_MAX || height > SIDE_MAX {
        return told(
            "The machine's display has a size that Nestbox can't show.",
            format!("{width} × {height}, at most {SIDE_MAX} a side"),
        );
    }
    // Its own pixel format matters not: ours is set.
    wire.skip(16).await?;
    let length = wire.u32().await?;
    if length > NAME_MAX {
        return Err(Fault::Nonsense(format!("a name of {length} bytes")));
    }
    let name = wire.words(length as usize).await?;
    Ok(Hello {
        width,
        height,
        qemu: name.starts_with("QEMU"),
    })
}

/// 3.8 or a later 3.x, which all speak 3.8 when asked to.
fn version(greeting: &[u8; 12]) -> Outcome<()> {
    let text = String::from_utf8_lossy(greeting);
    let minor = text
        .strip_prefix("RFB 003.")
        .and_then(|rest| rest.strip_suffix('\n'))
        .and_then(|minor| minor.parse::<u16>().ok());
    match minor {
        Some(8..) => Ok(()),
        Some(_) => told(
            "The machine's display speaks a version of VNC that is too old.",
            text.trim(),
        ),
        None => told(
            "The machine's display does not speak a kind of VNC that Nestbox knows.",
            text.escape_debug().to_string(),
        ),
    }
}

/// The server's own reason, for people.
async fn refused<R: AsyncRead + Unpin>(wire: &mut Wire<R>) -> Fault {
    let reason = async {
        let length = wire.u32().await?;
        if length > REASON_MAX {
            return Ok(String::new());
        }
        wire.words(length as usize).await
    };
    let reason: Outcome<String> = reason.await;
    Fault::Told(match reason {
        Ok(reason) if !reason.trim().is_empty() => {
            lost(format!("The machine's display refused: {}", reason.trim()))
        }
        _ => lost("The machine's display refused, without a reason."),
    })
}

fn told<T>(message: &str, technical: impl Into<String>) -> Outcome<T> {
    Err(Fault::Told(
        lost(message).with_detail("technical", technical.into()),
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use nestbox_model::Error;

    async fn with(bytes: &[u8]) -> Result<Hello, Error> {
        let mut said = Vec::new();
        let hello = shake(&mut Wire::new(bytes), &mut said).await.map_err(Error::from);
        if hello.is_ok() {
            assert_eq!(said, b"RFB 003.008\n\x01\x01");
        }
        hello
    }
    fn init(width: u16, height: u16, name: &[u8], length: u32) -> Vec<u8> {
        let mut bytes = b"RFB 003.008\n\x02\x02\x01\0\0\0\0".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([0; 16]);
        bytes.extend(length.to_be_bytes());
        bytes.extend(name);
        bytes
    }

    #[tokio::test]
    async fn a_plain_server_is_greeted() {
        let hello = with(&init(640, 480, b"QEMU (x)", 8)).await.unwrap();
        assert_eq!((hello.width, hello.height, hello.qemu), (640, 480, true));
        let mut later = init(8192, 1, b"", 0);
        later[10] = b'9';
        assert!(!with(&later).await.unwrap().qemu);
    }

    #[tokio::test]
    async fn refusals_carry_their_reason() {
        let cases: [(&[u8], &str); 8] = [
            (b"RFB 003.003\n", "too old"),
            (b"RFB 003.008 ", "VNC"),
            (b"SSH-2.0-OpenSSH", "VNC"),
            (b"RFB 003.008\n\x00\0\0\0\x06full\x1b!", "refused: full!"),
            (b"RFB 003.008\n\x00\xff\xff\xff\xffreason", "without a reason"),
            (b"RFB 003.008\n\x01\x02", "password"),
            (b"RFB 003.008\n\x01\x01\0\0\0\x4d\0\0\0\x02no", "refused: no"),
            (b"RFB 003.008\n\x01\x01\0\0", "closed its display"),
        ];
        for (bytes, expected) in cases {
            let error = with(bytes).await.unwrap_err();
            assert!(error.message.contains(expected), "{error:?} for {expected}");
        }
        for (width, height) in [(0, 5), (5, 0), (8193, 5), (65535, 65535)] {
            let error = with(&init(width, height, b"", 0)).await.unwrap_err();
            assert!(error.message.contains("size"), "{error:?}");
        }
        let error = with(&init(5, 5, b"x", 0x7fff_ffff)).await.unwrap_err();
        assert!(error.message.contains("makes no sense"), "{error:?}");
    }
}
