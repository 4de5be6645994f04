//! What the page may ask for. Every command is granted by name in `capabilities/window.json` and listed in
//! `build.rs`; errors are [`nestbox_model::Error`] as JSON.

use crate::{
    desktop::{self, PickOptions, SaveOptions},
    service::Service,
    sockets::{Incoming, Outgoing, Sockets},
};
use nestbox_api::RawResponse;
use nestbox_model::{Error, Result};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use std::borrow::Cow;
use std::sync::Arc;
use tauri::{
    AppHandle, State,
    ipc::{Channel, Response},
};

/// The service's answer to [`api_request`].
#[derive(Debug, Serialize)]
struct ApiResponse<'a> {
    /// HTTP status.
    status: u16,
    /// Content type with its parameters; empty when there is no body.
    content_type: &'a str,
    /// JSON as it is; other content in base64; null when there is none.
    body: Cow<'a, RawValue>,
}

/// One request to the service: an [`ApiResponse`]. Fails only when the service can't be reached.
#[tauri::command]
pub async fn api_request(
    service: State<'_, Arc<Service>>,
    method: String,
    path: String,
    body: Option<Value>,
) -> Result<Response> {
    let answer = service.request(&method, &path, body.as_ref()).await?;
    Ok(Response::new(as_json(&answer)?))
}

/// The answer as the page gets it. A long list is checked to be JSON, but neither taken apart nor written anew.
fn as_json(answer: &RawResponse) -> Result<String> {
    let broken = |error: serde_json::Error| {
        Error::failed("bad-answer", "The service answered something that is not JSON.")
            .with_detail("system", error.to_string())
    };
    let body = if answer.body.is_empty() {
        Cow::Borrowed(RawValue::NULL)
    } else if answer.content_type.split(';').next().unwrap_or_default().trim() == "application/json" {
        Cow::Borrowed(serde_json::from_slice(&answer.body).map_err(broken)?)
    } else {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(&answer.body);
        Cow::Owned(serde_json::value::to_raw_value(&text).map_err(broken)?)
    };
    let response = ApiResponse {
        status: answer.status,
        content_type: &answer.content_type,
        body,
    };
    serde_json::to_string(&response).map_err(broken)
}

/// A picture of the service as raw bytes (an `ArrayBuffer` for the page): cheaper than base64.
#[tauri::command]
pub async fn api_picture(service: State<'_, Arc<Service>>, path: String) -> Result<Response> {
    let answer = service.request("GET", &path, None).await?;
    if answer.status == 200 && answer.content_type.starts_with("image/") {
        return Ok(Response::new(answer.body.to_vec()));
    }
    Err(serde_json::from_slice::<nestbox_model::ErrorBody>(&answer.body)
        .map(|body| body.error)
        .unwrap_or_else(|_| Error::not_found("no-picture", "There is no picture.")))
}

/// Opens a WebSocket of the service; messages go into `channel` as [`Incoming`]. Returns its id.
#[tauri::command]
pub async fn socket_open(
    service: State<'_, Arc<Service>>,
    sockets: State<'_, Arc<Sockets>>,
    path: String,
    channel: Channel<Incoming>,
) -> Result<u32> {
    sockets
        .open(&service, &path, move |message| drop(channel.send(message)))
        .await
}

/// Sends a message on an open socket.
#[tauri::command]
pub async fn socket_send(sockets: State<'_, Arc<Sockets>>, id: u32, message: Outgoing) -> Result<()> {
    sockets.send(id, message).await
}

/// Closes a socket.
#[tauri::command]
#[allow(clippy::needless_pass_by_value)] // Tauri hands its state over by value.
pub fn socket_close(sockets: State<'_, Arc<Sockets>>, id: u32) {
    sockets.close(id);
}

/// The service's events: [`socket_open`] on `/v1/events`.
#[tauri::command]
pub async fn events_subscribe(
    service: State<'_, Arc<Service>>,
    sockets: State<'_, Arc<Sockets>>,
    channel: Channel<Incoming>,
) -> Result<u32> {
    socket_open(service, sockets, "/v1/events".into(), channel).await
}

/// Asks for files to open: absolute paths, empty when the user cancelled.
#[tauri::command]
pub async fn pick_file(app: AppHandle, options: PickOptions) -> Result<Vec<String>> {
    desktop::pick_files(&app, options).await
}

/// Asks for a folder: its absolute path, or null when the user cancelled.
#[tauri::command]
pub async fn pick_folder(app: AppHandle, title: String) -> Result<Option<String>> {
    desktop::pick_folder(&app, &title).await
}

/// Asks where to save, and writes nothing: an absolute path, or null when the user cancelled.
#[tauri::command]
pub async fn pick_save_path(app: AppHandle, options: SaveOptions) -> Result<Option<String>> {
    desktop::pick_save_path(&app, &options).await
}

/// Asks where to save and writes `data` (base64) there: the path, or null when the user cancelled.
#[tauri::command]
pub async fn save_file(app: AppHandle, suggested_name: String, data: String) -> Result<Option<String>> {
    desktop::save_file(&app, &suggested_name, &data).await
}

/// Opens a web address in the user's browser.
#[tauri::command]
pub async fn open_url(url: String) -> Result<()> {
    desktop::open_url(&url)
}

/// Shows a file in the file manager.
#[tauri::command]
pub async fn show_in_folder(path: String) -> Result<()> {
    desktop::show_in_folder(&path)
}

/// The clipboard's text; empty when it holds none.
#[tauri::command]
pub async fn clipboard_read(clipboard: State<'_, desktop::Clipboard>) -> Result<String> {
    clipboard.read()
}

/// Puts text on the clipboard.
#[tauri::command]
pub async fn clipboard_write(clipboard: State<'_, desktop::Clipboard>, text: String) -> Result<()> {
    clipboard.write(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(content_type: &str, body: &'static [u8]) -> RawResponse {
        RawResponse {
            status: 200,
            content_type: content_type.into(),
            body: body.into(),
        }
    }

    #[test]
    fn answers_go_on_as_they_came() {
        let json = |answer: &RawResponse| as_json(answer).unwrap();
        assert_eq!(
            json(&answer("application/json; charset=utf-8", br#"{"n": 1.50}"#)),
            r#"{"status":200,"content_type":"application/json; charset=utf-8","body":{"n": 1.50}}"#
        );
        assert_eq!(
            json(&answer("text/plain", b"a\"b")),
            r#"{"status":200,"content_type":"text/plain","body":"YSJi"}"#
        );
        assert_eq!(
            json(&answer("", b"")),
            r#"{"status":200,"content_type":"","body":null}"#
        );
    }

    #[test]
    fn what_is_not_json_is_an_error() {
        for body in [b"{" as &[u8], b"\xff", b"{} {}"] {
            let answer = RawResponse {
                body: body.to_vec().into(),
                ..answer("application/json", b"")
            };
            assert_eq!(as_json(&answer).unwrap_err().code, "bad-answer");
        }
    }
}
