//! Peers that lie, stall and flood: none may hang the client or fill its memory.

use super::*;
use std::{path::PathBuf, time::Instant};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixListener,
};

const GREETING_LINE: &str = "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n";

/// A peer that greets, accepts the negotiation, then answers each command with `answer(id)`'s bytes.
fn peer(answer: impl Fn(u64) -> Vec<u8> + Send + 'static) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(GREETING_LINE.as_bytes()).await.unwrap();
        let mut first = true;
        while let Ok(Some(line)) = lines.next_line().await {
            let command: Value = serde_json::from_str(&line).unwrap();
            let id = command["id"].as_u64().unwrap();
            let bytes = if first {
                format!("{{\"return\": {{}}, \"id\": {id}}}\r\n").into_bytes()
            } else {
                answer(id)
            };
            first = false;
            if bytes.is_empty() || write.write_all(&bytes).await.is_err() {
                break;
            }
        }
    });
    (folder, path)
}

async fn ask(qmp: &Qmp) -> Result<Value> {
    qmp.raw_within("query-status", Value::Null, Duration::from_millis(400))
        .await
}

/// Runs against a peer and wants the answer or error code within two seconds.
async fn against(answer: impl Fn(u64) -> Vec<u8> + Send + 'static) -> std::result::Result<Value, String> {
    let (_folder, path) = peer(answer);
    let qmp = Qmp::connect(&path).await.unwrap();
    let start = Instant::now();
    let outcome = ask(&qmp).await;
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    outcome.map_err(|error| error.code)
}

fn good(id: u64) -> String {
    format!("{{\"return\": {{\"status\": \"running\"}}, \"id\": {id}}}\r\n")
}

#[tokio::test]
async fn noise_around_an_answer_is_left_aside() {
    for noise in [
        "\r\n\r\n",
        "not json\r\n",
        "[1, 2]\r\n",
        "{\"return\": {}}\r\n",
        "{\"return\": {\"status\": \"wrong\"}, \"id\": \"text\"}\r\n",
        "{\"return\": {\"status\": \"wrong\"}, \"id\": 18446744073709551616}\r\n",
        "{\"event\": \"BRAND_NEW\", \"data\": {\"x\": 1}}\r\n{\"event\": 7}\r\n{\"event\": \"STOP\"}\r\n",
        "\u{0}\u{0}\u{0}\r\n",
    ] {
        let answer = against(move |id| format!("{noise}{}{}", good(id), good(id)).into_bytes()).await;
        assert_eq!(answer.unwrap()["status"], "running", "{noise:?}");
    }
    let deep = format!(
        "{{\"return\": {}{}}}\r\n",
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    let answer = against(move |id| format!("{deep}{}", good(id)).into_bytes()).await;
    assert_eq!(answer.unwrap()["status"], "running");
}

#[tokio::test]
async fn silence_half_answers_and_hanging_up_are_errors_in_time() {
    assert_eq!(against(|_| b"\r\n".to_vec()).await.unwrap_err(), SILENT);
    assert_eq!(
        against(|_| b"{\"return\": {\"status\": \"run".to_vec())
            .await
            .unwrap_err(),
        SILENT
    );
    assert_eq!(against(|_| Vec::new()).await.unwrap_err(), SILENT);
    assert_eq!(against(|id| good(id + 1).into_bytes()).await.unwrap_err(), SILENT);
}

#[tokio::test]
async fn errors_of_any_shape_are_refusals_without_control_characters() {
    for error in [
        "{\"class\": \"GenericError\", \"desc\": \"\\u001b[31mno\"}",
        "{\"class\": \"Brand New\", \"desc\": 7}",
        "\"just a string\"",
        "null",
        "{}",
    ] {
        let (_folder, path) =
            peer(move |id| format!("{{\"error\": {error}, \"id\": {id}}}\r\n").into_bytes());
        let qmp = Qmp::connect(&path).await.unwrap();
        let refusal = ask(&qmp).await.unwrap_err();
        assert_eq!(refusal.code, REFUSED, "{error}");
        assert!(!refusal.details["technical"].as_str().unwrap().contains('\u{1b}'));
    }
}

#[tokio::test]
async fn a_line_without_end_ends_the_connection_before_it_fills_memory() {
    let (_folder, path) = peer(|_| {
        let mut bytes = b"{\"return\": \"".to_vec();
        bytes.resize(lines::LINE_MAX + (1 << 20), b'A');
        bytes
    });
    let qmp = Qmp::connect(&path).await.unwrap();
    let outcome = qmp
        .raw_within("query-status", Value::Null, Duration::from_secs(20))
        .await;
    assert_eq!(outcome.unwrap_err().code, SILENT);
    qmp.closed().await;
    assert!(!qmp.is_open());
    assert_eq!(ask(&qmp).await.unwrap_err().code, SILENT);
}

#[tokio::test]
async fn an_answer_behind_a_flood_of_events_arrives() {
    let (_folder, path) = peer(|id| {
        let mut bytes = "{\"event\": \"RTC_CHANGE\", \"data\": {\"offset\": 0}}\r\n".repeat(20_000);
        bytes.push_str(&good(id));
        bytes.into_bytes()
    });
    let qmp = Qmp::connect(&path).await.unwrap();
    let _unread = qmp.subscribe();
    let answer = qmp
        .raw_within("query-status", Value::Null, Duration::from_secs(20))
        .await
        .unwrap();
    assert_eq!(answer["status"], "running");
}

#[tokio::test]
async fn answers_find_their_commands_in_any_order() {
    let (_folder, path) = {
        let earlier = Mutex::new(Vec::new());
        peer(move |id| {
            let mut earlier = earlier.lock().unwrap();
            earlier.push(id);
            if earlier.len() < 2 {
                return b"\r\n".to_vec();
            }
            let answers: Vec<String> = earlier
                .iter()
                .rev()
                .map(|id| format!("{{\"return\": {id}, \"id\": {id}}}\r\n"))
                .collect();
            answers.concat().into_bytes()
        })
    };
    let qmp = Qmp::connect(&path).await.unwrap();
    let (first, second) = tokio::join!(ask(&qmp), ask(&qmp));
    assert_ne!(first.unwrap(), second.unwrap());
}

#[tokio::test]
async fn wrong_greetings_are_refused() {
    for greeting in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "{}\r\n",
        "{\"QMP\": 7}\r\n",
        "",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qmp.sock");
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(greeting.as_bytes()).await;
        });
        assert_eq!(
            Qmp::connect(&path).await.err().unwrap().code,
            SILENT,
            "{greeting:?}"
        );
    }
    let none = Qmp::connect(std::path::Path::new("/nonexistent/qmp.sock")).await;
    assert_eq!(none.err().unwrap().code, NOT_THERE);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_greets_times_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    assert_eq!(Qmp::connect(&path).await.err().unwrap().code, SILENT);
}
