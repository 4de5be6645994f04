//! The way to the service: the client of `nestbox-api`, started when it is needed and again when it has gone.

use nestbox_api::{Client, RawResponse, RawSocket};
use nestbox_model::{Error, Result, layout::Layout};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::net::UnixStream;

/// Longest a request may take: taking a snapshot with much memory is the slowest.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// The service of one data directory.
pub struct Service {
    layout: Layout,
    client: Client,
    /// It was found to speak this window's version of the API.
    checked: AtomicBool,
    /// Held while starting it, so that the page's first requests start one service, not five.
    starting: tokio::sync::Mutex<()>,
}

impl Service {
    /// The service of `layout`; nothing is started yet.
    pub fn new(layout: Layout) -> Self {
        let client = Client::new(layout.service_socket());
        Self {
            layout,
            client,
            checked: AtomicBool::new(false),
            starting: tokio::sync::Mutex::default(),
        }
    }

    /// Finds the service, or starts it, before anybody asks for something.
    pub async fn prepare(self: Arc<Self>) {
        // What is wrong, the page's requests will say.
        let _ = self.client().await;
    }

    /// A client of a service that answers.
    async fn client(&self) -> Result<&Client> {
        if self.answers().await {
            return Ok(&self.client);
        }
        let _starting = self.starting.lock().await;
        if !self.answers().await {
            nestbox_api::connect_or_start(&self.layout).await?;
            self.checked.store(true, Ordering::Release);
        }
        Ok(&self.client)
    }

    async fn answers(&self) -> bool {
        self.checked.load(Ordering::Acquire)
            && UnixStream::connect(self.layout.service_socket()).await.is_ok()
    }

    /// One request. `path` starts with `/v1/`.
    ///
    /// # Errors
    /// The service can't be reached or breaks off; its own refusals are answers.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<RawResponse> {
        check_path(path)?;
        if !matches!(method, "GET" | "POST" | "PUT" | "PATCH" | "DELETE") {
            return Err(Error::usage(
                "bad-method",
                format!("“{method}” is no method of the service."),
            ));
        }
        let exchange = async { self.client().await?.request(method, path, body).await };
        tokio::time::timeout(REQUEST_TIMEOUT, exchange)
            .await
            .unwrap_or_else(|_| {
                Err(Error::unfit(
                    "service-unreachable",
                    "The Nestbox service did not answer in time.",
                )
                .with_hint("See its state with: nestbox service status"))
            })
    }

    /// Opens a WebSocket of the service.
    ///
    /// # Errors
    /// The service can't be reached or refuses.
    pub async fn socket(&self, path: &str) -> Result<RawSocket> {
        check_path(path)?;
        self.client().await?.socket(path).await
    }
}

fn check_path(path: &str) -> Result<()> {
    if path.starts_with("/v1/") {
        return Ok(());
    }
    Err(Error::usage(
        "bad-path",
        format!("“{path}” is not a path of the service."),
    ))
}

/// Makes the folders that the window's lock needs, closed to others.
///
/// # Errors
/// They can't be made.
pub fn make_folders(layout: &Layout) -> Result<()> {
    for folder in [layout.home(), layout.run()] {
        private_folder(folder).map_err(|error| Error::io("make its folder", folder, &error))?;
    }
    Ok(())
}

fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use tokio::net::UnixListener;

    /// A home with a service that is said to answer, and its listener.
    pub fn listening() -> (tempfile::TempDir, Service, UnixListener) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path(), folder.path());
        make_folders(&layout).unwrap();
        let listener = UnixListener::bind(layout.service_socket()).unwrap();
        let service = Service::new(layout);
        service.checked.store(true, Ordering::Release);
        (folder, service, listener)
    }

    #[tokio::test]
    async fn only_requests_of_the_api_leave_the_window() {
        let (_folder, service, listener) = listening();
        for path in ["/", "http://127.0.0.1/v1/", "v1/machines", ""] {
            assert_eq!(
                service.request("GET", path, None).await.unwrap_err().code,
                "bad-path",
                "{path}"
            );
            assert_eq!(service.socket(path).await.unwrap_err().code, "bad-path", "{path}");
        }
        for method in ["get", "TRACE", "CONNECT", "GET /v1/x HTTP/1.1\r\n"] {
            assert_eq!(
                service.request(method, "/v1/x", None).await.unwrap_err().code,
                "bad-method",
                "{method}"
            );
        }
        let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(nobody.is_err(), "something was sent");
    }

    #[test]
    fn folders_are_closed_to_others() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("a/b"), folder.path());
        make_folders(&layout).unwrap();
        assert_eq!(layout.run().metadata().unwrap().mode() & 0o777, 0o700);
    }
}
