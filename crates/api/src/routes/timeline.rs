//! The snapshot timeline beside the snapshots themselves: clones, saved state, disposable runs, what takes space.

use super::{Shared, detached};
use crate::error::{Answer, answer};
use axum::Json;
use axum::extract::{Path, Query, State};
use nestbox_model::{
    CloneRequest, CloneStarted, Comparison, ErrorBody, Job, Machine, Snapshot, SpaceReport, TakenTogether,
    TogetherRequest,
};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(together))
        .routes(routes!(compare))
        .routes(routes!(drop_memory))
        .routes(routes!(tidy))
        .routes(routes!(clone))
        .routes(routes!(suspend))
        .routes(routes!(discard_state))
        .routes(routes!(keep_changes))
        .routes(routes!(space))
}

/// Takes snapshots of several machines, all cut at one instant; all are taken or none.
#[utoipa::path(post, path = "/v1/snapshots", request_body = TogetherRequest, responses((status = 200, body = TakenTogether), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn together(
    State(shared): State<Shared>,
    Json(request): Json<TogetherRequest>,
) -> Answer<TakenTogether> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.take_together(request).await }).await)
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct CompareQuery {
    /// Another snapshot; left out or `now`: the present.
    with: Option<String>,
}

/// What differs between a snapshot and another, or the present.
#[utoipa::path(get, path = "/v1/machines/{machine}/snapshots/{snapshot}/compare", params(CompareQuery), responses((status = 200, body = Comparison), (status = 404, body = ErrorBody)))]
async fn compare(
    State(shared): State<Shared>,
    Path((machine, snapshot)): Path<(String, String)>,
    Query(query): Query<CompareQuery>,
) -> Answer<Comparison> {
    let with = query.with.as_deref().filter(|with| *with != "now");
    answer(shared.engine.compare(&machine, &snapshot, with))
}

/// Drops a snapshot's memory and keeps its disks.
#[utoipa::path(post, path = "/v1/machines/{machine}/snapshots/{snapshot}/drop-memory", responses((status = 200, body = Snapshot), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn drop_memory(
    State(shared): State<Shared>,
    Path((machine, snapshot)): Path<(String, String)>,
) -> Answer<Snapshot> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.drop_memory(&machine, &snapshot).await }).await)
}

/// Merges images that nobody needs by themselves and compresses saved memory, as a job.
#[utoipa::path(post, path = "/v1/machines/{machine}/tidy", responses((status = 200, body = Job), (status = 409, body = ErrorBody)))]
async fn tidy(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<Job> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.tidy(&machine).await }).await)
}

/// Clones a machine from a snapshot or its present. A linked clone is ready at once, a full one when its job is done.
#[utoipa::path(post, path = "/v1/machines/{machine}/clone", request_body = CloneRequest, responses((status = 200, body = CloneStarted), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn clone(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Json(request): Json<CloneRequest>,
) -> Answer<CloneStarted> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.clone_machine(&machine, request).await }).await)
}

/// Saves the guest's memory to disk and ends its process; starting it goes on.
#[utoipa::path(post, path = "/v1/machines/{machine}/suspend", responses((status = 200, body = Machine), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn suspend(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<Machine> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.suspend(&machine).await }).await)
}

/// Throws a suspended machine's memory away; its next start boots.
#[utoipa::path(post, path = "/v1/machines/{machine}/discard-state", responses((status = 200, body = Machine), (status = 409, body = ErrorBody)))]
async fn discard_state(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<Machine> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.discard_state(&machine).await }).await)
}

/// Keeps what a disposable run wrote after all.
#[utoipa::path(post, path = "/v1/machines/{machine}/keep-changes", responses((status = 200, body = Machine), (status = 409, body = ErrorBody)))]
async fn keep_changes(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<Machine> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.keep_changes(&machine).await }).await)
}

/// What takes space in the library, largest first.
#[utoipa::path(get, path = "/v1/space", responses((status = 200, body = SpaceReport)))]
async fn space(State(shared): State<Shared>) -> Answer<SpaceReport> {
    answer(shared.engine.space().await)
}
