//! Live displays for the window and for browsers: WebSockets on a loopback port, each behind a token of its own.

use crate::access;
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use nestbox_display::{Display, WsMessage, serve_viewer};
use nestbox_model::Error;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

/// A token is good for this long, once.
const TOKEN_LIFE: Duration = Duration::from_secs(60);
/// Longest message a viewer may send, bytes (pasted text).
const VIEWER_MESSAGE_MAX: usize = 1 << 20;

/// The loopback door for displays; opened when first needed.
#[derive(Clone, Default)]
pub(crate) struct Displays(Arc<Door>);

#[derive(Default)]
struct Door {
    port: OnceCell<u16>,
    offers: Mutex<HashMap<String, (Instant, Display)>>,
    viewers: Arc<std::sync::atomic::AtomicUsize>,
}

impl Displays {
    /// How many viewers look right now.
    pub fn viewers(&self) -> usize {
        self.0.viewers.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// An address for one connection to `display`.
    pub async fn offer(&self, display: Display) -> nestbox_model::Result<String> {
        let port = *self.0.port.get_or_try_init(|| self.open()).await?;
        let token = access::new_token();
        let mut offers = self.0.offers.lock().unwrap_or_else(PoisonError::into_inner);
        offers.retain(|_, (at, _)| at.elapsed() < TOKEN_LIFE);
        offers.insert(token.clone(), (Instant::now(), display));
        Ok(format!("ws://127.0.0.1:{port}/display/{token}"))
    }

    async fn open(&self) -> nestbox_model::Result<u16> {
        let failed = |e: std::io::Error| {
            Error::failed("no-loopback", format!("The display's port can't be opened: {e}."))
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let router = Router::new()
            .route("/display/{token}", get(connect))
            .with_state(self.clone());
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the display's port closed");
            }
        });
        Ok(port)
    }

    fn take(&self, token: &str) -> Option<Display> {
        let mut offers = self.0.offers.lock().unwrap_or_else(PoisonError::into_inner);
        offers
            .remove(token)
            .filter(|(at, _)| at.elapsed() < TOKEN_LIFE)
            .map(|(_, display)| display)
    }
}

async fn connect(
    State(displays): State<Displays>,
    Path(token): Path<String>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !access::host_is_loopback(&headers) || !access::origin_is_ours(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(display) = displays.take(&token) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let viewers = displays.0.viewers.clone();
    upgrade
        .max_message_size(VIEWER_MESSAGE_MAX)
        .on_upgrade(move |socket| async move {
            viewers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            view(display, socket).await;
            viewers.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        })
}

async fn view(display: Display, socket: WebSocket) {
    let socket = socket
        .with(|message: WsMessage| async move {
            Ok::<_, axum::Error>(match message {
                WsMessage::Text(text) => Message::Text(text.into()),
                WsMessage::Binary(bytes) => Message::Binary(bytes),
                WsMessage::Close => Message::Close(None),
            })
        })
        .filter_map(|message: Result<Message, axum::Error>| async move {
            match message {
                Ok(Message::Text(text)) => Some(Ok(WsMessage::Text(text.to_string()))),
                Ok(Message::Binary(bytes)) => Some(Ok(WsMessage::Binary(bytes))),
                Ok(Message::Close(_)) => Some(Ok(WsMessage::Close)),
                Ok(Message::Ping(_) | Message::Pong(_)) => None,
                Err(error) => Some(Err(error)),
            }
        });
    serve_viewer(display, socket).await;
}
