//! `nestbox service`: the background service in this program.

use crate::args::Service;
use crate::interrupt;
use crate::output::Output;
use nestbox_api::{Client, ServeOptions, serve};
use nestbox_model::layout::Layout;
use nestbox_model::{Error, Result};
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Nobody there for this long: the service goes.
const IDLE_EXIT: Duration = Duration::from_secs(120);
/// A service that is asked to end is gone within this long.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// A log larger than this is moved aside at the start.
const LOG_MAX_BYTES: u64 = 4 << 20;

/// Lets the service's threads share one heap. They are few and seldom busy, while glibc's heap for each keeps what its
/// own thread once needed: a long list leaves 13 MB with several heaps, 7 MB with one.
pub fn prepare_memory(action: &Service) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if matches!(action, Service::Serve { .. }) {
        // SAFETY: it sets a number of the allocator; no other thread is there that allocates.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = action;
}

pub async fn run(action: Service, layout: Layout, output: &Output) -> Result<()> {
    let client = Client::new(layout.service_socket());
    match action {
        Service::Status => {
            match client.service().await {
                Ok(info) => output.result(&json!({ "running": true, "service": info }), |o| {
                    o.line(format!("Running: version {}, process {}", info.version, info.pid));
                    o.line(format!("Library: {}", info.data_dir));
                    if let Some(listen) = &info.listen {
                        o.line(format!("Browser: {listen}"));
                    }
                }),
                Err(_) => output.result(&json!({ "running": false }), |o| {
                    o.line("Not running. Any command that needs it starts it.");
                }),
            }
            Ok(())
        }
        Service::Stop => {
            match stop(&client, &layout).await? {
                None => output.result(&json!({ "stopped": false }), |o| o.line("It was not running.")),
                Some(pid) => output.result(&json!({ "stopped": true, "pid": pid }), |o| {
                    o.line("Stopped. Machines keep running.");
                }),
            }
            Ok(())
        }
        Service::Serve { listen } => {
            start_log(&layout);
            // The service ends in order on its own.
            let _interrupt = interrupt::claim();
            let options = ServeOptions {
                program: own_program(),
                layout,
                listen,
                ui: built_ui(),
                idle_exit: idle_exit()?,
            };
            serve(options, |listening| {
                let address = json!({ "socket": listening.socket, "browser": listening.browser });
                output.result(&address, |o| match &listening.browser {
                    Some(url) => o.line(format!("Open in a browser on this computer: {url}")),
                    None => o.note(format!("Serving on {}", listening.socket.display())),
                });
            })
            .await
        }
    }
}

/// Asks the service to end and waits until another could begin; the pid it had.
async fn stop(client: &Client, layout: &Layout) -> Result<Option<u32>> {
    let deadline = Instant::now() + STOP_PATIENCE;
    let mut asked = None;
    loop {
        match client.service().await {
            Ok(info) if asked.is_none() => {
                asked = Some(info.pid);
                // It may just be leaving; the next look tells.
                let _ = client.stop_service().await;
            }
            // Another client started the next one in the meantime.
            Ok(info) if asked != Some(info.pid) => return Ok(asked),
            Ok(_) => {}
            // One that does not answer may be on its way in or out: its lock tells.
            Err(_) if nestbox_api::service_is_gone(layout)? => return Ok(asked),
            Err(_) => {}
        }
        if Instant::now() > deadline {
            return Err(Error::failed(
                "service-stays",
                "The service was asked to end and is still there.",
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// This program, in a form that stays valid when an update replaces the file.
fn own_program() -> PathBuf {
    if cfg!(target_os = "linux") {
        return "/proc/self/exe".into();
    }
    std::env::current_exe().unwrap_or_else(|_| "nestbox".into())
}

/// `NESTBOX_IDLE_EXIT`: seconds, 0 for never.
fn idle_exit() -> Result<Option<Duration>> {
    let Ok(text) = std::env::var("NESTBOX_IDLE_EXIT") else {
        return Ok(Some(IDLE_EXIT));
    };
    let seconds: u64 = text.parse().map_err(|_| {
        Error::usage(
            "bad-value",
            format!("NESTBOX_IDLE_EXIT is “{text}”, not a number of seconds."),
        )
    })?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

/// The built window for browsers: `NESTBOX_UI`, the installed place, or the source tree's.
fn built_ui() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("NESTBOX_UI") {
        return Some(path.into());
    }
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?;
    ["../share/nestbox/ui", "../../ui/dist"]
        .iter()
        .map(|relative| folder.join(relative))
        .find(|path| path.join("index.html").is_file())
}

fn start_log(layout: &Layout) {
    let log = layout.service_log();
    if std::fs::metadata(&log).is_ok_and(|meta| meta.len() > LOG_MAX_BYTES) {
        let _ = std::fs::rename(&log, log.with_extension("log.old"));
    }
    let filter = tracing_subscriber::EnvFilter::try_from_env("NESTBOX_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .try_init();
}
