//! The window.
fn main() {
    let _ = tauri::Builder::default().run(tauri::generate_context!());
}
#[tauri::command]
fn api_request() {}
