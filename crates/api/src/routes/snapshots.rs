//! Snapshots.

use super::lifecycle::png;
use super::{Shared, detached};
use crate::error::{Answer, ApiError, answer};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use nestbox_model::{
    ErrorBody, RestoreRequest, Restored, Snapshot, SnapshotList, SnapshotRequest, SnapshotTaken,
    SnapshotsDeleted,
};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, take))
        .routes(routes!(show, change, delete))
        .routes(routes!(restore))
        .routes(routes!(picture))
}

/// All snapshots, oldest first.
#[utoipa::path(get, path = "/v1/machines/{machine}/snapshots", responses((status = 200, body = SnapshotList), (status = 404, body = ErrorBody)))]
async fn list(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<SnapshotList> {
    answer(shared.engine.snapshots(&machine))
}

/// Takes a snapshot.
#[utoipa::path(post, path = "/v1/machines/{machine}/snapshots", request_body = SnapshotRequest, responses((status = 200, body = SnapshotTaken), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn take(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    body: Option<Json<SnapshotRequest>>,
) -> Answer<SnapshotTaken> {
    let request = body.map(|Json(request)| request).unwrap_or_default();
    let engine = shared.engine.clone();
    answer(detached(async move { engine.take_snapshot(&machine, request).await }).await)
}

/// One snapshot.
#[utoipa::path(get, path = "/v1/machines/{machine}/snapshots/{snapshot}", responses((status = 200, body = Snapshot), (status = 404, body = ErrorBody)))]
async fn show(
    State(shared): State<Shared>,
    Path((machine, snapshot)): Path<(String, String)>,
) -> Answer<Snapshot> {
    answer(shared.engine.snapshot(&machine, &snapshot))
}

/// What to change.
#[derive(Deserialize, utoipa::ToSchema)]
struct SnapshotChange {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    notes: Option<String>,
    /// No rule removes it.
    #[serde(default)]
    keep: Option<bool>,
}

/// Renames a snapshot, changes its notes, or whether rules may remove it.
#[utoipa::path(patch, path = "/v1/machines/{machine}/snapshots/{snapshot}", request_body = SnapshotChange, responses((status = 200, body = Snapshot), (status = 404, body = ErrorBody)))]
async fn change(
    State(shared): State<Shared>,
    Path((machine, snapshot)): Path<(String, String)>,
    Json(change): Json<SnapshotChange>,
) -> Answer<Snapshot> {
    let engine = shared.engine.clone();
    answer(
        detached(async move {
            let (name, notes) = (change.name.as_deref(), change.notes.as_deref());
            engine
                .change_snapshot(&machine, &snapshot, name, notes, change.keep)
                .await
        })
        .await,
    )
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    /// Its children too.
    #[serde(default)]
    subtree: bool,
    /// Say what would happen and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Deletes a snapshot; its children live on unless `subtree`.
#[utoipa::path(delete, path = "/v1/machines/{machine}/snapshots/{snapshot}", params(DeleteQuery), responses((status = 200, body = SnapshotsDeleted), (status = 404, body = ErrorBody)))]
async fn delete(
    State(shared): State<Shared>,
    Path((machine, snapshot)): Path<(String, String)>,
    Query(query): Query<DeleteQuery>,
) -> Answer<SnapshotsDeleted> {
    let engine = shared.engine.clone();
    answer(
        detached(async move {
            engine
                .delete_snapshot(&machine, &snapshot, query.subtree, query.dry_run)
                .await
        })
        .await,
    )
}

/// Restores a snapshot; the present is kept first unless `discard`.
#[utoipa::path(post, path = "/v1/machines/{machine}/snapshots/{snapshot}/restore", request_body = RestoreRequest, responses((status = 200, body = Restored), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn restore(
    State(shared): State<Shared>,
    Path((machine, snapshot)): Path<(String, String)>,
    body: Option<Json<RestoreRequest>>,
) -> Answer<Restored> {
    let request = body.map(|Json(request)| request).unwrap_or_default();
    let engine = shared.engine.clone();
    answer(detached(async move { engine.restore_snapshot(&machine, &snapshot, request).await }).await)
}

/// The screen when it was taken, as PNG.
#[utoipa::path(get, path = "/v1/machines/{machine}/snapshots/{snapshot}/screenshot", responses((status = 200, content_type = "image/png"), (status = 404, body = ErrorBody)))]
async fn picture(
    State(shared): State<Shared>,
    Path((machine, snapshot)): Path<(String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(png(shared.engine.snapshot_picture(&machine, &snapshot)?.into()))
}
