//! WebSockets of the API: events and serial consoles.

use crate::error::ApiError;
use crate::routes::Shared;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use nestbox_engine::{Console, ConsoleOutput};
use nestbox_model::ErrorBody;
use std::time::Duration;
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
    let console = shared.engine.console(&machine).await?;
    Ok(upgrade
        .max_message_size(CLIENT_MESSAGE_MAX)
        .on_upgrade(move |socket| async move {
            let _present = shared.presence.enter();
            show_console(socket, console).await;
        }))
}

async fn show_console(socket: WebSocket, mut console: Console) {
    let (mut sink, mut stream) = socket.split();
    let input = console.input();
    let outgoing = async {
        while let Some(output) = console.next().await {
            let bytes = match output {
                ConsoleOutput::Bytes(bytes) => bytes,
                ConsoleOutput::Lost => Bytes::from_static(b"\r\n[some output was lost]\r\n"),
            };
            if sink.send(Message::Binary(bytes)).await.is_err() {
                return;
            }
        }
        let _ = sink.send(Message::Close(None)).await;
    };
    let incoming = async {
        while let Some(Ok(message)) = stream.next().await {
            let bytes = match message {
                Message::Binary(bytes) => bytes,
                Message::Text(text) => text.into(),
                Message::Ping(_) | Message::Pong(_) => continue,
                Message::Close(_) => return,
            };
            if input.send(bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = outgoing => {},
        () = incoming => {},
    }
}
