//! Trash, jobs, activity, library check.

use super::{Shared, detached};
use crate::error::{Answer, answer};
use axum::Json;
use axum::extract::{Path, Query, State};
use nestbox_model::{
    ActivityEntry, CacheList, CachePruned, ErrorBody, Job, LibraryReport, Machine, TrashEmptied, TrashEntry,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const ACTIVITY_SHOWN: u32 = 200;

pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(trash, empty))
        .routes(routes!(untrash))
        .routes(routes!(jobs))
        .routes(routes!(job))
        .routes(routes!(cancel))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(activity))
        .routes(routes!(check))
        .routes(routes!(cache, prune))
}

/// The trash.
#[derive(Serialize, utoipa::ToSchema)]
struct Trash {
    entries: Vec<TrashEntry>,
}

/// What is in the trash, newest first.
#[utoipa::path(get, path = "/v1/trash", responses((status = 200, body = Trash)))]
async fn trash(State(shared): State<Shared>) -> Answer<Trash> {
    answer(shared.engine.trash().map(|entries| Trash { entries }))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct DryRun {
    /// Say what would happen and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Removes everything in the trash for good.
#[utoipa::path(delete, path = "/v1/trash", params(DryRun), responses((status = 200, body = TrashEmptied)))]
async fn empty(State(shared): State<Shared>, Query(query): Query<DryRun>) -> Answer<TrashEmptied> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.empty_trash(query.dry_run).await }).await)
}

/// Brings a machine back.
#[utoipa::path(post, path = "/v1/trash/{machine}/restore", responses((status = 200, body = Machine), (status = 404, body = ErrorBody)))]
async fn untrash(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<Machine> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.untrash(&machine).await }).await)
}

/// Jobs.
#[derive(Serialize, utoipa::ToSchema)]
struct Jobs {
    jobs: Vec<Job>,
}

/// Jobs, newest first.
#[utoipa::path(get, path = "/v1/jobs", responses((status = 200, body = Jobs)))]
async fn jobs(State(shared): State<Shared>) -> Json<Jobs> {
    Json(Jobs {
        jobs: shared.engine.jobs(),
    })
}

/// One job.
#[utoipa::path(get, path = "/v1/jobs/{job}", responses((status = 200, body = Job), (status = 404, body = ErrorBody)))]
async fn job(State(shared): State<Shared>, Path(job): Path<String>) -> Answer<Job> {
    answer(shared.engine.job(&job))
}

/// Cancels a job; what it began is taken back.
#[utoipa::path(post, path = "/v1/jobs/{job}/cancel", responses((status = 200, body = Job), (status = 409, body = ErrorBody)))]
async fn cancel(State(shared): State<Shared>, Path(job): Path<String>) -> Answer<Job> {
    answer(shared.engine.cancel_job(&job))
}

/// Pauses a download.
#[utoipa::path(post, path = "/v1/jobs/{job}/pause", responses((status = 200, body = Job), (status = 409, body = ErrorBody)))]
async fn pause(State(shared): State<Shared>, Path(job): Path<String>) -> Answer<Job> {
    answer(shared.engine.pause_job(&job, true))
}

/// Resumes a download.
#[utoipa::path(post, path = "/v1/jobs/{job}/resume", responses((status = 200, body = Job), (status = 409, body = ErrorBody)))]
async fn resume(State(shared): State<Shared>, Path(job): Path<String>) -> Answer<Job> {
    answer(shared.engine.pause_job(&job, false))
}

/// The activity list.
#[derive(Serialize, utoipa::ToSchema)]
struct Activity {
    entries: Vec<ActivityEntry>,
}

/// What happened, newest first.
#[utoipa::path(get, path = "/v1/activity", responses((status = 200, body = Activity)))]
async fn activity(State(shared): State<Shared>) -> Answer<Activity> {
    answer(
        shared
            .engine
            .activity(ACTIVITY_SHOWN)
            .map(|entries| Activity { entries }),
    )
}

/// How to check.
#[derive(Default, Deserialize, utoipa::ToSchema)]
struct CheckRequest {
    /// Make the index anew from the folders.
    #[serde(default)]
    rebuild: bool,
}

/// Compares the library's index with what is on disk.
#[utoipa::path(post, path = "/v1/library/check", request_body = CheckRequest, responses((status = 200, body = LibraryReport)))]
async fn check(State(shared): State<Shared>, body: Option<Json<CheckRequest>>) -> Answer<LibraryReport> {
    let request = body.map(|Json(request)| request).unwrap_or_default();
    let engine = shared.engine.clone();
    answer(detached(async move { engine.check_library(request.rebuild).await }).await)
}

/// Downloaded images, and which machines need them.
#[utoipa::path(get, path = "/v1/cache", responses((status = 200, body = CacheList)))]
async fn cache(State(shared): State<Shared>) -> Answer<CacheList> {
    answer(shared.engine.cached_images().await)
}

/// Removes downloads that no machine needs.
#[utoipa::path(delete, path = "/v1/cache", params(DryRun), responses((status = 200, body = CachePruned), (status = 409, body = ErrorBody)))]
async fn prune(State(shared): State<Shared>, Query(query): Query<DryRun>) -> Answer<CachePruned> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.prune_cache(query.dry_run).await }).await)
}
