//! The service itself, Doctor, settings, statistics.

use super::Shared;
use crate::error::{Answer, ApiError, answer};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use nestbox_model::{DoctorReport, ErrorBody, ServiceInfo, Stats};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(info))
        .routes(routes!(stop))
        .routes(routes!(doctor))
        .routes(routes!(stats))
        .routes(routes!(settings))
        .routes(routes!(setting, set_setting, unset_setting))
        .routes(routes!(openapi))
}

/// The service.
#[utoipa::path(get, path = "/v1/service", responses((status = 200, body = ServiceInfo)))]
async fn info(State(shared): State<Shared>) -> Json<ServiceInfo> {
    Json(ServiceInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        api: crate::API_VERSION,
        pid: std::process::id(),
        data_dir: shared.engine.layout().home().display().to_string(),
        started_at: shared.engine.started_at(),
        listen: shared.listen.get().cloned(),
    })
}

/// Ends the service; machines keep running.
#[utoipa::path(post, path = "/v1/service/stop", responses((status = 204)))]
async fn stop(State(shared): State<Shared>) -> StatusCode {
    shared.stop.notify_one();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct DoctorQuery {
    /// Test again instead of using cached verdicts.
    #[serde(default)]
    refresh: bool,
}

/// Checks this computer.
#[utoipa::path(get, path = "/v1/doctor", params(DoctorQuery), responses((status = 200, body = DoctorReport)))]
async fn doctor(State(shared): State<Shared>, Query(query): Query<DoctorQuery>) -> Json<DoctorReport> {
    Json(shared.engine.doctor(query.refresh).await)
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct StatsQuery {
    /// Only this machine.
    machine: Option<String>,
}

/// What this computer and its machines use right now.
#[utoipa::path(get, path = "/v1/stats", params(StatsQuery), responses((status = 200, body = Stats), (status = 404, body = ErrorBody)))]
async fn stats(State(shared): State<Shared>, Query(query): Query<StatsQuery>) -> Answer<Stats> {
    answer(shared.engine.stats(query.machine.as_deref()).await)
}

/// Every setting.
#[derive(Serialize, utoipa::ToSchema)]
struct Settings {
    config: BTreeMap<String, String>,
}

/// One setting.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
struct Setting {
    value: String,
}

/// All settings.
#[utoipa::path(get, path = "/v1/config", responses((status = 200, body = Settings)))]
async fn settings(State(shared): State<Shared>) -> Json<Settings> {
    Json(Settings {
        config: shared.engine.settings(),
    })
}

/// One setting.
#[utoipa::path(get, path = "/v1/config/{key}", responses((status = 200, body = Setting), (status = 404, body = ErrorBody)))]
async fn setting(State(shared): State<Shared>, Path(key): Path<String>) -> Answer<Setting> {
    answer(shared.engine.setting(&key).map(|value| Setting { value }))
}

/// Sets a setting.
#[utoipa::path(put, path = "/v1/config/{key}", request_body = Setting, responses((status = 200, body = Setting), (status = 400, body = ErrorBody)))]
async fn set_setting(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    Json(setting): Json<Setting>,
) -> Answer<Setting> {
    answer(
        shared
            .engine
            .set_setting(&key, Some(&setting.value))
            .map(|()| setting),
    )
}

/// Back to the default.
#[utoipa::path(delete, path = "/v1/config/{key}", responses((status = 204)))]
async fn unset_setting(
    State(shared): State<Shared>,
    Path(key): Path<String>,
) -> Result<StatusCode, ApiError> {
    shared.engine.set_setting(&key, None)?;
    Ok(StatusCode::NO_CONTENT)
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", responses((status = 200)))]
async fn openapi() -> ([(axum::http::HeaderName, &'static str); 1], String) {
    (
        [(axum::http::header::CONTENT_TYPE, "application/json")],
        crate::openapi_json(),
    )
}
