//! WebSockets of the API: events and serial consoles.

use crate::error::ApiError;
use crate::routes::Shared;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use nestbox_model::ErrorBody;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest message a client may send, bytes.
const CLIENT_MESSAGE_MAX: usize = 64 << 10;
/// A ping this often finds clients that are gone.
const PING_EVERY: Duration = Duration::from_secs(30);

pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(events))
        .routes(routes!(console))
}

/// Events: one JSON object (`Event`) a text message.
#[utoipa::path(get, path = "/v1/events", responses((status = 101, description = "WebSocket")))]
async fn events(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(CLIENT_MESSAGE_MAX)
        .on_upgrade(move |socket| send_events(shared, socket))
}

async fn send_events(shared: Shared, mut socket: WebSocket) {
    let _present = shared.presence.enter();
    let mut events = shared.engine.events();
    let mut ping = tokio::time::interval(PING_EVERY);
    loop {
        let message = tokio::select! {
            event = events.next() => match event.map(|event| serde_json::to_string(&event)) {
                Some(Ok(text)) => Message::Text(text.into()),
                Some(Err(_)) => continue,
                None => return,
            },
            _ = ping.tick() => Message::Ping(Default::default()),
            from_client = socket.recv() => match from_client {
                None | Some(Err(_) | Ok(Message::Close(_))) => return,
                Some(Ok(_)) => continue,
            },
        };
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// The serial console: binary messages are its bytes, both ways.
#[utoipa::path(get, path = "/v1/machines/{machine}/console", responses((status = 101, description = "WebSocket"), (status = 409, body = ErrorBody)))]
async fn console(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let path = shared.engine.console_socket(&machine)?;
    let serial = UnixStream::connect(&path)
        .await
        .map_err(|e| nestbox_model::Error::io("open the serial console", &path, &e))?;
    Ok(upgrade
        .max_message_size(CLIENT_MESSAGE_MAX)
        .on_upgrade(move |socket| async move {
            let _present = shared.presence.enter();
            join(socket, serial).await;
        }))
}

async fn join(mut socket: WebSocket, serial: UnixStream) {
    let (mut from_guest, mut to_guest) = serial.into_split();
    let mut buffer = vec![0; 16 << 10];
    loop {
        tokio::select! {
            read = from_guest.read(&mut buffer) => match read {
                Ok(0) | Err(_) => break,
                Ok(length) => {
                    let bytes = buffer[..length].to_vec();
                    if socket.send(Message::Binary(bytes.into())).await.is_err() {
                        return;
                    }
                }
            },
            message = socket.recv() => {
                let bytes = match message {
                    Some(Ok(Message::Binary(bytes))) => bytes,
                    Some(Ok(Message::Text(text))) => text.into(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    None | Some(Err(_) | Ok(Message::Close(_))) => return,
                };
                if to_guest.write_all(&bytes).await.is_err() {
                    break;
                }
            }
        }
    }
    let _ = socket.send(Message::Close(None)).await;
}
