//! An empty Tauri window: what `make bench` measures the real one against.
fn main() {
    if let Err(error) =
        tauri::Builder::default().run(tauri::generate_context!("examples/empty/tauri.conf.json"))
    {
        eprintln!("{error}");
    }
}
