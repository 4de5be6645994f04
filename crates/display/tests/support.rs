//! What the tests share: a VNC server that does what a test wants, and a reader of the messages viewers get.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use nestbox_display::{Display, MessageKind, Viewer, ViewerMessage};
use std::{future::Future, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    time::timeout,
};

pub struct Server {
    pub dir: tempfile::TempDir,
}

impl Server {
    /// A server whose every connection is served by `serve`.
    pub fn new<F, R>(serve: F) -> Self
    where
        F: Fn(UnixStream) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let server = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let listener = UnixListener::bind(server.socket()).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        server
    }
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("vnc.sock")
    }
    pub fn display(&self) -> Display {
        Display::connect(self.socket())
    }
}

/// The server's side of the handshake, up to and with the client's encodings; the picture is `width` × `height`.
pub async fn handshake(stream: &mut UnixStream, width: u16, height: u16) {
    stream.write_all(b"RFB 003.008\n").await.unwrap();
    let mut version = [0; 12];
    stream.read_exact(&mut version).await.unwrap();
    stream.write_all(&[1, 1]).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 1);
    stream.write_all(&[0; 4]).await.unwrap();
    stream.read_u8().await.unwrap();
    let mut init = Vec::new();
    init.extend_from_slice(&width.to_be_bytes());
    init.extend_from_slice(&height.to_be_bytes());
    init.extend_from_slice(&[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
    init.extend_from_slice(&[0, 0, 0, 4, b't', b'e', b's', b't']);
    stream.write_all(&init).await.unwrap();
}

/// One update of one raw rectangle in one colour (RGB; blue goes first on the wire, as the client asks).
pub fn raw(x: u16, y: u16, width: u16, height: u16, colour: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 1];
    for number in [x, y, width, height] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(&[0; 4]);
    for _ in 0..u32::from(width) * u32::from(height) {
        bytes.extend_from_slice(&[colour[2], colour[1], colour[0], 0]);
    }
    bytes
}

/// A message of the client, as the server reads it.
#[derive(Debug, PartialEq, Eq)]
pub enum FromClient {
    Request { incremental: bool },
    Key { down: bool, keysym: u32 },
    Pointer { buttons: u8, x: u16, y: u16 },
    Text(String),
    Other,
}

pub async fn read_client(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<FromClient> {
    Ok(match stream.read_u8().await? {
        0 => {
            stream.read_exact(&mut [0; 19]).await?;
            FromClient::Other
        }
        2 => {
            stream.read_u8().await?;
            for _ in 0..stream.read_u16().await? {
                stream.read_u32().await?;
            }
            FromClient::Other
        }
        3 => {
            let incremental = stream.read_u8().await? != 0;
            stream.read_exact(&mut [0; 8]).await?;
            FromClient::Request { incremental }
        }
        4 => {
            let down = stream.read_u8().await? != 0;
            stream.read_u16().await?;
            FromClient::Key {
                down,
                keysym: stream.read_u32().await?,
            }
        }
        5 => {
            let buttons = stream.read_u8().await?;
            FromClient::Pointer {
                buttons,
                x: stream.read_u16().await?,
                y: stream.read_u16().await?,
            }
        }
        6 => {
            stream.read_exact(&mut [0; 3]).await?;
            let length = stream.read_u32().await?;
            let mut text = vec![0; length as usize];
            stream.read_exact(&mut text).await?;
            FromClient::Text(String::from_utf8(text).unwrap())
        }
        other => panic!("the client sent a message of kind {other}"),
    })
}

/// The next message, or a failed test.
pub async fn next(viewer: &mut Viewer) -> ViewerMessage {
    timeout(Duration::from_secs(20), viewer.next())
        .await
        .expect("a message in time")
        .expect("not the end")
}

/// The next message of this kind; others are skipped.
pub async fn next_of(viewer: &mut Viewer, kind: MessageKind) -> ViewerMessage {
    loop {
        let message = next(viewer).await;
        if message.kind == kind {
            return message;
        }
    }
}

/// The next status whose state is `state`.
pub async fn status(viewer: &mut Viewer, state: &str) -> String {
    loop {
        let message = next_of(viewer, MessageKind::Status).await;
        let text = String::from_utf8(message.bytes[1..].to_vec()).unwrap();
        if text.contains(&format!("\"state\":\"{state}\"")) {
            return text;
        }
    }
}

/// A decoded frame.
#[derive(Debug)]
pub struct Frame {
    pub sequence: u32,
    pub rects: Vec<(u16, u16, u16, u16, Vec<u8>)>,
}

pub fn frame(message: &ViewerMessage) -> Frame {
    assert_eq!(message.kind, MessageKind::Frame);
    let bytes = &message.bytes[..];
    let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let mut rects = Vec::new();
    let mut at = 16;
    for _ in 0..u16_at(2) {
        let (x, y, width, height) = (u16_at(at), u16_at(at + 2), u16_at(at + 4), u16_at(at + 6));
        let length = usize::from(width) * usize::from(height) * 4;
        rects.push((x, y, width, height, bytes[at + 8..at + 8 + length].to_vec()));
        at += 8 + length;
    }
    assert_eq!(at, bytes.len());
    Frame {
        sequence: u32::from_le_bytes(bytes[4..8].try_into().unwrap()),
        rects,
    }
}

/// Bytes of memory this process holds now.
pub fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * 4096
}
