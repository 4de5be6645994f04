//! All routes.

mod carry;
mod disks;
mod files;
mod library;
mod lifecycle;
mod machines;
mod service;
mod snapshots;
mod timeline;

use crate::describe::described;
use crate::display::Displays;
use nestbox_engine::Engine;
use nestbox_model::{Error, Result};
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
        .merge(described("service", service::routes()))
        .merge(described("machines", machines::routes()))
        .merge(described("lifecycle", lifecycle::routes()))
        .merge(described("snapshots", snapshots::routes()))
        .merge(described("disks", disks::routes()))
        .merge(described("timeline", timeline::routes()))
        .merge(described("files", files::routes()))
        .merge(described("carry", carry::routes()))
        .merge(described("library", library::routes()))
        .merge(described("sockets", crate::sockets::routes()))
}

/// A task of its own, so that a client that hangs up does not leave an operation half done.
async fn detached<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await.unwrap_or_else(|error| {
        Err(Error::failed(
            "internal",
            format!("The operation ended unexpectedly: {error}."),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn work_goes_on_without_its_caller() {
        let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
        let (go_on, may_go_on) = tokio::sync::oneshot::channel::<()>();
        let (done, is_done) = tokio::sync::oneshot::channel();
        let request = detached(async move {
            let _ = begun.send(()).await;
            let _ = may_go_on.await;
            let _ = done.send("whole");
            Ok(())
        });
        // The client hangs up in the middle: its request is dropped.
        tokio::select! {
            _ = request => panic!("it can't be over"),
            Some(()) = has_begun.recv() => {}
        }
        go_on.send(()).unwrap();
        let outcome = tokio::time::timeout(Duration::from_secs(10), is_done).await;
        assert_eq!(outcome.unwrap().unwrap(), "whole");
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_not_a_lost_connection() {
        let result: Result<()> = detached(async { panic!("a bug") }).await;
        assert_eq!(result.unwrap_err().code, "internal");
    }
}
