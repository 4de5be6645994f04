//! The client: one request, one connection, over the service's unix socket.

mod disks;
mod files;

pub use files::FilesRequest;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use nestbox_model::{
    ActivityEntry, BackupInfo, BackupRequest, BackupRestoreStarted, CacheList, CachePruned, ChangeRequest,
    CloneRequest, CloneStarted, CommandShown, Comparison, ConvertRequest, CreateRequest, DoctorReport, Error,
    ErrorBody, Event, ExportPlan, ExportRequest, ImportPlan, ImportRequest, Job, JobStarted, LibraryReport,
    Logs, Machine, PortForward, Protocol, RestoreBackupRequest, RestoreRequest, Restored, Result,
    ServiceInfo, Snapshot, SnapshotList, SnapshotRequest, SnapshotTaken, SnapshotsDeleted, SpaceReport,
    Stats, TakenTogether, Template, TogetherRequest, TrashEmptied, TrashEntry,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, protocol::WebSocketConfig};

/// Largest answer taken, bytes: 10,000 machines with room to spare.
const ANSWER_MAX: usize = 256 << 20;
/// What must be escaped in a path segment or query value (RFC 3986).
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'/')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Escapes one path segment or query value.
fn escape(text: &str) -> String {
    // A segment of only dots would be taken as a step up.
    if text == "." || text == ".." {
        return text.replace('.', "%2E");
    }
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A client of one service; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct RawResponse {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// Body.
    pub body: Bytes,
}

/// A WebSocket of the API.
pub type RawSocket = WebSocketStream<UnixStream>;

/// The events of a service.
pub struct EventSocket(RawSocket);

impl EventSocket {
    /// The next event; `None` when the service is gone.
    pub async fn next(&mut self) -> Option<Event> {
        use futures_util::StreamExt;
        loop {
            match self.0.next().await? {
                // A kind that a newer service sends and this client does not know is passed over.
                Ok(Message::Text(text)) => match serde_json::from_str(&text) {
                    Ok(event) => return Some(event),
                    Err(_) => continue,
                },
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

fn unreachable_service(error: impl std::fmt::Display) -> Error {
    Error::unfit("service-unreachable", "The Nestbox service does not answer.")
        .with_hint("See its state with: nestbox service status")
        .with_detail("system", error.to_string())
}

impl Client {
    /// A client of the service at `socket`. Nothing is connected yet.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// One request as it is; `path` is percent-encoded by the caller. For clients that pass requests through.
    ///
    /// # Errors
    /// Only when the service can't be reached; an error answer is an answer.
    pub async fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<RawResponse> {
        let method: Method = method
            .parse()
            .map_err(|_| Error::usage("bad-method", format!("“{method}” is no HTTP method.")))?;
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(unreachable_service)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(unreachable_service)?;
        tokio::spawn(connection);
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "nestbox")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(bytes))
            .map_err(|e| Error::usage("bad-path", format!("“{path}” is no address of the API: {e}.")))?;
        let response = sender.send_request(request).await.map_err(unreachable_service)?;
        let status = response.status().as_u16();
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body = Limited::new(response.into_body(), ANSWER_MAX)
            .collect()
            .await
            .map_err(unreachable_service)?
            .to_bytes();
        Ok(RawResponse {
            status,
            content_type,
            body,
        })
    }

    /// One request with a JSON answer.
    pub async fn json<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T> {
        let response = self.bytes(method, path, body).await?;
        let bytes: &[u8] = if response.is_empty() { b"null" } else { &response };
        serde_json::from_slice(bytes).map_err(|e| {
            Error::failed(
                "bad-answer",
                "The service's answer can't be understood; it may be of another version.",
            )
            .with_hint("Stop it with: nestbox service stop")
            .with_detail("parser", e.to_string())
        })
    }

    /// One request with any answer; an error answer becomes the error.
    pub async fn bytes(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Bytes> {
        let response = self.request(method, path, body).await?;
        if (200..300).contains(&response.status) {
            return Ok(response.body);
        }
        Err(match serde_json::from_slice::<ErrorBody>(&response.body) {
            Ok(body) => body.error,
            Err(_) => {
                let text = String::from_utf8_lossy(&response.body)
                    .chars()
                    .take(500)
                    .collect::<String>();
                let kind = if response.status < 500 {
                    nestbox_model::ErrorKind::Usage
                } else {
                    nestbox_model::ErrorKind::Failed
                };
                Error::new(
                    kind,
                    "bad-request",
                    format!("The service refused the request: {text}"),
                )
                .with_detail("status", response.status)
            }
        })
    }

    /// Opens a WebSocket of the API.
    pub async fn socket(&self, path: &str) -> Result<RawSocket> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(unreachable_service)?;
        let config = WebSocketConfig::default().max_message_size(Some(16 << 20));
        match tokio_tungstenite::client_async_with_config(format!("ws://nestbox{path}"), stream, Some(config))
            .await
        {
            Ok((socket, _)) => Ok(socket),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err(serde_json::from_slice::<ErrorBody>(body)
                    .map_or_else(|_| unreachable_service(response.status()), |b| b.error))
            }
            Err(error) => Err(unreachable_service(error)),
        }
    }

    /// Subscribes to events.
    pub async fn events(&self) -> Result<EventSocket> {
        Ok(EventSocket(self.socket("/v1/events").await?))
    }

    /// Opens a serial console.
    pub async fn console(&self, machine: &str) -> Result<RawSocket> {
        // The error answer of an upgrade has no body here, so ask first.
        self.machine(machine).await?;
        self.socket(&machine_path(machine, "/console")).await
    }
}

fn machine_path(machine: &str, rest: &str) -> String {
    format!("/v1/machines/{}{rest}", escape(machine))
}

fn snapshot_path(machine: &str, snapshot: &str, rest: &str) -> String {
    machine_path(machine, &format!("/snapshots/{}{rest}", escape(snapshot)))
}

fn to_value(body: &impl Serialize) -> Value {
    serde_json::to_value(body).unwrap_or(Value::Null)
}

/// Typed calls, one for each route.
#[allow(missing_docs)]
impl Client {
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.json("GET", path, None).await
    }
    /// An answer that is an object with one list in it, read in one go: lists can be long.
    async fn list<T: DeserializeOwned>(&self, path: &str, key: &str) -> Result<Vec<T>> {
        let mut lists: HashMap<String, Vec<T>> = self.get(path).await?;
        lists.remove(key).ok_or_else(|| {
            Error::failed("bad-answer", "The service's answer can't be understood.")
                .with_detail("missing", key)
        })
    }
    async fn post<T: DeserializeOwned>(&self, path: &str, body: Value) -> Result<T> {
        self.json("POST", path, Some(&body)).await
    }
    pub async fn service(&self) -> Result<ServiceInfo> {
        self.get("/v1/service").await
    }
    pub async fn stop_service(&self) -> Result<()> {
        self.post("/v1/service/stop", json!({})).await
    }
    pub async fn doctor(&self, refresh: bool) -> Result<DoctorReport> {
        self.get(&format!("/v1/doctor?refresh={refresh}")).await
    }
    pub async fn stats(&self, machine: Option<&str>) -> Result<Stats> {
        match machine {
            Some(machine) => self.get(&format!("/v1/stats?machine={}", escape(machine))).await,
            None => self.get("/v1/stats").await,
        }
    }
    pub async fn settings(&self) -> Result<std::collections::BTreeMap<String, String>> {
        let mut value: Value = self.get("/v1/config").await?;
        serde_json::from_value(value["config"].take()).map_err(|e| {
            Error::failed("bad-answer", "The service's answer can't be understood.")
                .with_detail("parser", e.to_string())
        })
    }
    pub async fn setting(&self, key: &str) -> Result<String> {
        let value: Value = self.get(&format!("/v1/config/{}", escape(key))).await?;
        Ok(value["value"].as_str().unwrap_or_default().to_owned())
    }
    pub async fn set_setting(&self, key: &str, value: Option<&str>) -> Result<()> {
        let path = format!("/v1/config/{}", escape(key));
        match value {
            Some(value) => self
                .bytes("PUT", &path, Some(&json!({ "value": value })))
                .await
                .map(drop),
            None => self.bytes("DELETE", &path, None).await.map(drop),
        }
    }
    pub async fn templates(&self, arch: Option<&str>) -> Result<Vec<Template>> {
        let query = arch
            .map(|arch| format!("?arch={}", escape(arch)))
            .unwrap_or_default();
        self.list(&format!("/v1/templates{query}"), "templates").await
    }
    pub async fn template(&self, id: &str) -> Result<Template> {
        self.get(&format!("/v1/templates/{}", escape(id))).await
    }
    /// Machines; unset filters pass everything.
    pub async fn machines(
        &self,
        tag: Option<&str>,
        state: Option<&str>,
        search: Option<&str>,
    ) -> Result<Vec<Machine>> {
        let filters = [("tag", tag), ("state", state), ("search", search)];
        let query: Vec<String> = filters
            .iter()
            .filter_map(|(key, value)| value.map(|value| format!("{key}={}", escape(value))))
            .collect();
        self.list(&format!("/v1/machines?{}", query.join("&")), "machines")
            .await
    }
    pub async fn machine(&self, machine: &str) -> Result<Machine> {
        self.get(&machine_path(machine, "")).await
    }
    pub async fn create(&self, request: &CreateRequest) -> Result<JobStarted> {
        self.post("/v1/machines", to_value(request)).await
    }
    pub async fn change(&self, machine: &str, request: &ChangeRequest) -> Result<Machine> {
        self.json("PATCH", &machine_path(machine, ""), Some(&to_value(request)))
            .await
    }
    pub async fn delete(&self, machine: &str, dry_run: bool) -> Result<TrashEntry> {
        self.json(
            "DELETE",
            &machine_path(machine, &format!("?dry_run={dry_run}")),
            None,
        )
        .await
    }
    pub async fn rename(&self, machine: &str, name: &str) -> Result<Machine> {
        self.post(&machine_path(machine, "/rename"), json!({ "name": name }))
            .await
    }
    pub async fn start(&self, machine: &str, disposable: bool) -> Result<Machine> {
        let body = json!({ "disposable": disposable });
        self.post(&machine_path(machine, "/start"), body).await
    }
    pub async fn stop(&self, machine: &str, force: bool) -> Result<Machine> {
        self.post(&machine_path(machine, "/stop"), json!({ "force": force }))
            .await
    }
    /// `reset`, `pause`, `resume`, `suspend`, `discard-state` or `keep-changes`.
    pub async fn act(&self, machine: &str, verb: &str) -> Result<Machine> {
        self.post(&machine_path(machine, &format!("/{verb}")), json!({}))
            .await
    }
    pub async fn command(&self, machine: &str) -> Result<CommandShown> {
        self.get(&machine_path(machine, "/command")).await
    }
    pub async fn logs(&self, machine: &str) -> Result<Logs> {
        self.get(&machine_path(machine, "/logs")).await
    }
    pub async fn screenshot(&self, machine: &str) -> Result<Bytes> {
        self.bytes("GET", &machine_path(machine, "/screenshot"), None)
            .await
    }
    pub async fn type_text(&self, machine: &str, text: &str) -> Result<()> {
        self.post(&machine_path(machine, "/type"), json!({ "text": text }))
            .await
    }
    pub async fn send_keys(&self, machine: &str, keys: &[String]) -> Result<()> {
        self.post(&machine_path(machine, "/keys"), json!({ "keys": keys }))
            .await
    }
    pub async fn ports(&self, machine: &str) -> Result<Vec<PortForward>> {
        self.list(&machine_path(machine, "/ports"), "ports").await
    }
    pub async fn add_port(&self, machine: &str, forward: PortForward) -> Result<PortForward> {
        self.post(&machine_path(machine, "/ports"), to_value(&forward))
            .await
    }
    pub async fn remove_port(&self, machine: &str, host: u16, protocol: Protocol) -> Result<PortForward> {
        let query = format!("/ports?host={host}&protocol={}", protocol.as_str());
        self.json("DELETE", &machine_path(machine, &query), None).await
    }
    pub async fn insert_medium(&self, machine: &str, path: &str) -> Result<Machine> {
        self.json(
            "PUT",
            &machine_path(machine, "/medium"),
            Some(&json!({ "path": path })),
        )
        .await
    }
    pub async fn eject_medium(&self, machine: &str) -> Result<Machine> {
        self.json("DELETE", &machine_path(machine, "/medium"), None).await
    }
    pub async fn snapshots(&self, machine: &str) -> Result<SnapshotList> {
        self.get(&machine_path(machine, "/snapshots")).await
    }
    pub async fn snapshot(&self, machine: &str, snapshot: &str) -> Result<Snapshot> {
        self.get(&snapshot_path(machine, snapshot, "")).await
    }
    pub async fn take_snapshot(&self, machine: &str, request: &SnapshotRequest) -> Result<SnapshotTaken> {
        self.post(&machine_path(machine, "/snapshots"), to_value(request))
            .await
    }
    pub async fn change_snapshot(
        &self,
        machine: &str,
        snapshot: &str,
        name: Option<&str>,
        notes: Option<&str>,
        keep: Option<bool>,
    ) -> Result<Snapshot> {
        let body = json!({ "name": name, "notes": notes, "keep": keep });
        self.json("PATCH", &snapshot_path(machine, snapshot, ""), Some(&body))
            .await
    }
    pub async fn delete_snapshot(
        &self,
        machine: &str,
        snapshot: &str,
        subtree: bool,
        dry_run: bool,
    ) -> Result<SnapshotsDeleted> {
        let query = format!("?subtree={subtree}&dry_run={dry_run}");
        self.json("DELETE", &snapshot_path(machine, snapshot, &query), None)
            .await
    }
    pub async fn restore_snapshot(
        &self,
        machine: &str,
        snapshot: &str,
        request: &RestoreRequest,
    ) -> Result<Restored> {
        self.post(&snapshot_path(machine, snapshot, "/restore"), to_value(request))
            .await
    }
    pub async fn take_together(&self, request: &TogetherRequest) -> Result<TakenTogether> {
        self.post("/v1/snapshots", to_value(request)).await
    }
    pub async fn compare(&self, machine: &str, snapshot: &str, with: Option<&str>) -> Result<Comparison> {
        let query = format!("/compare?with={}", escape(with.unwrap_or("now")));
        self.get(&snapshot_path(machine, snapshot, &query)).await
    }
    pub async fn drop_memory(&self, machine: &str, snapshot: &str) -> Result<Snapshot> {
        self.post(&snapshot_path(machine, snapshot, "/drop-memory"), json!({}))
            .await
    }
    pub async fn tidy(&self, machine: &str) -> Result<Job> {
        self.post(&machine_path(machine, "/tidy"), json!({})).await
    }
    pub async fn clone_machine(&self, machine: &str, request: &CloneRequest) -> Result<CloneStarted> {
        self.post(&machine_path(machine, "/clone"), to_value(request))
            .await
    }
    pub async fn space(&self) -> Result<SpaceReport> {
        self.get("/v1/space").await
    }
    pub async fn cache(&self) -> Result<CacheList> {
        self.get("/v1/cache").await
    }
    pub async fn prune_cache(&self, dry_run: bool) -> Result<CachePruned> {
        self.json("DELETE", &format!("/v1/cache?dry_run={dry_run}"), None)
            .await
    }
    pub async fn trash(&self) -> Result<Vec<TrashEntry>> {
        self.list("/v1/trash", "entries").await
    }
    pub async fn untrash(&self, machine: &str) -> Result<Machine> {
        self.post(&format!("/v1/trash/{}/restore", escape(machine)), json!({}))
            .await
    }
    pub async fn empty_trash(&self, dry_run: bool) -> Result<TrashEmptied> {
        self.json("DELETE", &format!("/v1/trash?dry_run={dry_run}"), None)
            .await
    }
    pub async fn import_plan(&self, path: &str, arch: Option<&str>) -> Result<ImportPlan> {
        self.post("/v1/import/plan", json!({ "path": path, "arch": arch }))
            .await
    }
    pub async fn import(&self, request: &ImportRequest) -> Result<JobStarted> {
        self.post("/v1/import", to_value(request)).await
    }
    pub async fn convert(&self, request: &ConvertRequest) -> Result<Job> {
        self.post("/v1/convert", to_value(request)).await
    }
    pub async fn export_plan(&self, machine: &str, request: &ExportRequest) -> Result<ExportPlan> {
        self.post(&machine_path(machine, "/export?dry_run=true"), to_value(request))
            .await
    }
    pub async fn export(&self, machine: &str, request: &ExportRequest) -> Result<Job> {
        self.post(&machine_path(machine, "/export"), to_value(request))
            .await
    }
    pub async fn backup(&self, machine: &str, request: &BackupRequest) -> Result<Job> {
        self.post(&machine_path(machine, "/backup"), to_value(request))
            .await
    }
    pub async fn backup_info(&self, request: &RestoreBackupRequest) -> Result<BackupInfo> {
        self.post("/v1/restore-backup?dry_run=true", to_value(request))
            .await
    }
    pub async fn restore_backup(&self, request: &RestoreBackupRequest) -> Result<BackupRestoreStarted> {
        self.post("/v1/restore-backup", to_value(request)).await
    }
    pub async fn jobs(&self) -> Result<Vec<Job>> {
        self.list("/v1/jobs", "jobs").await
    }
    pub async fn job(&self, id: &str) -> Result<Job> {
        self.get(&format!("/v1/jobs/{}", escape(id))).await
    }
    /// `cancel`, `pause` or `resume`.
    pub async fn job_act(&self, id: &str, verb: &str) -> Result<Job> {
        self.post(&format!("/v1/jobs/{}/{verb}", escape(id)), json!({}))
            .await
    }
    pub async fn activity(&self) -> Result<Vec<ActivityEntry>> {
        self.list("/v1/activity", "entries").await
    }
    pub async fn check_library(&self, rebuild: bool) -> Result<LibraryReport> {
        self.post("/v1/library/check", json!({ "rebuild": rebuild }))
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_hold_anything() {
        assert_eq!(escape("a/b?c#d é%"), "a%2Fb%3Fc%23d%20%C3%A9%25");
        assert_eq!(escape(".."), "%2E%2E");
    }
}
