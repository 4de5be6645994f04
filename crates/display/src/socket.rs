//! A viewer over a WebSocket of any framework.

use crate::{ClientMessage, Display};
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};

/// Longest message taken from a viewer, in bytes.
const MESSAGE_MAX: usize = 1024 * 1024;

/// A WebSocket message, whatever framework it comes from. Pings and pongs are the framework's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WsMessage {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
    /// The end.
    Close,
}

/// Serves one viewer until it leaves or the display ends. Input is taken while output waits for a slow viewer.
///
/// With axum: `serve_viewer(display, socket.map(from_axum).with(|m| ready(Ok::<_, axum::Error>(to_axum(m)))))`.
pub async fn serve_viewer<S, E>(display: Display, socket: S)
where
    S: Stream<Item = Result<WsMessage, E>> + Sink<WsMessage>,
{
    let (mut sink, mut stream) = socket.split();
    let mut viewer = display.attach();
    let input = viewer.input();
    drop(display);
    let incoming = async {
        while let Some(Ok(message)) = stream.next().await {
            match message {
                WsMessage::Text(text) if text.len() <= MESSAGE_MAX => {
                    match serde_json::from_str::<ClientMessage>(&text) {
                        Ok(message) => input.handle(message),
                        Err(error) => tracing::debug!(%error, "a viewer's message is not understood"),
                    }
                }
                WsMessage::Text(text) => {
                    tracing::debug!(bytes = text.len(), "a viewer's message is too long");
                }
                WsMessage::Binary(_) => {}
                WsMessage::Close => break,
            }
        }
    };
    let outgoing = async {
        while let Some(message) = viewer.next().await {
            if sink.send(WsMessage::Binary(message.bytes)).await.is_err() {
                return;
            }
        }
        let _ = sink.send(WsMessage::Close).await;
    };
    tokio::select! {
        () = incoming => {}
        () = outgoing => {}
    }
}
