//! What pages may not do themselves: choose and save files, the clipboard, opening links and folders.

use nestbox_model::{Error, Result};
use serde::Deserialize;
use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};
use tauri::{AppHandle, Manager};
use tauri_plugin_dialog::{DialogExt, FileDialogBuilder, FilePath};

/// How to ask for files.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PickOptions {
    /// Title of the dialog.
    pub title: String,
    /// More than one may be chosen.
    pub multiple: bool,
    /// Extensions without dots; everything when empty.
    pub extensions: Vec<String>,
    /// What files with these extensions are called.
    pub extensions_name: String,
}

/// How to ask where to save.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SaveOptions {
    /// Title of the dialog.
    pub title: String,
    /// Proposed file name.
    pub name: String,
    /// Absolute folder to begin in.
    pub folder: Option<String>,
}

/// Asks for files: absolute paths, empty when the user cancelled.
///
/// # Errors
/// The dialog ended without an answer.
pub async fn pick_files(app: &AppHandle, options: PickOptions) -> Result<Vec<String>> {
    let mut dialog = dialog_over(app, &options.title);
    if !options.extensions.is_empty() {
        let extensions: Vec<&str> = options.extensions.iter().map(String::as_str).collect();
        dialog = dialog
            .add_filter(&options.extensions_name, &extensions)
            .add_filter("*", &["*"]);
    }
    let (sender, receiver) = tokio::sync::oneshot::channel();
    if options.multiple {
        dialog.pick_files(move |chosen| drop(sender.send(chosen.unwrap_or_default())));
    } else {
        dialog.pick_file(move |chosen| drop(sender.send(chosen.into_iter().collect())));
    }
    let chosen: Vec<FilePath> = receiver.await.map_err(|_| no_answer())?;
    Ok(chosen.into_iter().filter_map(into_text).collect())
}

/// Asks where to save `data` (base64) and writes it: the path, or `None` when the user cancelled.
///
/// # Errors
/// The data is not base64, or can't be written.
pub async fn save_file(app: &AppHandle, suggested_name: &str, data: &str) -> Result<Option<String>> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(data)
        .map_err(|error| {
            Error::usage("bad-message", "What was to be saved was not base64.")
                .with_detail("system", error.to_string())
        })?;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    app.dialog()
        .file()
        .set_file_name(suggested_name)
        .save_file(move |chosen| drop(sender.send(chosen)));
    let Some(path) = receiver
        .await
        .map_err(|_| no_answer())?
        .and_then(|path| path.into_path().ok())
    else {
        return Ok(None);
    };
    tokio::fs::write(&path, bytes)
        .await
        .map_err(|error| Error::io("save the file", &path, &error))?;
    Ok(Some(path.display().to_string()))
}

/// A file dialog over the window.
fn dialog_over(app: &AppHandle, title: &str) -> FileDialogBuilder<tauri::Wry> {
    let mut dialog = app.dialog().file();
    if let Some(window) = app.get_webview_window(crate::app::WINDOW) {
        dialog = dialog.set_parent(&window);
    }
    if title.is_empty() {
        dialog
    } else {
        dialog.set_title(title)
    }
}

/// Asks for a folder: its absolute path, `None` when the user cancelled.
///
/// # Errors
/// The dialog ended without an answer.
pub async fn pick_folder(app: &AppHandle, title: &str) -> Result<Option<String>> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    dialog_over(app, title).pick_folder(move |chosen| drop(sender.send(chosen)));
    Ok(receiver.await.map_err(|_| no_answer())?.and_then(into_text))
}

/// Asks where to save, and writes nothing: an absolute path, `None` when the user cancelled.
///
/// # Errors
/// The dialog ended without an answer.
pub async fn pick_save_path(app: &AppHandle, options: &SaveOptions) -> Result<Option<String>> {
    let mut dialog = dialog_over(app, &options.title).set_file_name(&options.name);
    if let Some(folder) = options
        .folder
        .as_deref()
        .filter(|folder| Path::new(folder).is_dir())
    {
        dialog = dialog.set_directory(folder);
    }
    let (sender, receiver) = tokio::sync::oneshot::channel();
    dialog.save_file(move |chosen| drop(sender.send(chosen)));
    Ok(receiver.await.map_err(|_| no_answer())?.and_then(into_text))
}

fn no_answer() -> Error {
    Error::failed("dialog-failed", "The file dialog ended without an answer.")
        .with_hint("Drop the file on the window instead.")
}

fn into_text(path: FilePath) -> Option<String> {
    Some(path.into_path().ok()?.display().to_string())
}

/// Opens a web address in the user's browser. Other schemes are refused: they could start any program.
///
/// # Errors
/// Not an address of the web, or nothing opens it.
pub fn open_url(url: &str) -> Result<()> {
    let web = tauri::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !web {
        return Err(Error::unsafe_input(
            "bad-url",
            format!("“{url}” is not a web address."),
        ));
    }
    tauri_plugin_opener::open_url(url, None::<&str>).map_err(|error| {
        Error::unfit("no-browser", "No browser could be opened.")
            .with_hint(format!("Open it yourself: {url}"))
            .with_detail("system", error.to_string())
    })
}

/// Shows a file in the file manager.
///
/// # Errors
/// It is not there, or there is no file manager.
pub fn show_in_folder(path: &str) -> Result<()> {
    let path = Path::new(path);
    path.metadata()
        .map_err(|error| Error::io("show the file", path, &error))?;
    tauri_plugin_opener::reveal_item_in_dir(path).map_err(|error| {
        Error::unfit("no-file-manager", "No file manager could be opened.")
            .with_hint(format!("It is here: {}", path.display()))
            .with_detail("system", error.to_string())
    })
}

/// The clipboard. Kept open: on X11 its text is gone with whoever put it there.
#[derive(Default)]
pub struct Clipboard(Mutex<Option<arboard::Clipboard>>);

impl Clipboard {
    /// Its text; empty when it holds none.
    ///
    /// # Errors
    /// There is no clipboard.
    pub fn read(&self) -> Result<String> {
        self.with(|clipboard| match clipboard.get_text() {
            Err(arboard::Error::ContentNotAvailable) => Ok(String::new()),
            other => other,
        })
    }

    /// Puts text on it.
    ///
    /// # Errors
    /// There is no clipboard.
    pub fn write(&self, text: String) -> Result<()> {
        self.with(|clipboard| clipboard.set_text(text))
    }

    fn with<T>(
        &self,
        action: impl FnOnce(&mut arboard::Clipboard) -> Result<T, arboard::Error>,
    ) -> Result<T> {
        let failed = |error: arboard::Error| {
            Error::unfit("no-clipboard", "The clipboard could not be used.")
                .with_detail("system", error.to_string())
        };
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let clipboard = match place.as_mut() {
            Some(clipboard) => clipboard,
            None => place.insert(arboard::Clipboard::new().map_err(failed)?),
        };
        action(clipboard).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_opened() {
        for url in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "smb://host/share",
            "/bin/sh",
            "",
            "vbscript:x",
        ] {
            assert_eq!(open_url(url).unwrap_err().code, "bad-url", "{url}");
        }
    }

    #[test]
    fn a_missing_file_is_not_shown() {
        assert_eq!(
            show_in_folder("/nowhere/at/all").unwrap_err().code,
            "file-not-found"
        );
    }
}
