//! Errors on the wire.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use nestbox_model::{Error, ErrorBody};

/// An engine error as a response: its kind's status and `{"error": …}`.
pub(crate) struct ApiError(pub Error);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(ErrorBody { error: self.0 })).into_response()
    }
}

/// What every JSON handler returns.
pub(crate) type Answer<T> = Result<Json<T>, ApiError>;

pub(crate) fn answer<T>(result: nestbox_model::Result<T>) -> Answer<T> {
    result.map(Json).map_err(ApiError)
}

/// Longest refusal of another layer that is passed on, bytes.
const REFUSAL_MAX: usize = 16 << 10;

/// The outermost layer: refusals of layers that know nothing of ours (bodies and queries that can't be read, methods,
/// WebSocket handshakes, the browser's door) get our shape. Status and other headers stay, their text is in `details`.
pub(crate) async fn in_our_shape(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let text = to_bytes(body, REFUSAL_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut error = refusal(status).with_detail("status", status.as_u16());
    if !text.is_empty() {
        error = error.with_detail("text", text.as_ref());
    }
    let json = serde_json::to_vec(&ErrorBody { error }).unwrap_or_default();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(head, Body::from(json))
}

fn refusal(status: StatusCode) -> Error {
    match status.as_u16() {
        401 => Error::usage(
            "not-authorised",
            "Nestbox needs the address with its token, as `nestbox service serve --listen` printed it.",
        )
        .with_hint("Open that address again; the token changes whenever the service starts."),
        403 => Error::usage(
            "forbidden",
            "Nestbox answers only programs and its own pages on this computer.",
        )
        .with_hint("Open the address that `nestbox service serve --listen` printed."),
        404 => Error::not_found("no-such-route", "The API has no such address."),
        405 => Error::usage(
            "method-not-allowed",
            "This address of the API takes other methods.",
        )
        .with_hint("See GET /v1/openapi.json."),
        413 => Error::usage("too-large", "The request is larger than Nestbox takes."),
        415 => Error::usage("unsupported-media-type", "The API takes JSON bodies only.")
            .with_hint("Send Content-Type: application/json."),
        426 => Error::usage("upgrade-required", "This address of the API is a WebSocket."),
        400..500 => Error::usage("bad-request", "The request is not as the API needs it.")
            .with_hint("The details say why; GET /v1/openapi.json describes every request."),
        _ => Error::failed("internal", "The service could not answer."),
    }
}
