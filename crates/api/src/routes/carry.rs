//! Taking machines and disks elsewhere.

use super::{Shared, detached};
use crate::error::{Answer, answer};
use axum::Json;
use axum::extract::{Path, Query, State};
use nestbox_model::{
    BackupInfo, BackupRequest, BackupRestoreStarted, ConvertRequest, ErrorBody, ExportPlan, ExportRequest,
    Job, RestoreBackupRequest,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(convert))
        .routes(routes!(export))
        .routes(routes!(backup))
        .routes(routes!(restore))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct DryRun {
    /// Say what would happen and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Converts a disk image of any kind that can be imported.
#[utoipa::path(post, path = "/v1/convert", request_body = ConvertRequest, responses((status = 200, body = Job), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn convert(State(shared): State<Shared>, Json(request): Json<ConvertRequest>) -> Answer<Job> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.convert(request).await }).await)
}

/// The job, or what a dry run would have done.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
enum Exporting {
    Begun(Box<Job>),
    Planned(ExportPlan),
}

/// Writes a machine for other programs, as a job; with `dry_run`, says what would be written and left behind.
#[utoipa::path(post, path = "/v1/machines/{machine}/export", params(DryRun), request_body = ExportRequest, responses((status = 200, body = Exporting), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn export(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Query(query): Query<DryRun>,
    Json(request): Json<ExportRequest>,
) -> Answer<Exporting> {
    let engine = shared.engine.clone();
    answer(
        detached(async move {
            if query.dry_run {
                return engine
                    .export_plan(&machine, request)
                    .await
                    .map(Exporting::Planned);
            }
            let job = engine.export(&machine, request).await?;
            Ok(Exporting::Begun(Box::new(job)))
        })
        .await,
    )
}

/// Writes a machine with its snapshots into one file, as a job. Of a machine that runs, a snapshot is taken first.
#[utoipa::path(post, path = "/v1/machines/{machine}/backup", request_body = BackupRequest, responses((status = 200, body = Job), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn backup(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Json(request): Json<BackupRequest>,
) -> Answer<Job> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.backup(&machine, request).await }).await)
}

/// A restore that began, or what a dry run found.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
enum Restoring {
    Begun(Box<BackupRestoreStarted>),
    Found(BackupInfo),
}

/// Makes the machine of a backup, as a job; with `dry_run`, says what the backup holds.
#[utoipa::path(post, path = "/v1/restore-backup", params(DryRun), request_body = RestoreBackupRequest, responses((status = 200, body = Restoring), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn restore(
    State(shared): State<Shared>,
    Query(query): Query<DryRun>,
    Json(request): Json<RestoreBackupRequest>,
) -> Answer<Restoring> {
    let engine = shared.engine.clone();
    answer(
        detached(async move {
            if query.dry_run {
                return engine.backup_info(&request.file).await.map(Restoring::Found);
            }
            let started = engine.restore_backup(request).await?;
            Ok(Restoring::Begun(Box::new(started)))
        })
        .await,
    )
}
