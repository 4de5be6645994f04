//! What the service answers to requests that no client of ours would send.

use crate::common::{Answer, home, http};
use nestbox_guests::TestHome;
use nestbox_model::layout::Layout;
use std::os::unix::net::UnixStream;

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn ask(home: &TestHome, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let socket = Layout::new(home.path().to_owned(), home.path()).service_socket();
    let headers = [&[("Host", "nestbox")], headers].concat();
    http(UnixStream::connect(socket).unwrap(), line, &headers, body)
}

#[test]
fn every_refusal_is_an_error_of_the_apis_shape() {
    let home = home();
    home.nestbox(["create", "web", "--blank", "--disk", "1M"]).ok();
    let huge = format!("{{\"text\": \"{}\"}}", "x".repeat(3 << 20));
    let upgrade = [
        ("Connection", "upgrade, close"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "7"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ];
    let rename = "POST /v1/machines/web/rename";
    for (line, headers, body, status, code) in [
        (rename, &[JSON][..], "{", 400, "bad-request"),
        (rename, &[JSON], "{\"title\": 1}", 422, "bad-request"),
        (rename, &[], "{\"name\": \"x\"}", 415, "unsupported-media-type"),
        ("POST /v1/machines/web/type", &[JSON], &huge, 413, "too-large"),
        ("DELETE /v1/service", &[], "", 405, "method-not-allowed"),
        ("GET /v1/doctor?refresh=perhaps", &[], "", 400, "bad-request"),
        (
            "DELETE /v1/machines/web/ports?host=70000",
            &[],
            "",
            400,
            "bad-request",
        ),
        ("GET /v1/machines/%ff", &[], "", 400, "bad-request"),
        ("GET /v1/events", &[], "", 400, "bad-request"),
        ("GET /v1/events", &upgrade, "", 400, "bad-request"),
        ("GET /v2/machines", &[], "", 404, "no-such-route"),
        ("GET /v1/machines/none", &[], "", 404, "machine-not-found"),
    ] {
        let answer = ask(&home, line, headers, body);
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        let error = answer.error();
        assert_eq!(error.code, code, "{line}: {error:?}");
        if status == 422 {
            let text = error.details["text"].as_str().unwrap();
            assert!(text.contains("name"), "the reason is lost: {text}");
        }
        if status == 405 {
            assert!(answer.header("allow").is_some(), "{answer:?}");
        }
    }
    assert_eq!(home.json(["list"])["machines"][0]["name"], "web");
}
