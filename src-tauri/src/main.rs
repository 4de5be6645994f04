//! The window of Nestbox: a thin shell around the pages in `ui/`. It passes their requests to the service,
//! asks the desktop for what pages may not do themselves (choose files, clipboard, open links), and keeps to
//! one window for each data directory. What the command line would need too lives below `crates/`, not here.

mod app;
mod arguments;
mod commands;
mod desktop;
mod gpu;
mod instance;
mod service;
mod sockets;

use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // First of all, while there is one thread: these steer WebKit through the environment.
    gpu::prepare_environment();
    let filter = EnvFilter::try_from_env("NESTBOX_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match arguments::parse(std::env::args_os().skip(1)).and_then(app::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{} {}", error.message, error.hint);
            ExitCode::from(error.exit_code())
        }
    }
}
