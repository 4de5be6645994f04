//! The door for a browser on this computer, spoken to as browsers and other pages do.

use crate::common::{Answer, home, http};
use nestbox_guests::TestHome;
use serde_json::Value;
use std::net::TcpStream;
use std::process::{Child, Stdio};

/// A service with a port for browsers; ended when dropped.
struct Door {
    service: Child,
    host: String,
    token: String,
}

impl Door {
    fn open(home: &TestHome) -> Self {
        let mut service = home
            .command(["--json", "service", "serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = serde_json::Deserializer::from_reader(service.stdout.take().unwrap())
            .into_iter::<Value>()
            .next();
        let said = said.expect("an address").unwrap();
        let (address, token) = said["browser"].as_str().unwrap().split_once("/?token=").unwrap();
        Self {
            service,
            host: address.strip_prefix("http://").unwrap().to_owned(),
            token: token.to_owned(),
        }
    }

    fn ask(&self, line: &str, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("Host", self.host.as_str())];
        all.extend_from_slice(headers);
        http(TcpStream::connect(&self.host).unwrap(), line, &all, "")
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

#[test]
fn the_cookie_is_no_key_for_pages_of_other_ports() {
    let home = home();
    let door = Door::open(&home);
    let entered = door.ask(&format!("GET /?token={}", door.token), &[]);
    assert_eq!(entered.status, 303);
    let cookie = entered.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let own = format!("http://{}", door.host);

    let refused = door.ask("GET /v1/machines", &[]);
    assert_eq!(refused.status, 401);
    assert_eq!(refused.error().code, "not-authorised");
    assert_eq!(door.ask("GET /v1/machines", &[("Cookie", cookie)]).status, 200);
    let stop = "POST /v1/machines/none/stop";
    // Let in, these find that there is no such machine.
    for headers in [
        vec![("Origin", own.as_str())],
        vec![("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")],
        vec![("Sec-Fetch-Site", "none")],
    ] {
        let headers = [headers, vec![("Cookie", cookie)]].concat();
        assert_eq!(door.ask(stop, &headers).status, 404, "{headers:?}");
    }
    for headers in [
        vec![("Origin", "http://127.0.0.1:1")],
        vec![("Origin", "http://localhost:1")],
        vec![("Origin", "tauri://localhost")],
        vec![
            ("Origin", "http://127.0.0.1:1"),
            ("Sec-Fetch-Site", "same-origin"),
        ],
        vec![("Sec-Fetch-Site", "same-site")],
        vec![("Sec-Fetch-Site", "cross-site")],
    ] {
        let headers = [headers, vec![("Cookie", cookie)]].concat();
        let refused = door.ask(stop, &headers);
        assert_eq!(refused.status, 403, "{headers:?}");
        assert_eq!(refused.error().code, "forbidden");
    }
    // A program with the token proves itself wherever it comes from on this computer.
    let bearer = format!("Bearer {}", door.token);
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Origin", "http://127.0.0.1:1"),
    ];
    assert_eq!(door.ask(stop, &headers).status, 404);
}
