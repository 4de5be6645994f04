//! Before this computer shuts down, or the user logs out, running machines are suspended.
//!
//! logind (org.freedesktop.login1(5)) says when; a delay lock, held while the service lives, makes a shutdown wait until
//! the memory is on disk, for as long as `InhibitDelayMaxSec` of logind.conf(5) allows. Where there is no logind nothing
//! is watched: then a shutdown ends machines as a power cut does.

use futures_util::StreamExt;
use nestbox_engine::Engine;
use zbus::zvariant::{OwnedFd, OwnedObjectPath};

/// Id, user, name, seat and path of a session.
type Session = (String, u32, String, String, OwnedObjectPath);

#[zbus::proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1"
)]
trait Login {
    fn inhibit(&self, what: &str, who: &str, why: &str, mode: &str) -> zbus::Result<OwnedFd>;

    fn list_sessions(&self) -> zbus::Result<Vec<Session>>;

    #[zbus(signal)]
    fn prepare_for_shutdown(&self, start: bool) -> zbus::Result<()>;

    #[zbus(signal)]
    fn session_removed(&self, id: String, path: OwnedObjectPath) -> zbus::Result<()>;
}

/// Watches until the service ends. Never fails: what can't be watched is said in the log.
pub(crate) async fn watch(engine: Engine) {
    if let Err(error) = listen(&engine).await {
        tracing::info!(%error, "machines are not suspended when this computer shuts down: logind can't be asked");
    }
}

async fn listen(engine: &Engine) -> zbus::Result<()> {
    let bus = zbus::Connection::system().await?;
    let login = LoginProxy::new(&bus).await?;
    let mut shutdowns = login.receive_prepare_for_shutdown().await?;
    let mut removals = login.receive_session_removed().await?;
    let mut lock = Some(delay(&login).await?);
    tracing::info!("machines are suspended before this computer shuts down");
    loop {
        tokio::select! {
            Some(signal) = shutdowns.next() => {
                if signal.args()?.start {
                    if engine.suspends_at_shutdown() {
                        engine.suspend_all().await;
                    }
                    // Now it may go down.
                    lock = None;
                } else if lock.is_none() {
                    lock = Some(delay(&login).await?);
                }
            }
            Some(_) = removals.next() => {
                let user = rustix::process::getuid().as_raw();
                let mine = login.list_sessions().await?.into_iter().any(|(_, uid, ..)| uid == user);
                if !mine && engine.suspends_at_logout() {
                    engine.suspend_all().await;
                }
            }
            else => return Ok(()),
        }
    }
}

async fn delay(login: &LoginProxy<'_>) -> zbus::Result<OwnedFd> {
    login
        .inhibit("shutdown", "Nestbox", "Suspends running machines", "delay")
        .await
}
