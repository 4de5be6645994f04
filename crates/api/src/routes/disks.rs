//! The disks of a machine.

use super::{Shared, detached};
use crate::error::{Answer, answer};
use axum::Json;
use axum::extract::{Path, Query, State};
use nestbox_model::{
    DiskAddRequest, DiskAttachRequest, DiskChangeRequest, DiskChanged, DiskCheckRequest, DiskDetails,
    DiskList, DiskRemoved, DiskResizeRequest, ErrorBody, Job,
};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(change, remove))
        .routes(routes!(restore))
        .routes(routes!(detach))
        .routes(routes!(attach))
        .routes(routes!(resize))
        .routes(routes!(compact))
        .routes(routes!(check))
}

/// All disks with where their bytes are: attached ones, detached ones, those in the bin.
#[utoipa::path(get, path = "/v1/machines/{machine}/disks", responses((status = 200, body = DiskList), (status = 404, body = ErrorBody)))]
async fn list(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<DiskList> {
    answer(shared.engine.disks(&machine))
}

/// Adds a disk: an empty one at once, a file by a job.
#[utoipa::path(post, path = "/v1/machines/{machine}/disks", request_body = DiskAddRequest, responses((status = 200, body = DiskChanged), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn add(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Json(request): Json<DiskAddRequest>,
) -> Answer<DiskChanged> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.add_disk(&machine, request).await }).await)
}

/// Changes how a disk is connected, while the machine is off; its label at any time.
#[utoipa::path(patch, path = "/v1/machines/{machine}/disks/{disk}", request_body = DiskChangeRequest, responses((status = 200, body = DiskDetails), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn change(
    State(shared): State<Shared>,
    Path((machine, disk)): Path<(String, String)>,
    Json(request): Json<DiskChangeRequest>,
) -> Answer<DiskDetails> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.change_disk(&machine, &disk, request).await }).await)
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct RemoveQuery {
    /// Free it at once instead of keeping it in the bin.
    #[serde(default)]
    now: bool,
    /// Say what would happen and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Moves a disk to the machine's bin, or with `now` frees it.
#[utoipa::path(delete, path = "/v1/machines/{machine}/disks/{disk}", params(RemoveQuery), responses((status = 200, body = DiskRemoved), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn remove(
    State(shared): State<Shared>,
    Path((machine, disk)): Path<(String, String)>,
    Query(query): Query<RemoveQuery>,
) -> Answer<DiskRemoved> {
    let engine = shared.engine.clone();
    let work = async move {
        engine
            .remove_disk(&machine, &disk, query.now, query.dry_run)
            .await
    };
    answer(detached(work).await)
}

/// Brings a disk back from the bin, and attaches it where that is possible now.
#[utoipa::path(post, path = "/v1/machines/{machine}/disks/{disk}/restore", responses((status = 200, body = DiskDetails), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn restore(
    State(shared): State<Shared>,
    Path((machine, disk)): Path<(String, String)>,
) -> Answer<DiskDetails> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.restore_disk(&machine, &disk).await }).await)
}

/// Takes a disk out of the guest's sight; its data stay.
#[utoipa::path(post, path = "/v1/machines/{machine}/disks/{disk}/detach", responses((status = 200, body = DiskDetails), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn detach(
    State(shared): State<Shared>,
    Path((machine, disk)): Path<(String, String)>,
) -> Answer<DiskDetails> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.detach_disk(&machine, &disk).await }).await)
}

/// Attaches a detached disk, or with `to` moves a disk to another machine.
#[utoipa::path(post, path = "/v1/machines/{machine}/disks/{disk}/attach", request_body = DiskAttachRequest, responses((status = 200, body = DiskChanged), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn attach(
    State(shared): State<Shared>,
    Path((machine, disk)): Path<(String, String)>,
    body: Option<Json<DiskAttachRequest>>,
) -> Answer<DiskChanged> {
    let request = body.map(|Json(request)| request).unwrap_or_default();
    let engine = shared.engine.clone();
    answer(detached(async move { engine.attach_disk(&machine, &disk, request).await }).await)
}

/// Makes a disk larger, for a running guest at once.
#[utoipa::path(post, path = "/v1/machines/{machine}/disks/{disk}/resize", request_body = DiskResizeRequest, responses((status = 200, body = DiskChanged), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn resize(
    State(shared): State<Shared>,
    Path((machine, disk)): Path<(String, String)>,
    Json(request): Json<DiskResizeRequest>,
) -> Answer<DiskChanged> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.resize_disk(&machine, &disk, request.size).await }).await)
}

/// What to do.
#[derive(Default, Deserialize, utoipa::ToSchema)]
struct DiskCompactRequest {
    /// Say what would be written anew and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Gives back the space that a disk's images hold and do not need.
#[utoipa::path(post, path = "/v1/machines/{machine}/disks/{disk}/compact", request_body = DiskCompactRequest, responses((status = 200, body = Job), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn compact(
    State(shared): State<Shared>,
    Path((machine, disk)): Path<(String, String)>,
    body: Option<Json<DiskCompactRequest>>,
) -> Answer<Job> {
    let dry_run = body.is_some_and(|Json(request)| request.dry_run);
    let engine = shared.engine.clone();
    answer(detached(async move { engine.compact_disk(&machine, &disk, dry_run).await }).await)
}

/// Looks for damage in a disk's images, and with `repair` mends a copy.
#[utoipa::path(post, path = "/v1/machines/{machine}/disks/{disk}/check", request_body = DiskCheckRequest, responses((status = 200, body = Job), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn check(
    State(shared): State<Shared>,
    Path((machine, disk)): Path<(String, String)>,
    body: Option<Json<DiskCheckRequest>>,
) -> Answer<Job> {
    let repair = body.is_some_and(|Json(request)| request.repair);
    let engine = shared.engine.clone();
    answer(detached(async move { engine.check_disk_images(&machine, &disk, repair).await }).await)
}
