//! Start, stop, screens, keys.

use super::{Shared, detached};
use crate::error::{Answer, ApiError, answer};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, StatusCode, header};
use nestbox_model::{Accelerator, ErrorBody, Machine};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(start))
        .routes(routes!(stop))
        .routes(routes!(reset))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(screenshot))
        .routes(routes!(thumbnail))
        .routes(routes!(type_text))
        .routes(routes!(keys))
        .routes(routes!(display))
}

/// How to start.
#[derive(Default, Deserialize, utoipa::ToSchema)]
struct Start {
    /// Use this accelerator once.
    #[serde(default)]
    accelerator: Option<Accelerator>,
    /// Throw away what the guest writes when it ends.
    #[serde(default)]
    disposable: bool,
}

/// Starts a machine; answers when its guest runs. A suspended one goes on where it was.
#[utoipa::path(post, path = "/v1/machines/{machine}/start", request_body = Start, responses((status = 200, body = Machine), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn start(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    body: Option<Json<Start>>,
) -> Answer<Machine> {
    let start = body.map(|Json(start)| start).unwrap_or_default();
    // The caller may go away; a start goes on.
    let engine = shared.engine.clone();
    answer(detached(async move { engine.start(&machine, start.accelerator, start.disposable).await }).await)
}

/// How to stop.
#[derive(Default, Deserialize, utoipa::ToSchema)]
struct Stop {
    /// End it at once, as pulling the plug does.
    #[serde(default)]
    force: bool,
}

/// Asks the guest to shut down and answers at once (state `stopping`); with `force`, ends it.
#[utoipa::path(post, path = "/v1/machines/{machine}/stop", request_body = Stop, responses((status = 200, body = Machine), (status = 409, body = ErrorBody)))]
async fn stop(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    body: Option<Json<Stop>>,
) -> Answer<Machine> {
    let stop = body.map(|Json(stop)| stop).unwrap_or_default();
    let engine = shared.engine.clone();
    answer(detached(async move { engine.stop(&machine, stop.force).await }).await)
}

/// Resets the guest.
#[utoipa::path(post, path = "/v1/machines/{machine}/reset", responses((status = 200, body = Machine), (status = 409, body = ErrorBody)))]
async fn reset(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<Machine> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.reset(&machine).await }).await)
}

/// Makes the guest stand still.
#[utoipa::path(post, path = "/v1/machines/{machine}/pause", responses((status = 200, body = Machine), (status = 409, body = ErrorBody)))]
async fn pause(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<Machine> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.pause(&machine).await }).await)
}

/// Lets the guest go on.
#[utoipa::path(post, path = "/v1/machines/{machine}/resume", responses((status = 200, body = Machine), (status = 409, body = ErrorBody)))]
async fn resume(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<Machine> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.resume(&machine).await }).await)
}

type Png = ([(HeaderName, &'static str); 2], Bytes);

pub(super) fn png(bytes: Bytes) -> Png {
    (
        [
            (header::CONTENT_TYPE, "image/png"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        bytes,
    )
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct PictureQuery {
    /// Pixels; a wider screen is scaled down.
    max_width: Option<u32>,
}

/// The screen as PNG.
#[utoipa::path(get, path = "/v1/machines/{machine}/screenshot", params(PictureQuery), responses((status = 200, content_type = "image/png"), (status = 404, body = ErrorBody)))]
async fn screenshot(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Query(query): Query<PictureQuery>,
) -> Result<Png, ApiError> {
    Ok(png(shared
        .engine
        .screenshot(&machine, query.max_width)
        .await?
        .into()))
}

/// A small picture for lists, taken at most once a second.
#[utoipa::path(get, path = "/v1/machines/{machine}/thumbnail", responses((status = 200, content_type = "image/png"), (status = 404, body = ErrorBody)))]
async fn thumbnail(State(shared): State<Shared>, Path(machine): Path<String>) -> Result<Png, ApiError> {
    let picture = shared.engine.thumbnail(&machine).await?;
    Ok(png(Bytes::from(picture.as_ref().clone())))
}

/// Text to type.
#[derive(Deserialize, utoipa::ToSchema)]
struct Text {
    text: String,
}

/// Types text on the guest's keyboard (US layout).
#[utoipa::path(post, path = "/v1/machines/{machine}/type", request_body = Text, responses((status = 204), (status = 400, body = ErrorBody)))]
async fn type_text(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Json(text): Json<Text>,
) -> Result<StatusCode, ApiError> {
    shared.engine.type_text(&machine, &text.text).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Key combinations, one after the other.
#[derive(Deserialize, utoipa::ToSchema)]
struct Keys {
    /// `ctrl-alt-delete`, `ret`, `a`, …
    keys: Vec<String>,
}

/// Presses key combinations.
#[utoipa::path(post, path = "/v1/machines/{machine}/keys", request_body = Keys, responses((status = 204), (status = 400, body = ErrorBody)))]
async fn keys(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Json(keys): Json<Keys>,
) -> Result<StatusCode, ApiError> {
    shared.engine.send_keys(&machine, &keys.keys).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where to connect for the live display.
#[derive(Serialize, utoipa::ToSchema)]
struct DisplayAddress {
    /// A WebSocket on 127.0.0.1 with a token that is good for one connection within a minute.
    url: String,
}

/// Opens the live display.
#[utoipa::path(post, path = "/v1/machines/{machine}/display", responses((status = 200, body = DisplayAddress), (status = 409, body = ErrorBody)))]
async fn display(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<DisplayAddress> {
    let display = shared.engine.display(&machine)?;
    answer(
        shared
            .displays
            .offer(display)
            .await
            .map(|url| DisplayAddress { url }),
    )
}
