//! The service: one per data directory, on a unix socket, on request also for a browser on loopback.

use crate::display::Displays;
use crate::routes::{self, Shared};
use crate::{access, error, launch};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use nestbox_engine::Engine;
use nestbox_model::layout::Layout;
use nestbox_model::{Error, Result};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// What the browser page may do: its own files, its own API, and displays on loopback.
const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; \
    connect-src 'self' ws://127.0.0.1:*; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const COOKIE: &str = "nestbox_token";

/// How to serve.
pub struct ServeOptions {
    /// The `nestbox` program, which also is the confined process that looks into disks.
    pub program: PathBuf,
    /// Data directory.
    pub layout: Layout,
    /// Also offer the API and the UI to a browser here; must be a loopback address.
    pub listen: Option<SocketAddr>,
    /// Folder of the built UI, for `listen`.
    pub ui: Option<PathBuf>,
    /// Exit after this long without client, job or running machine.
    pub idle_exit: Option<Duration>,
}

/// Where a started service can be reached.
pub struct Listening {
    /// Its socket.
    pub socket: PathBuf,
    /// Address for a browser, token included.
    pub browser: Option<String>,
}

/// Runs the service until it is told to stop or nobody needs it; machines keep running.
///
/// # Errors
/// `service-running` when another service owns the data directory; `not-loopback` for a public `listen` address.
pub async fn serve(options: ServeOptions, ready: impl FnOnce(&Listening)) -> Result<()> {
    private_folders(&options.layout)?;
    let _lock = launch::lock(&options.layout.service_lock())?.ok_or_else(|| {
        Error::conflict(
            "service-running",
            "Another Nestbox service already runs on this library.",
        )
        .with_hint("See it with: nestbox service status")
    })?;
    let engine = Engine::open(options.layout.clone()).await?;
    engine.set_disk_reader(options.program);
    let shared = Shared {
        engine: engine.clone(),
        displays: Displays::default(),
        stop: Arc::new(Notify::new()),
        listen: Arc::new(OnceLock::new()),
        presence: Presence::default(),
    };
    let (router, _) = routes::all().split_for_parts();
    let router = router
        .fallback(no_such_route)
        .layer(middleware::from_fn_with_state(
            shared.presence.clone(),
            count_presence,
        ))
        .layer(middleware::from_fn(error::in_our_shape))
        .with_state(shared.clone());

    let socket = options.layout.service_socket();
    let listener = bind_socket(&socket)?;
    let browser = match options.listen {
        Some(address) => Some(open_browser_door(address, router.clone(), options.ui, &shared).await?),
        None => None,
    };
    ready(&Listening {
        socket: socket.clone(),
        browser: browser.clone(),
    });
    tracing::info!(socket = %socket.display(), "the service is ready");

    #[cfg(target_os = "linux")]
    tokio::spawn(crate::farewell::watch(engine.clone()));
    let idle = options.idle_exit.filter(|_| browser.is_none());
    let until = until_stopped(shared, idle);
    let served = axum::serve(listener, router);
    let failed = tokio::select! {
        result = served => result.err(),
        () = until => None,
    };
    // Clients see the socket vanish before the lock is free, so a new service can bind at once.
    let _ = std::fs::remove_file(&socket);
    match failed {
        Some(error) => Err(Error::failed(
            "service-failed",
            format!("The service's socket failed: {error}."),
        )),
        None => Ok(()),
    }
}

fn private_folders(layout: &Layout) -> Result<()> {
    for folder in [layout.home(), layout.run()] {
        launch::private_folder(folder)?;
    }
    Ok(())
}

fn bind_socket(path: &std::path::Path) -> Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    // We hold the lock: whatever is there was left by a service that died.
    let _ = std::fs::remove_file(path);
    let failed = |e: std::io::Error| Error::io("open the service's socket", path, &e);
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Who is connected, and when someone last was.
#[derive(Clone, Default)]
pub(crate) struct Presence(Arc<PresenceCell>);

#[derive(Default)]
struct PresenceCell {
    now: AtomicUsize,
    last: Mutex<Option<Instant>>,
}

/// Counts as present until dropped.
pub(crate) struct Present(Presence);

impl Presence {
    pub fn enter(&self) -> Present {
        self.0.now.fetch_add(1, Ordering::Relaxed);
        Present(self.clone())
    }

    fn idle_for(&self, since: Instant) -> Duration {
        if self.0.now.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        self.0
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .unwrap_or(since)
            .elapsed()
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        *self.0.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.0.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn count_presence(State(presence): State<Presence>, request: Request, next: Next) -> Response {
    let _present = presence.enter();
    next.run(request).await
}

async fn until_stopped(shared: Shared, idle: Option<Duration>) {
    let began = Instant::now();
    let idle_over = async {
        let Some(idle) = idle else {
            return std::future::pending().await;
        };
        let mut ticks = tokio::time::interval(Duration::from_secs(1).min(idle));
        loop {
            ticks.tick().await;
            let wanted = shared.displays.viewers() > 0 || shared.engine.is_busy();
            if !wanted && shared.presence.idle_for(began) >= idle {
                tracing::info!("nobody needs the service");
                return;
            }
        }
    };
    let signalled = async {
        let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => {},
            _ = int.recv() => {},
        }
    };
    tokio::select! {
        () = idle_over => {},
        () = signalled => {},
        () = shared.stop.notified() => {
            // Let the answer to the request that asked for it out.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn no_such_route() -> Response {
    crate::error::ApiError(Error::not_found("no-such-route", "The API has no such address.")).into_response()
}

#[derive(Clone)]
struct Guard {
    token: Arc<String>,
}

async fn open_browser_door(
    address: SocketAddr,
    api: Router,
    ui: Option<PathBuf>,
    shared: &Shared,
) -> Result<String> {
    if !address.ip().is_loopback() {
        return Err(Error::usage(
            "not-loopback",
            format!("{address} can be reached from other computers."),
        )
        .with_hint("Listen on 127.0.0.1 and come in over an SSH tunnel from elsewhere."));
    }
    let failed = |e: std::io::Error| {
        Error::conflict(
            "listen-failed",
            format!("Nestbox can't listen on {address}: {e}."),
        )
        .with_hint("Use port 0 for a free one.")
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let guard = Guard {
        token: Arc::new(access::new_token()),
    };
    let url = format!("http://{address}/?token={}", guard.token);
    let _ = shared.listen.set(format!("http://{address}"));
    let mut router = api;
    if let Some(folder) = ui {
        let index = folder.join("index.html");
        router = router.fallback_service(
            tower_http::services::ServeDir::new(folder).fallback(tower_http::services::ServeFile::new(index)),
        );
    }
    let router = router
        .layer(middleware::from_fn_with_state(guard, check_browser))
        .layer(middleware::from_fn(error::in_our_shape))
        .layer(tower_http::set_header::SetResponseHeaderLayer::overriding(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(PAGE_POLICY),
        ))
        .layer(tower_http::set_header::SetResponseHeaderLayer::overriding(
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the browser's port closed");
        }
    });
    Ok(url)
}

/// The token comes once in the address, then as a cookie that scripts can't read and other sites don't send; programs
/// use a bearer header.
async fn check_browser(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !access::host_is_loopback(headers) || !access::origin_is_ours(headers) {
        return (StatusCode::FORBIDDEN, "This address is for this computer only.").into_response();
    }
    let query_token = request
        .uri()
        .query()
        .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("token=")));
    let in_query = query_token.is_some_and(|token| access::same_token(token, &guard.token));
    if in_query && request.uri().path() == "/" {
        let cookie = format!("{COOKIE}={}; HttpOnly; SameSite=Strict; Path=/", guard.token);
        let mut response = Redirect::to("/").into_response();
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(header::SET_COOKIE, value);
        }
        return response;
    }
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "));
    let cookie = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    let known = |token: Option<&str>| token.is_some_and(|token| access::same_token(token, &guard.token));
    if in_query || known(bearer) {
        return next.run(request).await;
    }
    if !known(cookie) {
        return (StatusCode::UNAUTHORIZED, "There is no token, or an old one.").into_response();
    }
    if !access::page_is_this_address(headers) {
        return (
            StatusCode::FORBIDDEN,
            "The request comes from a page of another address.",
        )
            .into_response();
    }
    next.run(request).await
}
