//! Makes the window and joins the parts.

use crate::{
    arguments::Arguments,
    commands,
    desktop::Clipboard,
    gpu,
    instance::{self, Claim, Show},
    service::{self, Service},
    sockets::Sockets,
};
use nestbox_model::{Error, Result};
use serde::Serialize;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tauri::{
    AppHandle, DragDropEvent, Emitter, Manager, Webview, WebviewUrl, WebviewWindowBuilder, WindowEvent,
    webview::PageLoadEvent,
};
use tauri_plugin_window_state::StateFlags;

/// Label of the one window; `capabilities/window.json` names it.
pub const WINDOW: &str = "main";
/// Event: files are over the window or were dropped on it ([`FileDrop`]).
const FILES_DROPPED: &str = "files-dropped";
/// Event: another launch asked for a machine; the payload is its id or name.
const SHOW_MACHINE: &str = "show-machine";
/// Size of the first window and least size of any, in logical pixels.
const FIRST_SIZE: (f64, f64) = (1280.0, 800.0);
const LEAST_SIZE: (f64, f64) = (800.0, 600.0);
/// The window is shown by then even when its page has not loaded.
const SHOW_AFTER: Duration = Duration::from_millis(1500);

/// Files over or on the window, as the page is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum FileDrop {
    Enter { names: Vec<String>, count: usize },
    Leave,
    Drop { paths: Vec<String> },
}

/// What the page knows before it asks anything.
#[derive(Serialize)]
struct Facts {
    /// `linux`, `macos`, `windows`.
    platform: &'static str,
    version: &'static str,
    /// A GPU draws the page: animations are worth their cost.
    gpu: bool,
    /// The desktop draws the title bar; otherwise the page does.
    decorations: bool,
    /// Machine to show first.
    machine: Option<String>,
}

/// Opens the window and returns when it is closed; or brings the window that is open already forward.
///
/// # Errors
/// The data directory can't be used, or there is no display to open a window on.
pub fn run(arguments: Arguments) -> Result<()> {
    let layout = nestbox_api::layout(arguments.data_dir)?;
    service::make_folders(&layout)?;
    let show = Show {
        machine: arguments.machine,
    };
    let first = match instance::claim(&layout, &show)? {
        Claim::First(first) => first,
        Claim::Handed => return Ok(()),
    };
    let state_file = layout.window_state().display().to_string();
    let service = Arc::new(Service::new(layout));
    // While the window comes up, so that the page's first request meets a service that answers.
    tauri::async_runtime::spawn(service.clone().prepare());
    let remembered = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED;
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_dialog::init())
        .plugin(
            tauri_plugin_window_state::Builder::new()
                .with_filename(state_file)
                .with_state_flags(remembered)
                .build(),
        )
        .manage(service)
        .manage(Arc::new(Sockets::default()))
        .manage(Clipboard::default())
        .invoke_handler(tauri::generate_handler![
            commands::api_request,
            commands::api_picture,
            commands::socket_open,
            commands::socket_send,
            commands::socket_close,
            commands::events_subscribe,
            commands::pick_file,
            commands::pick_folder,
            commands::pick_save_path,
            commands::save_file,
            commands::open_url,
            commands::show_in_folder,
            commands::clipboard_read,
            commands::clipboard_write,
        ])
        .on_page_load(|webview, load| match load.event() {
            // A page that is left takes its sockets along.
            PageLoadEvent::Started => webview.state::<Arc<Sockets>>().close_all(),
            PageLoadEvent::Finished => reveal(webview),
        })
        .on_window_event(|window, event| {
            if let WindowEvent::DragDrop(event) = event
                && let Some(drop) = file_drop(event)
            {
                report(window.emit(FILES_DROPPED, drop));
            }
        })
        .setup(move |app| {
            open_window(app.handle(), show.machine.clone())?;
            let handle = app.handle().clone();
            first.serve(move |show| come_forward(&handle, show));
            Ok(())
        })
        .build(tauri::generate_context!())
        .map_err(|error| {
            Error::unfit("no-window", "The window could not be opened.")
                .with_hint("Is there a graphical session? The nestbox command works without one.")
                .with_detail("system", error.to_string())
        })?;
    app.run(|_, _| {});
    Ok(())
}

fn open_window(app: &AppHandle, machine: Option<String>) -> tauri::Result<()> {
    // Where the page draws the controls, the desktop must not; macOS keeps its own over the sidebar.
    let decorations = cfg!(target_os = "macos") || std::env::var_os("NESTBOX_DECORATIONS").is_some();
    let facts = Facts {
        platform: std::env::consts::OS,
        version: env!("CARGO_PKG_VERSION"),
        gpu: gpu::compositing_available(),
        decorations,
        machine,
    };
    let facts = serde_json::to_string(&facts)?;
    let window = WebviewWindowBuilder::new(app, WINDOW, WebviewUrl::App("index.html".into()))
        .title("Nestbox")
        .inner_size(FIRST_SIZE.0, FIRST_SIZE.1)
        .min_inner_size(LEAST_SIZE.0, LEAST_SIZE.1)
        .decorations(decorations)
        .visible(false)
        .initialization_script(format!("window.__NESTBOX__ = Object.freeze({facts});"))
        // The page is the application: links leave through `open_url`, nothing else is loaded here.
        .on_navigation(|url| matches!(url.scheme(), "tauri") || url.host_str() == Some("tauri.localhost"));
    #[cfg(target_os = "macos")]
    let window = window
        .title_bar_style(tauri::TitleBarStyle::Overlay)
        .hidden_title(true);
    let window = window.build()?;
    std::thread::spawn(move || {
        std::thread::sleep(SHOW_AFTER);
        if !window.is_visible().unwrap_or(true) {
            reveal(window.as_ref());
        }
    });
    Ok(())
}

/// Shows the window once there is something to see: no empty flash in the wrong colour.
fn reveal(webview: &Webview) {
    let window = webview.window();
    report(window.show().and_then(|()| window.set_focus()));
}

fn come_forward(app: &AppHandle, show: Show) {
    let Some(window) = app.get_webview_window(WINDOW) else {
        return;
    };
    report(
        window
            .unminimize()
            .and_then(|()| window.show())
            .and_then(|()| window.set_focus()),
    );
    if let Some(machine) = show.machine {
        report(window.emit(SHOW_MACHINE, machine));
    }
}

fn file_drop(event: &DragDropEvent) -> Option<FileDrop> {
    let text = |paths: &[PathBuf]| {
        paths
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
    };
    match event {
        DragDropEvent::Enter { paths, .. } => {
            let names = paths
                .iter()
                .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
                .collect();
            Some(FileDrop::Enter {
                names,
                count: paths.len(),
            })
        }
        DragDropEvent::Drop { paths, .. } => Some(FileDrop::Drop { paths: text(paths) }),
        DragDropEvent::Leave => Some(FileDrop::Leave),
        _ => None,
    }
}

fn report(result: tauri::Result<()>) {
    if let Err(error) = result {
        tracing::warn!("the window did not obey: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_told_of_dropped_files_in_its_own_words() {
        let position = tauri::PhysicalPosition::new(0.0, 0.0);
        let paths = vec![PathBuf::from("/a/my disk.qcow2"), PathBuf::from("/b/ü.iso")];
        let json = |event| serde_json::to_value(file_drop(&event)).unwrap();
        assert_eq!(
            json(DragDropEvent::Enter {
                paths: paths.clone(),
                position
            }),
            serde_json::json!({"type": "enter", "names": ["my disk.qcow2", "ü.iso"], "count": 2})
        );
        assert_eq!(
            json(DragDropEvent::Drop { paths, position }),
            serde_json::json!({"type": "drop", "paths": ["/a/my disk.qcow2", "/b/ü.iso"]})
        );
        assert_eq!(json(DragDropEvent::Leave), serde_json::json!({"type": "leave"}));
        assert_eq!(json(DragDropEvent::Over { position }), serde_json::Value::Null);
    }
}
