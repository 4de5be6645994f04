//! WebSockets of the service for the page: events and serial consoles. A page names a path and a channel; what
//! arrives goes into the channel until either side closes. Reconnecting is the page's.

use crate::service::Service;
use futures_util::{SinkExt, StreamExt};
use nestbox_model::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

/// Messages waiting to be sent before a page's `socket_send` waits.
const OUTGOING_MAX: usize = 64;

/// What a channel carries to the page.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Incoming {
    /// The socket is open.
    Open,
    /// A text message.
    Text {
        /// Content.
        data: String,
    },
    /// A binary message.
    Binary {
        /// Content, base64.
        data: String,
    },
    /// It closed; nothing follows.
    Close {
        /// Why, for people; empty when it was asked for.
        reason: String,
    },
}

/// A message of the page.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Outgoing {
    /// Text.
    Text {
        /// Content.
        data: String,
    },
    /// Bytes.
    Binary {
        /// Content, base64.
        data: String,
    },
}

/// The page's open sockets.
#[derive(Default)]
pub struct Sockets {
    next: AtomicU32,
    open: Mutex<HashMap<u32, mpsc::Sender<Message>>>,
}

impl Sockets {
    /// Opens the WebSocket at `path`; `deliver` gets what arrives, [`Incoming::Close`] last.
    ///
    /// # Errors
    /// The service can't be reached or refuses.
    pub async fn open(
        self: &std::sync::Arc<Self>,
        service: &Service,
        path: &str,
        mut deliver: impl FnMut(Incoming) + Send + 'static,
    ) -> Result<u32> {
        let socket = service.socket(path).await?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::channel(OUTGOING_MAX);
        self.table().insert(id, sender);
        let sockets = self.clone();
        tokio::spawn(async move {
            deliver(Incoming::Open);
            let reason = carry(socket, receiver, &mut deliver).await;
            sockets.table().remove(&id);
            deliver(Incoming::Close { reason });
        });
        Ok(id)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// `socket-closed` when it is not open any more, `bad-message` for bytes that are not base64.
    pub async fn send(&self, id: u32, message: Outgoing) -> Result<()> {
        let message = match message {
            Outgoing::Text { data } => Message::text(data),
            Outgoing::Binary { data } => {
                use base64::Engine;
                let bytes = base64::engine::general_purpose::STANDARD
                    .decode(data)
                    .map_err(|error| {
                        Error::usage("bad-message", "The bytes of a message were not base64.")
                            .with_detail("system", error.to_string())
                    })?;
                Message::binary(bytes)
            }
        };
        let closed = || Error::conflict("socket-closed", "This connection is closed.");
        let sender = self.table().get(&id).cloned().ok_or_else(closed)?;
        sender.send(message).await.map_err(|_| closed())
    }

    /// Closes a socket; nothing happens when it is closed already.
    pub fn close(&self, id: u32) {
        self.table().remove(&id);
    }

    /// Closes them all: the page went away.
    pub fn close_all(&self) {
        self.table().clear();
    }

    fn table(&self) -> std::sync::MutexGuard<'_, HashMap<u32, mpsc::Sender<Message>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves messages both ways until a side closes; returns why.
async fn carry(
    mut socket: nestbox_api::RawSocket,
    mut outgoing: mpsc::Receiver<Message>,
    deliver: &mut (impl FnMut(Incoming) + Send),
) -> String {
    use base64::Engine;
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => deliver(Incoming::Text { data: text.to_string() }),
                Some(Ok(Message::Binary(bytes))) => {
                    deliver(Incoming::Binary { data: base64::engine::general_purpose::STANDARD.encode(bytes) });
                }
                Some(Ok(Message::Close(_))) | None => return "The service closed the connection.".into(),
                Some(Ok(_)) => {}
                Some(Err(error)) => return error.to_string(),
            },
            message = outgoing.recv() => match message {
                Some(message) => if let Err(error) = socket.send(message).await { return error.to_string() },
                None => {
                    let _ = socket.close(None).await;
                    return String::new();
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Arc, time::Duration};

    #[tokio::test]
    async fn messages_travel_both_ways_and_closing_ends_both_sides() {
        let (_folder, service, listener) = crate::service::tests::listening();
        let echo = tokio::spawn(async move {
            // The first connection only asks whether anyone is there.
            drop(listener.accept().await.unwrap());
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                if message.is_close() {
                    break;
                }
                socket.send(message).await.unwrap();
            }
        });
        let sockets = Arc::new(Sockets::default());
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let id = sockets
            .open(&service, "/v1/machines/x/console", move |m| {
                sender.send(m).unwrap();
            })
            .await
            .unwrap();
        sockets
            .send(id, Outgoing::Text { data: "hi".into() })
            .await
            .unwrap();
        sockets
            .send(id, Outgoing::Binary { data: "AP8=".into() })
            .await
            .unwrap();
        let mut next = async || {
            tokio::time::timeout(Duration::from_secs(5), receiver.recv())
                .await
                .unwrap()
                .unwrap()
        };
        assert!(matches!(next().await, Incoming::Open));
        assert!(matches!(next().await, Incoming::Text { data } if data == "hi"));
        assert!(matches!(next().await, Incoming::Binary { data } if data == "AP8="));
        sockets.close(id);
        assert!(matches!(next().await, Incoming::Close { reason } if reason.is_empty()));
        tokio::time::timeout(Duration::from_secs(5), echo)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            sockets
                .send(id, Outgoing::Text { data: String::new() })
                .await
                .unwrap_err()
                .code,
            "socket-closed"
        );
    }
}
