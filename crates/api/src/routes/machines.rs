//! Machines and the catalogue.

use super::{Shared, detached};
use crate::error::{Answer, ApiError, answer};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use nestbox_model::{
    Arch, ChangeRequest, CommandShown, CreateRequest, ErrorBody, ImportPlan, ImportRequest, JobStarted, Logs,
    Machine, MachineState, PortForward, PortList, Protocol, Template, TrashEntry,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(templates))
        .routes(routes!(template))
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
        .routes(routes!(rename))
        .routes(routes!(command))
        .routes(routes!(logs))
        .routes(routes!(ports, add_port, remove_port))
        .routes(routes!(insert, eject))
        .routes(routes!(plan))
        .routes(routes!(import))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct TemplateQuery {
    /// Only those that come for this architecture.
    arch: Option<String>,
}

/// The catalogue.
#[derive(Serialize, utoipa::ToSchema)]
struct Templates {
    templates: Vec<Template>,
}

/// The catalogue.
#[utoipa::path(get, path = "/v1/templates", params(TemplateQuery), responses((status = 200, body = Templates), (status = 400, body = ErrorBody)))]
async fn templates(State(shared): State<Shared>, Query(query): Query<TemplateQuery>) -> Answer<Templates> {
    let arch = query.arch.as_deref().map(str::parse::<Arch>).transpose()?;
    answer(
        shared
            .engine
            .templates(arch)
            .map(|templates| Templates { templates }),
    )
}

/// One template.
#[utoipa::path(get, path = "/v1/templates/{id}", responses((status = 200, body = Template), (status = 404, body = ErrorBody)))]
async fn template(State(shared): State<Shared>, Path(id): Path<String>) -> Answer<Template> {
    answer(shared.engine.template(&id))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only with this tag.
    tag: Option<String>,
    /// Only in this state.
    state: Option<String>,
    /// Only with this in the name, tags, notes or system.
    search: Option<String>,
}

/// Machines.
#[derive(Serialize, utoipa::ToSchema)]
struct Machines {
    machines: Vec<Machine>,
}

/// Machines, by name.
#[utoipa::path(get, path = "/v1/machines", params(ListQuery), responses((status = 200, body = Machines), (status = 400, body = ErrorBody)))]
async fn list(State(shared): State<Shared>, Query(query): Query<ListQuery>) -> Answer<Machines> {
    let state: Option<MachineState> = match &query.state {
        Some(word) => Some(
            serde_json::from_value(serde_json::Value::String(word.to_lowercase())).map_err(|_| {
                nestbox_model::Error::usage("bad-value", format!("“{word}” is not a state.")).with_hint(
                    "Use stopped, starting, running, paused, suspended, stopping, creating or broken.",
                )
            })?,
        ),
        None => None,
    };
    let has = |text: &str, part: &str| text.to_lowercase().contains(part);
    let mut machines = shared.engine.machines();
    machines.retain(|machine| {
        let tagged = query.tag.as_ref().is_none_or(|tag| {
            machine
                .tags
                .iter()
                .any(|t| t.to_lowercase() == tag.to_lowercase())
        });
        let found = query
            .search
            .as_ref()
            .map(|s| s.to_lowercase())
            .is_none_or(|part| {
                has(&machine.name, &part)
                    || has(&machine.notes, &part)
                    || machine.tags.iter().any(|tag| has(tag, &part))
                    || machine.system.as_ref().is_some_and(|system| has(system, &part))
            });
        tagged && found && state.is_none_or(|state| machine.state == state)
    });
    Ok(Json(Machines { machines }))
}

/// Makes a machine: it is in the list at once, in state `creating`.
#[utoipa::path(post, path = "/v1/machines", request_body = CreateRequest, responses((status = 202, body = JobStarted), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn create(
    State(shared): State<Shared>,
    Json(request): Json<CreateRequest>,
) -> Result<(StatusCode, Json<JobStarted>), ApiError> {
    let engine = shared.engine.clone();
    let started = detached(async move { engine.create(request).await }).await?;
    Ok((StatusCode::ACCEPTED, Json(started)))
}

/// One machine, by name, id or unambiguous id prefix.
#[utoipa::path(get, path = "/v1/machines/{machine}", responses((status = 200, body = Machine), (status = 404, body = ErrorBody)))]
async fn show(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<Machine> {
    answer(shared.engine.machine(&machine))
}

/// Changes settings, all or none.
#[utoipa::path(patch, path = "/v1/machines/{machine}", request_body = ChangeRequest, responses((status = 200, body = Machine), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn change(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Json(request): Json<ChangeRequest>,
) -> Answer<Machine> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.change(&machine, request).await }).await)
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct DryRun {
    /// Say what would happen and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Moves a machine to the trash.
#[utoipa::path(delete, path = "/v1/machines/{machine}", params(DryRun), responses((status = 200, body = TrashEntry), (status = 409, body = ErrorBody)))]
async fn delete(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Query(query): Query<DryRun>,
) -> Answer<TrashEntry> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.delete(&machine, query.dry_run).await }).await)
}

/// A new name.
#[derive(Deserialize, utoipa::ToSchema)]
struct NewName {
    name: String,
}

/// Renames a machine.
#[utoipa::path(post, path = "/v1/machines/{machine}/rename", request_body = NewName, responses((status = 200, body = Machine), (status = 409, body = ErrorBody)))]
async fn rename(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Json(new): Json<NewName>,
) -> Answer<Machine> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.rename(&machine, &new.name).await }).await)
}

/// The exact command the machine runs as.
#[utoipa::path(get, path = "/v1/machines/{machine}/command", responses((status = 200, body = CommandShown), (status = 404, body = ErrorBody)))]
async fn command(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<CommandShown> {
    answer(shared.engine.command(&machine).await)
}

/// The last part of its logs.
#[utoipa::path(get, path = "/v1/machines/{machine}/logs", responses((status = 200, body = Logs), (status = 404, body = ErrorBody)))]
async fn logs(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<Logs> {
    answer(shared.engine.logs(&machine))
}

/// Port forwards.
#[utoipa::path(get, path = "/v1/machines/{machine}/ports", responses((status = 200, body = PortList), (status = 404, body = ErrorBody)))]
async fn ports(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<PortList> {
    answer(shared.engine.ports(&machine).map(|ports| PortList { ports }))
}

/// Adds a forward; host port 0 picks a free one.
#[utoipa::path(post, path = "/v1/machines/{machine}/ports", request_body = PortForward, responses((status = 200, body = PortForward), (status = 409, body = ErrorBody)))]
async fn add_port(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Json(forward): Json<PortForward>,
) -> Answer<PortForward> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.add_port(&machine, forward).await }).await)
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct WhichPort {
    /// Port on this computer.
    host: u16,
    /// `tcp` unless set.
    #[serde(default)]
    protocol: Protocol,
}

/// Removes a forward.
#[utoipa::path(delete, path = "/v1/machines/{machine}/ports", params(WhichPort), responses((status = 200, body = PortForward), (status = 404, body = ErrorBody)))]
async fn remove_port(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Query(which): Query<WhichPort>,
) -> Answer<PortForward> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.remove_port(&machine, which.host, which.protocol).await }).await)
}

/// A file on this computer.
#[derive(Deserialize, utoipa::ToSchema)]
struct FilePath {
    /// Absolute path.
    path: String,
    /// Architecture, when the user knows better.
    #[serde(default)]
    arch: Option<Arch>,
}

/// Puts a medium in the drive.
#[utoipa::path(put, path = "/v1/machines/{machine}/medium", request_body = FilePath, responses((status = 200, body = Machine), (status = 422, body = ErrorBody)))]
async fn insert(
    State(shared): State<Shared>,
    Path(machine): Path<String>,
    Json(file): Json<FilePath>,
) -> Answer<Machine> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.insert_medium(&machine, &file.path).await }).await)
}

/// Empties the drive.
#[utoipa::path(delete, path = "/v1/machines/{machine}/medium", responses((status = 200, body = Machine), (status = 409, body = ErrorBody)))]
async fn eject(State(shared): State<Shared>, Path(machine): Path<String>) -> Answer<Machine> {
    let engine = shared.engine.clone();
    answer(detached(async move { engine.eject_medium(&machine).await }).await)
}

/// What an import of a file would do.
#[utoipa::path(post, path = "/v1/import/plan", request_body = FilePath, responses((status = 200, body = ImportPlan), (status = 422, body = ErrorBody)))]
async fn plan(State(shared): State<Shared>, Json(file): Json<FilePath>) -> Answer<ImportPlan> {
    answer(shared.engine.import_plan(&file.path, file.arch).await)
}

/// Imports a file as a new machine.
#[utoipa::path(post, path = "/v1/import", request_body = ImportRequest, responses((status = 202, body = JobStarted), (status = 422, body = ErrorBody)))]
async fn import(
    State(shared): State<Shared>,
    Json(request): Json<ImportRequest>,
) -> Result<(StatusCode, Json<JobStarted>), ApiError> {
    let engine = shared.engine.clone();
    let started = detached(async move { engine.import(request).await }).await?;
    Ok((StatusCode::ACCEPTED, Json(started)))
}
