//! Files on the disks of machines and snapshots.

use super::{Shared, detached};
use crate::error::{Answer, answer};
use axum::Json;
use axum::extract::{Path, Query, State};
use nestbox_engine::FilesQuery;
use nestbox_model::{CopyOutRequest, ErrorBody, Job, Listing};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(copy_out))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `[VOLUME:]/PATH`. Left out: the volumes, and the root folder where only one volume can be meant.
    path: Option<String>,
    /// A snapshot; left out: the present, which must not run.
    snapshot: Option<String>,
    /// Most entries; 10,000 at most.
    limit: Option<u32>,
    /// Only entries behind this name, for the next page.
    after: Option<String>,
}

/// Lists a folder of a disk without starting the machine. Ends when the client hangs up.
#[utoipa::path(get, path = "/v1/machines/{machine}/disks/{disk}/files", params(ListQuery), responses((status = 200, body = Listing), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn list(
    State(shared): State<Shared>,
    Path((machine, disk)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
) -> Answer<Listing> {
    let query = FilesQuery {
        path: query.path.filter(|path| !path.is_empty()),
        snapshot: query.snapshot,
        limit: query.limit,
        after: query.after,
    };
    answer(shared.engine.list_files(&machine, &disk, query).await)
}

/// Copies files and folders out of a disk without starting the machine, as a job. Links and devices are not copied; the
/// job's result says what was not.
#[utoipa::path(post, path = "/v1/machines/{machine}/disks/{disk}/copy-out", request_body = CopyOutRequest, responses((status = 200, body = Job), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn copy_out(
    State(shared): State<Shared>,
    Path((machine, disk)): Path<(String, String)>,
    Json(request): Json<CopyOutRequest>,
) -> Answer<Job> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.copy_out(&machine, &disk, request).await }).await)
}
