//! Who may come in over loopback: tokens, Host and Origin checks (against DNS rebinding and other origins' pages).

use axum::http::{HeaderMap, HeaderName, header};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Origins of the window's own pages, on every platform Tauri runs on.
const WINDOW_ORIGINS: &[&str] = &[
    "tauri://localhost",
    "http://tauri.localhost",
    "https://tauri.localhost",
];

/// 244 random bits, from the operating system.
pub(crate) fn new_token() -> String {
    format!(
        "{}{}",
        uuid::Uuid::new_v4().simple(),
        uuid::Uuid::new_v4().simple()
    )
}

/// Compares without telling by its duration where the first difference is.
pub(crate) fn same_token(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .fold(0, |different, (a, b)| different | (a ^ b))
            == 0
}

/// The Host header names this computer, so no foreign name was rebound to it.
pub(crate) fn host_is_loopback(headers: &HeaderMap) -> bool {
    headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .is_some_and(is_loopback)
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

/// No Origin (not a page), the window's own, or a page served from this computer's loopback.
pub(crate) fn origin_is_ours(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else { return false };
    WINDOW_ORIGINS.contains(&origin) || origin.strip_prefix("http://").is_some_and(is_loopback)
}

/// For requests whose only proof is the cookie: the browser sends it with what pages on other ports of this computer
/// ask for too (`SameSite` knows no ports), so the page must come from this very address. A navigation by the user
/// has no origin and comes from nowhere (Fetch Metadata: `none`).
pub(crate) fn page_is_this_address(headers: &HeaderMap) -> bool {
    let text = |name| match headers.get(name) {
        None => Some(None),
        Some(value) => value.to_str().ok().map(Some),
    };
    let (Some(Some(host)), Some(origin), Some(site)) =
        (text(header::HOST), text(header::ORIGIN), text(SEC_FETCH_SITE))
    else {
        return false;
    };
    origin.is_none_or(|origin| origin.strip_prefix("http://") == Some(host))
        && site.is_none_or(|site| matches!(site, "same-origin" | "none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn rebound_names_and_foreign_pages_stay_out() {
        for host in ["127.0.0.1:80", "localhost:9", "[::1]:1", "127.0.0.1"] {
            assert!(host_is_loopback(&with(header::HOST, host)), "{host}");
        }
        for host in ["evil.example:80", "127.0.0.1.evil.example", "0.0.0.0:1", ""] {
            assert!(!host_is_loopback(&with(header::HOST, host)), "{host}");
        }
        assert!(!host_is_loopback(&HeaderMap::new()));
        for origin in [
            "https://evil.example",
            "null",
            "http://127.0.0.1.evil.example",
            "file://",
        ] {
            assert!(!origin_is_ours(&with(header::ORIGIN, origin)), "{origin}");
        }
        assert!(origin_is_ours(&with(header::ORIGIN, "http://127.0.0.1:4711")));
        assert!(origin_is_ours(&HeaderMap::new()));
    }

    #[test]
    fn a_cookie_counts_for_pages_of_its_own_address_only() {
        let page = |origin: Option<&str>, site: Option<&str>| {
            let mut headers = with(header::HOST, "127.0.0.1:4711");
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            if let Some(site) = site {
                headers.insert(SEC_FETCH_SITE, site.parse().unwrap());
            }
            page_is_this_address(&headers)
        };
        let own = Some("http://127.0.0.1:4711");
        assert!(page(None, None) && page(None, Some("none")) && page(own, Some("same-origin")));
        for foreign in [
            "http://127.0.0.1:4712",
            "http://127.0.0.1",
            "http://localhost:4711",
            "https://127.0.0.1:4711",
            "tauri://localhost",
            "null",
        ] {
            assert!(!page(Some(foreign), None), "{foreign}");
        }
        assert!(!page(own, Some("same-site")) && !page(None, Some("cross-site")));
        assert!(!page_is_this_address(&HeaderMap::new()));
    }

    #[test]
    fn tokens_differ_and_compare_whole() {
        let (a, b) = (new_token(), new_token());
        assert_ne!(a, b);
        assert!(same_token(&a, &a.clone()));
        assert!(!same_token(&a, &b) && !same_token(&a, &a[1..]));
    }
}
