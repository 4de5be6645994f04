//! What a fetch says when it fails.

use crate::{schema::SignatureKind, source::Candidate};
use nestbox_model::Error;
use reqwest::Url;

/// `medium-needed` (usage).
pub(super) fn own_medium(name: &str) -> Error {
    Error::usage(
        "medium-needed",
        format!("{name} comes on an ISO of your own; there is nothing to download."),
    )
    .with_hint("Give the ISO's file: `nestbox create NAME --template ID --iso FILE`.")
}

/// The trouble is with this server, not with what it would have sent or with this computer.
pub(super) fn other_servers_may_do_better(error: &Error) -> bool {
    [
        "server-refused",
        "redirect-loop",
        "web-page-received",
        "answer-too-large",
        "not-an-image",
    ]
    .contains(&error.code.as_str())
}

pub(super) fn gone(place: &Candidate) -> Error {
    Error::not_found("image-not-found", format!("The server no longer has {}.", place.image_url()))
        .with_hint("A newer Nestbox may know the new place. You can also download an image yourself and import it, or choose another mirror.")
        .with_detail("url", place.image_url())
}

pub(super) fn unreachable(place: &Candidate, why: &str, step: &str) -> Error {
    let (short, system) = why.split_once(" (").unwrap_or((why, ""));
    let kept = match step {
        "download" => " What was downloaded is kept; the next try goes on from there.",
        _ => "",
    };
    Error::failed(
        "download-failed",
        format!("The download from {} failed because {short}.{kept}", place.base),
    )
    .with_hint("Check the network connection, then try again. A mirror can be set in the settings.")
    .with_detail("url", place.image_url())
    .with_detail("system", system.trim_end_matches(')'))
}

pub(super) fn mismatch(
    place: &Candidate,
    file: &str,
    url: &Url,
    expected: Option<&str>,
    found: &str,
) -> Error {
    Error::unsafe_input(
        "checksum-mismatch",
        format!(
            "The download was refused and removed: {} is not the file that {} published. It may be damaged or changed.",
            file,
            match place.signature {
                SignatureKind::None => "the checksum file says was",
                _ => "the distribution signed and",
            }
        ),
    )
    .with_hint("Try again. If it happens again, choose another mirror.")
    .with_detail("url", url.as_str())
    .with_detail("expected", expected)
    .with_detail("found", found)
}
