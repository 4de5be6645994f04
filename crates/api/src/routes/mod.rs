//! All routes.

mod library;
mod lifecycle;
mod machines;
mod service;
mod snapshots;

use crate::display::Displays;
use nestbox_engine::Engine;
use std::sync::Arc;
use tokio::sync::Notify;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub engine: Engine,
    pub displays: Displays,
    pub stop: Arc<Notify>,
    pub listen: Arc<std::sync::OnceLock<String>>,
    pub presence: crate::server::Presence,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Nestbox",
        description = "Virtual machines on this computer. Errors are `{\"error\": …}` with a stable code.",
        license(name = "Apache-2.0 OR MIT")
    ),
    components(schemas(nestbox_model::Event))
)]
struct Document;

/// Every route with its description.
pub(crate) fn all() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(service::routes())
        .merge(machines::routes())
        .merge(lifecycle::routes())
        .merge(snapshots::routes())
        .merge(library::routes())
        .merge(crate::sockets::routes())
}
