//! The way to the service: where its data directory is, starting it when it is not there, one HTTP request.

use crate::arguments::Arguments;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use nestbox_model::{Error, Result, layout::Layout};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::net::UnixStream;

/// How long a service that was just started may take to answer.
const START_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest a request may take: taking a snapshot with much memory is the slowest.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
/// Largest answer accepted, in bytes; screenshots are the largest.
const ANSWER_MAX_BYTES: usize = 64 << 20;

/// An answer of the service.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, without parameters; empty when there is none.
    pub content_type: String,
    /// Body.
    pub body: Bytes,
}

/// The service of one data directory.
pub struct Service {
    layout: Layout,
    /// Held while starting it, so that the pages' first requests start one service, not five.
    starting: tokio::sync::Mutex<()>,
}

impl Service {
    /// The service of `layout`; nothing is started yet.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            starting: tokio::sync::Mutex::new(()),
        }
    }

    /// A connection, starting the service when none answers.
    ///
    /// # Errors
    /// `service-not-found` when there is no `nestbox` to start, `service-did-not-start` when it does not answer in time.
    pub async fn connect(&self) -> Result<UnixStream> {
        let socket = self.layout.service_socket();
        if let Ok(stream) = UnixStream::connect(&socket).await {
            return Ok(stream);
        }
        let _starting = self.starting.lock().await;
        if let Ok(stream) = UnixStream::connect(&socket).await {
            return Ok(stream);
        }
        let program = find_program()?;
        let mut child = tokio::process::Command::new(&program)
            .arg("--data-dir")
            .arg(self.layout.home())
            .args(["service", "serve"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| Error::io("start the service", &program, &error))?;
        let failed = |why: String| {
            Error::failed(
                "service-did-not-start",
                format!("The service of Nestbox did not start: {why}."),
            )
            .with_hint(format!(
                "Its log says why: {}",
                self.layout.service_log().display()
            ))
        };
        let ready = async {
            loop {
                if let Ok(stream) = UnixStream::connect(&socket).await {
                    return Ok(stream);
                }
                // It ends at once with success when another client's start won the race.
                match child.try_wait() {
                    Ok(Some(status)) if !status.success() => {
                        return Err(failed(format!("it ended with {status}")));
                    }
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        tokio::time::timeout(START_TIMEOUT, ready)
            .await
            .unwrap_or_else(|_| Err(failed("it did not answer in time".into())))
    }

    /// One request. `path` starts with `/v1/`.
    ///
    /// # Errors
    /// The service can't be reached or breaks off; its own refusals are answers.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Answer> {
        if !path.starts_with("/v1/") {
            return Err(Error::usage(
                "bad-path",
                format!("“{path}” is not a path of the service."),
            ));
        }
        tokio::time::timeout(REQUEST_TIMEOUT, self.exchange(method, path, body))
            .await
            .unwrap_or_else(|_| {
                Err(Error::failed(
                    "service-unreachable",
                    "The service of Nestbox did not answer in time.",
                ))
            })
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&serde_json::Value>) -> Result<Answer> {
        let lost = |error: hyper::Error| {
            Error::failed(
                "service-unreachable",
                "The service of Nestbox broke off the connection.",
            )
            .with_hint("Try again: it is started again when it is gone.")
            .with_detail("system", error.to_string())
        };
        let stream = self.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(lost)?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "nestbox");
        let content = match body {
            Some(value) => {
                request = request.header("content-type", "application/json");
                Bytes::from(value.to_string())
            }
            None => Bytes::new(),
        };
        let request = request.body(Full::new(content)).map_err(|error| {
            Error::usage(
                "bad-path",
                format!("“{path}” is not a path of the service: {error}."),
            )
        })?;
        let response = sender.send_request(request).await.map_err(lost)?;
        let status = response.status().as_u16();
        let content_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .map_or_else(String::new, |value| {
                value.split(';').next().unwrap_or_default().trim().to_owned()
            });
        let body = Limited::new(response.into_body(), ANSWER_MAX_BYTES)
            .collect()
            .await
            .map_err(|error| {
                Error::failed(
                    "service-unreachable",
                    "The service of Nestbox broke off its answer.",
                )
                .with_detail("system", error.to_string())
            })?;
        Ok(Answer {
            status,
            content_type,
            body: body.to_bytes(),
        })
    }
}

/// The data directory's layout: `--data-dir`, `NESTBOX_HOME`, or the platform's place. Makes the folders that the
/// window's lock needs.
///
/// # Errors
/// The folders can't be made, or there is no home directory to put them in.
pub fn layout(arguments: &Arguments) -> Result<Layout> {
    let environment = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let given = arguments.data_dir.clone().or_else(|| environment("NESTBOX_HOME"));
    let home = match given {
        Some(path) => {
            std::path::absolute(&path).map_err(|error| Error::io("find the data directory", &path, &error))?
        }
        None => {
            let user = environment("HOME").ok_or_else(|| {
                Error::unfit(
                    "no-home",
                    "There is no home directory to keep machines in: HOME is not set.",
                )
                .with_hint("Set NESTBOX_HOME to a folder.")
            })?;
            match environment("XDG_DATA_HOME").filter(|path| path.is_absolute()) {
                _ if cfg!(target_os = "macos") => user.join("Library/Application Support/Nestbox"),
                Some(data) => data.join("nestbox"),
                None => user.join(".local/share/nestbox"),
            }
        }
    };
    let base = environment("XDG_RUNTIME_DIR").unwrap_or_else(std::env::temp_dir);
    let layout = Layout::new(home, &base);
    for folder in [layout.home(), layout.run()] {
        private_folder(folder).map_err(|error| Error::io("make its folder", folder, &error))?;
    }
    Ok(layout)
}

fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// The `nestbox` command: `NESTBOX_SERVICE`, beside this program, or on `PATH`.
fn find_program() -> Result<PathBuf> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.parent()?.join("nestbox")));
    let on_path = std::env::var_os("PATH").map(|paths| {
        std::env::split_paths(&paths)
            .map(|folder| folder.join("nestbox"))
            .collect::<Vec<_>>()
    });
    std::env::var_os("NESTBOX_SERVICE")
        .map(PathBuf::from)
        .into_iter()
        .chain(beside)
        .chain(on_path.unwrap_or_default())
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Error::unfit(
                "service-not-found",
                "The nestbox command, which runs the machines, is not installed.",
            )
            .with_hint("Install it beside the window, or set NESTBOX_SERVICE to its path.")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixListener,
    };

    async fn answering(
        answer: &'static str,
    ) -> (tempfile::TempDir, Service, tokio::task::JoinHandle<String>) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path(), folder.path());
        std::fs::create_dir_all(layout.run()).unwrap();
        let listener = UnixListener::bind(layout.service_socket()).unwrap();
        let seen = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let count = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..count]).into_owned()
        });
        (folder, Service::new(layout), seen)
    }

    #[tokio::test]
    async fn a_request_carries_method_path_and_json() {
        let (_folder, service, seen) = answering(
            "HTTP/1.1 409 Conflict\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: 2\r\n\r\n{}",
        )
        .await;
        let body = serde_json::json!({"name": "ü"});
        let answer = service
            .request(Method::POST, "/v1/machines/a%20b/rename", Some(&body))
            .await
            .unwrap();
        assert_eq!(
            (answer.status, answer.content_type.as_str(), &answer.body[..]),
            (409, "application/json", &b"{}"[..])
        );
        let request = seen.await.unwrap();
        assert!(
            request.starts_with("POST /v1/machines/a%20b/rename HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(request.ends_with("{\"name\":\"ü\"}"), "{request}");
    }

    #[tokio::test]
    async fn a_service_that_breaks_off_is_an_error_with_a_code() {
        let (_folder, service, _seen) = answering("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
        assert_eq!(
            service
                .request(Method::GET, "/v1/service", None)
                .await
                .unwrap_err()
                .code,
            "service-unreachable"
        );
    }

    #[tokio::test]
    async fn only_paths_of_the_service_leave_the_window() {
        let service = Service::new(Layout::new("/nowhere", Path::new("/nowhere")));
        for path in ["/", "http://127.0.0.1/v1/", "v1/machines", ""] {
            assert_eq!(
                service.request(Method::GET, path, None).await.unwrap_err().code,
                "bad-path",
                "{path}"
            );
        }
    }
}
