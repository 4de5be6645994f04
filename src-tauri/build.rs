//! Prepares what the window embeds: the built user interface, the icons and the permissions.

use std::{fs, path::Path};

/// Commands the page may call; `capabilities/window.json` grants each to the one window by name.
const COMMANDS: &[&str] = &[
    "api_request",
    "api_picture",
    "socket_open",
    "socket_send",
    "socket_close",
    "events_subscribe",
    "pick_file",
    "pick_folder",
    "pick_save_path",
    "save_file",
    "open_url",
    "show_in_folder",
    "clipboard_read",
    "clipboard_write",
];

/// Shown only when the user interface was never built: says so instead of failing the build, so that
/// `cargo check` and `cargo clippy` work without Node.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Nestbox</title>\
<main aria-label=\"Not built\"><h1>The pages of this window have not been built</h1>\
<p>Run <code>make run</code>, which builds them first.</p></main></html>\n";

fn main() {
    let dist = Path::new("../ui/dist");
    let index = dist.join("index.html");
    if !index.exists() {
        fs::create_dir_all(dist).expect("create ui/dist");
        fs::write(&index, NOT_BUILT).expect("write ui/dist/index.html");
    }
    // Cargo looks at every file below: a new build of the pages is embedded, an unchanged one is not.
    println!("cargo:rerun-if-changed=../ui/dist");
    let attributes =
        tauri_build::Attributes::new().app_manifest(tauri_build::AppManifest::new().commands(COMMANDS));
    tauri_build::try_build(attributes).expect("tauri build script");
}
