//! The HTTP client: addresses, redirects, timeouts, small files.

use crate::mirrors::is_loopback;
use nestbox_model::{Error, Result};
use reqwest::{Client, StatusCode, Url, redirect};
use std::time::Duration;

/// Patience with servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Longest silence of a server while it should send.
    pub silence: Duration,
    /// Failures in a row, without progress between them, after which a transfer gives up.
    pub retries: u32,
    /// First pause after a failure; doubles up to 30 s.
    pub backoff: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            silence: Duration::from_secs(45),
            retries: 6,
            backoff: Duration::from_millis(500),
        }
    }
}

impl Tuning {
    /// The pause after the `failures`-th failure in a row (from 1).
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        (self.backoff * 2u32.pow(failures.saturating_sub(1).min(10))).min(Duration::from_secs(30))
    }
}

const MAX_REDIRECTS: usize = 10;
/// Checksum files and signatures are far smaller.
const SMALL: usize = 8 << 20;

/// Why a request did not give what was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 404 or 410: the name has moved on.
    Gone,
    /// May go better next time; the words complete “because …”.
    Transient(String),
    /// Final.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

#[derive(Debug, thiserror::Error)]
enum RedirectProblem {
    #[error("too many redirects")]
    TooMany,
    #[error("redirect from https to http")]
    Insecure,
}

/// A client for one family's server.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client,
    pub tuning: Tuning,
}

impl Http {
    /// `mirror` is the user's mirror, if set; only an `http://` one opens the way to unencrypted servers.
    pub fn new(tuning: Tuning, mirror: Option<&str>) -> Result<Self> {
        let mirror = mirror.and_then(|url| Url::parse(url).ok());
        let plain = mirror.as_ref().is_some_and(|url| url.scheme() == "http");
        let policy = redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > MAX_REDIRECTS {
                attempt.error(RedirectProblem::TooMany)
            } else if attempt.url().scheme() != "https" && !plain {
                attempt.error(RedirectProblem::Insecure)
            } else {
                attempt.follow()
            }
        });
        let mut builder = Client::builder()
            .user_agent(concat!("nestbox/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(tuning.connect)
            .read_timeout(tuning.silence)
            .redirect(policy)
            .https_only(!plain);
        if mirror.as_ref().is_some_and(is_loopback) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            Error::failed(
                "network-setup",
                "Nestbox could not set up secure connections on this computer.",
            )
            .with_hint("Install the system's certificates (the package ca-certificates), then try again.")
            .with_detail("system", chain(&error))
        })?;
        Ok(Self { client, tuning })
    }

    /// Sends a GET, with `range` = (first byte, validator) when resuming. Statuses are not judged.
    pub async fn get(
        &self,
        url: &Url,
        range: Option<(u64, Option<&str>)>,
    ) -> Result<reqwest::Response, Failure> {
        let mut request = self.client.get(url.clone()).header("accept-encoding", "identity");
        if let Some((from, validator)) = range {
            request = request.header("range", format!("bytes={from}-"));
            if let Some(validator) = validator {
                request = request.header("if-range", validator);
            }
        }
        request.send().await.map_err(|error| classify(url, &error))
    }

    /// Fetches a small file, retrying a few times.
    pub async fn small(&self, url: &Url, retries: u32) -> Result<Vec<u8>, Failure> {
        let mut failures = 0;
        loop {
            match self.small_once(url).await {
                Err(Failure::Transient(why)) if failures >= retries => return Err(Failure::Transient(why)),
                Err(Failure::Transient(why)) => {
                    failures += 1;
                    tracing::debug!(%url, failures, why, "will try again");
                    tokio::time::sleep(self.tuning.pause(failures)).await;
                }
                done => return done,
            }
        }
    }

    async fn small_once(&self, url: &Url) -> Result<Vec<u8>, Failure> {
        let mut response = self.get(url, None).await?;
        judge(url, &response)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| classify(url, &error))? {
            if bytes.len() + chunk.len() > SMALL {
                return Err(Failure::Final(
                    Error::failed(
                        "answer-too-large",
                        format!("{url} sent far more than a checksum file holds."),
                    )
                    .with_hint("Check the mirror's address in the settings."),
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        if is_web_page(&bytes) {
            return Err(web_page(url).into());
        }
        Ok(bytes)
    }
}

/// Turns a status that is no success, or a web page, into a failure.
pub(crate) fn judge(url: &Url, response: &reqwest::Response) -> Result<(), Failure> {
    let status = response.status();
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Failure::Gone),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            return Err(Failure::Transient(format!("the server answered {status}")));
        }
        _ if status.is_server_error() => {
            return Err(Failure::Transient(format!("the server answered {status}")));
        }
        _ if !status.is_success() => {
            return Err(Failure::Final(
                Error::failed("server-refused", format!("The server refused {url} ({status})."))
                    .with_hint("Try again later or choose another mirror in the settings.")
                    .with_detail("status", status.as_u16()),
            ));
        }
        _ => {}
    }
    let kind = response
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    if kind.trim_start().to_ascii_lowercase().starts_with("text/html") {
        return Err(web_page(url).into());
    }
    Ok(())
}

/// Looks like HTML.
pub(crate) fn is_web_page(bytes: &[u8]) -> bool {
    let start: Vec<u8> = bytes
        .trim_ascii_start()
        .iter()
        .take(16)
        .map(u8::to_ascii_lowercase)
        .collect();
    [&b"<!doctype"[..], b"<html", b"<?xml", b"<head"]
        .iter()
        .any(|mark| start.starts_with(mark))
}

/// `web-page-received`: a login page or an error page instead of the file.
pub(crate) fn web_page(url: &Url) -> Error {
    Error::failed("web-page-received", format!("A web page came instead of the file {url}."))
        .with_hint("If this network asks you to sign in, open a browser and do so. Otherwise check the mirror's address in the settings.")
        .with_detail("url", url.as_str())
}

/// What a failed request means.
pub(crate) fn classify(url: &Url, error: &reqwest::Error) -> Failure {
    let mut source: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(cause) = source {
        match cause.downcast_ref::<RedirectProblem>() {
            Some(RedirectProblem::TooMany) => {
                return Failure::Final(
                    Error::failed(
                        "redirect-loop",
                        format!("The server sends {url} round in circles."),
                    )
                    .with_hint("Try again later or choose another mirror in the settings."),
                );
            }
            Some(RedirectProblem::Insecure) => return Failure::Final(insecure(url)),
            None => source = cause.source(),
        }
    }
    if error.is_redirect() || error.is_builder() {
        return Failure::Final(insecure(url).with_detail("system", chain(error)));
    }
    let why = if error.is_timeout() {
        "the server did not answer in time"
    } else if error.is_connect() {
        "the server can't be reached"
    } else {
        "the connection broke"
    };
    tracing::debug!(%url, error = chain(error), "request failed");
    Failure::Transient(format!("{why} ({})", chain(error)))
}

fn insecure(url: &Url) -> Error {
    Error::unsafe_input(
        "insecure-redirect",
        format!("The server sends {url} on to an address without encryption."),
    )
    .with_hint("Choose another mirror in the settings.")
}

/// An error with its causes, once each.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_an_http_mirror_opens_the_way_to_http() {
        let url = Url::parse("http://127.0.0.1:9/x").unwrap();
        let patience = Tuning {
            connect: Duration::from_secs(1),
            ..Tuning::default()
        };
        for mirror in [None, Some("https://mirror.example")] {
            let http = Http::new(patience, mirror).unwrap();
            match http.get(&url, None).await.unwrap_err() {
                Failure::Final(error) => assert_eq!(error.code, "insecure-redirect"),
                other => panic!("{other:?}"),
            }
        }
        let http = Http::new(patience, Some("http://127.0.0.1:9")).unwrap();
        assert!(matches!(
            http.get(&url, None).await.unwrap_err(),
            Failure::Transient(_)
        ));
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let pauses: Vec<_> = [1, 2, 3, 100]
            .map(|n| Tuning::default().pause(n).as_millis())
            .into();
        assert_eq!(pauses, [500, 1000, 2000, 30_000]);
    }

    #[test]
    fn knows_web_pages() {
        assert!(is_web_page(b"\n  <!DOCTYPE HTML><title>") && is_web_page(b"<html>"));
        assert!(!is_web_page(b"QFI\xfb") && !is_web_page(b"") && !is_web_page(b"abc *x"));
    }
}
