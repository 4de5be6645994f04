//! The display: one connection while anyone looks, one picture, many viewers.

use crate::{
    CursorShape, PixelEncoding, Rect, RfbSocket, SessionEvent, SessionInput, SessionSource, Viewer,
    dirty::Dirty, framebuffer::Framebuffer, input::Input, session::DisplaySession,
};
use image::RgbaImage;
use nestbox_model::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};

/// Between two requests for changes while the picture moves. QEMU looks for changes every 30 ms, and slows down each time
/// it finds nobody asking; so it is asked ahead, more often than it looks.
const REQUEST_GAP: Duration = Duration::from_millis(12);
/// Between two requests while the picture stands: the first is still open, the next ones only mend what got lost.
const REQUEST_AGAIN: Duration = Duration::from_secs(1);
/// The picture stands after this.
const MOVING: Duration = Duration::from_millis(300);
/// How long the first whole picture may take.
const FIRST_PICTURE: Duration = Duration::from_secs(10);
/// How long a connection is kept after the last one looked.
const LINGER: Duration = Duration::from_secs(5);
/// Waits between attempts to connect, doubling.
const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// When a picture is asked for and the connection stands, how long nothing new means that nothing changed.
const UNCHANGED: Duration = Duration::from_millis(120);

/// Where a display's connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisplayState {
    /// Not yet, or no longer since nobody looked; on the way as soon as somebody does.
    Connecting,
    /// The picture is live.
    Connected,
    /// The connection broke; it is tried again.
    Lost,
    /// The machine is over; nothing more comes.
    Ended,
}

/// Where a display's connection stands, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DisplayStatus {
    /// State.
    pub state: DisplayState,
    /// Why, in words; empty while all is well.
    pub reason: String,
    /// Seconds until the next attempt, when lost.
    pub retry_in: Option<f64>,
}

impl DisplayStatus {
    fn plain(state: DisplayState) -> Self {
        Self {
            state,
            reason: String::new(),
            retry_in: None,
        }
    }
}

/// A machine's display. Clones share one connection, which exists only while somebody looks: an unwatched machine
/// costs nothing. Everything ends with the last clone and viewer.
#[derive(Clone)]
pub struct Display {
    pub(crate) handle: Arc<Handle>,
}

pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    /// Dropped with the last clone, which ends the task.
    _alive: watch::Sender<()>,
}

pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    /// Apart from the state, so that input never waits while a frame is copied.
    pub(crate) input: Mutex<Input>,
    /// Input is there, or somebody came or went.
    pub(crate) wake: Notify,
    /// Counts frames.
    frames: watch::Sender<u64>,
}

pub(crate) struct State {
    pub(crate) picture: Framebuffer,
    /// Microseconds since 1970 when the newest pixels came.
    pub(crate) captured_us: u64,
    pub(crate) cursor: Option<CursorShape>,
    /// The guest's pointer goes where it is put.
    pub(crate) absolute: bool,
    /// The guest's keyboard lights, where they were told.
    pub(crate) lights: Option<u8>,
    pub(crate) status: DisplayStatus,
    pub(crate) viewers: BTreeMap<u64, Outbox>,
    pub(crate) next_viewer: u64,
    /// Changed since the last frame end.
    changed: Dirty,
    /// Picture requests under way.
    wanting: usize,
    /// The whole picture was asked for anew.
    pub(crate) refresh: bool,
}

/// What one viewer has not been sent yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) status: bool,
    pub(crate) resized: bool,
    pub(crate) cursor: bool,
    pub(crate) pointer: bool,
    pub(crate) lights: bool,
    pub(crate) bell: bool,
    pub(crate) clipboard: Option<String>,
    pub(crate) dirty: Dirty,
    pub(crate) in_flight: Option<u32>,
    pub(crate) sequence: u32,
    pub(crate) notify: Arc<Notify>,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(crate) fn input(&self) -> MutexGuard<'_, Input> {
        self.input.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn set_status(&self, status: DisplayStatus) {
        let mut state = self.state();
        if state.status.state != DisplayState::Ended && state.status != status {
            state.status = status;
            state.each(|outbox| outbox.status = true);
        }
    }
    fn ended(&self) -> bool {
        self.state().status.state == DisplayState::Ended
    }
}

impl State {
    fn watched(&self) -> bool {
        !self.viewers.is_empty() || self.wanting > 0
    }
    fn each(&mut self, mut change: impl FnMut(&mut Outbox)) {
        for outbox in self.viewers.values_mut() {
            change(outbox);
            outbox.notify.notify_one();
        }
    }
}

impl Display {
    /// The display of one of our machines, behind its VNC socket. Returns at once; connecting begins when somebody looks. Must be
    /// called within a tokio runtime.
    pub fn connect(vnc_socket: PathBuf) -> Self {
        Self::over(RfbSocket {
            path: vnc_socket,
            pixels: PixelEncoding::Raw,
        })
    }

    /// The display behind any source of sessions. Must be called within a tokio runtime.
    pub fn over(source: impl SessionSource) -> Self {
        let (alive, gone) = watch::channel(());
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                picture: Framebuffer::default(),
                captured_us: 0,
                cursor: None,
                absolute: true,
                lights: None,
                status: DisplayStatus::plain(DisplayState::Connecting),
                viewers: BTreeMap::new(),
                next_viewer: 1,
                changed: Dirty::default(),
                wanting: 0,
                refresh: false,
            }),
            input: Mutex::default(),
            wake: Notify::new(),
            frames: watch::Sender::new(0),
        });
        let task = Task {
            shared: Arc::clone(&shared),
            gone,
        };
        tokio::spawn(task.run(source));
        Self {
            handle: Arc::new(Handle {
                shared,
                _alive: alive,
            }),
        }
    }

    /// A new viewer. It gets the status, and the whole picture as soon as there is one.
    pub fn attach(&self) -> Viewer {
        Viewer::new(self.clone())
    }

    /// Where the connection stands.
    pub fn status(&self) -> DisplayStatus {
        self.handle.shared.state().status.clone()
    }

    /// Width and height of the picture in pixels; zero before the first.
    pub fn size(&self) -> (u16, u16) {
        self.handle.shared.state().picture.size()
    }

    /// How many look.
    pub fn viewers(&self) -> usize {
        self.handle.shared.state().viewers.len()
    }

    /// The last picture there was, however old; live while somebody looks. `None` before the first whole one.
    pub fn picture(&self) -> Option<RgbaImage> {
        let state = self.handle.shared.state();
        if state.picture.is_whole() {
            state.picture.image()
        } else {
            None
        }
    }

    /// The picture as it is now, connecting for it if need be. `None` when there is none within `within`.
    pub async fn fresh_picture(&self, within: Duration) -> Option<RgbaImage> {
        let shared = &self.handle.shared;
        let mut frames = shared.frames.subscribe();
        let _wanting = Wanting::new(shared);
        let start = Instant::now();
        let deadline = start + within;
        loop {
            let (state, whole) = {
                let state = shared.state();
                (state.status.state, state.picture.is_whole())
            };
            let unchanged = start + UNCHANGED;
            let live = state == DisplayState::Connected && whole;
            if state == DisplayState::Ended {
                return None;
            }
            let until = if live { unchanged.min(deadline) } else { deadline };
            tokio::select! {
                changed = frames.changed() => {
                    changed.ok()?;
                    if shared.state().picture.is_whole() {
                        return self.picture();
                    }
                }
                () = sleep_until(until) => {
                    return if live { self.picture() } else { None };
                }
            }
        }
    }

    /// Says that the machine is over: viewers are told `reason` and get nothing more.
    pub fn end(&self, reason: &str) {
        let shared = &self.handle.shared;
        shared.set_status(DisplayStatus {
            state: DisplayState::Ended,
            reason: reason.to_owned(),
            retry_in: None,
        });
        shared.wake.notify_one();
        shared.frames.send_modify(|count| *count += 1);
    }
}

/// Keeps the connection up while a picture is asked for.
struct Wanting<'a>(&'a Shared);

impl<'a> Wanting<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.state().wanting += 1;
        shared.wake.notify_one();
        Self(shared)
    }
}

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.state().wanting -= 1;
        self.0.wake.notify_one();
    }
}

/// The one task of a display.
struct Task {
    shared: Arc<Shared>,
    gone: watch::Receiver<()>,
}

/// Why a conversation ended.
enum End {
    /// All clones are gone, or the machine is over.
    Over,
    /// Nobody looked.
    Unwatched,
    /// It broke.
    Lost(Error),
}

impl Task {
    async fn run(mut self, source: impl SessionSource) {
        let mut backoff = BACKOFF_MIN;
        loop {
            if !self.until_watched().await {
                return;
            }
            self.shared
                .set_status(DisplayStatus::plain(DisplayState::Connecting));
            let opened = tokio::select! {
                opened = source.open() => opened,
                _ = self.gone.changed() => return,
            };
            let end = match opened {
                Ok(session) => {
                    self.set_absolute(true);
                    self.converse(session).await
                }
                Err(error) => End::Lost(error),
            };
            // Keys meant for one connection are not for the next.
            self.shared.input().forget();
            match end {
                End::Over => return,
                End::Unwatched => {
                    self.shared
                        .set_status(DisplayStatus::plain(DisplayState::Connecting));
                    backoff = BACKOFF_MIN;
                }
                End::Lost(error) => {
                    if self.shared.status_was_connected() {
                        backoff = BACKOFF_MIN;
                    }
                    tracing::debug!(%error, details = ?error.details, "display lost");
                    self.shared.set_status(DisplayStatus {
                        state: DisplayState::Lost,
                        reason: error.message,
                        retry_in: Some(backoff.as_secs_f64()),
                    });
                    if !self.pause(backoff).await {
                        return;
                    }
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    /// Waits until somebody looks; false when it is over.
    async fn until_watched(&mut self) -> bool {
        loop {
            if self.shared.ended() {
                return false;
            }
            if self.shared.state().watched() {
                return true;
            }
            tokio::select! {
                () = self.shared.wake.notified() => {}
                _ = self.gone.changed() => return false,
            }
        }
    }

    /// Waits before the next attempt; false when it is over.
    async fn pause(&mut self, duration: Duration) -> bool {
        let until = Instant::now() + duration;
        loop {
            tokio::select! {
                () = sleep_until(until) => return true,
                () = self.shared.wake.notified() => {
                    // What is typed at a dead display goes nowhere.
                    self.shared.input().forget();
                    if self.shared.ended() {
                        return false;
                    }
                }
                _ = self.gone.changed() => return false,
            }
        }
    }

    async fn converse(&mut self, mut session: impl DisplaySession) -> End {
        let start = Instant::now();
        let mut whole = false;
        // The session asked for the first picture itself.
        let mut asked = start;
        let mut last_pixels = start;
        let mut unwatched_since: Option<Instant> = None;
        loop {
            let (watched, refresh) = {
                let mut state = self.shared.state();
                (state.watched(), std::mem::take(&mut state.refresh))
            };
            if refresh {
                if let Err(error) = session.send(SessionInput::Refresh).await {
                    return End::Lost(error);
                }
                asked = Instant::now();
            }
            unwatched_since = if watched {
                None
            } else {
                unwatched_since.or_else(|| Some(Instant::now()))
            };
            let moving = asked.saturating_duration_since(last_pixels) < MOVING;
            let ask_at = asked + if moving { REQUEST_GAP } else { REQUEST_AGAIN };
            tokio::select! {
                biased;
                _ = self.gone.changed() => return End::Over,
                () = self.shared.wake.notified() => {
                    if self.shared.ended() {
                        return End::Over;
                    }
                    if let Err(error) = self.send_input(&mut session).await {
                        return End::Lost(error);
                    }
                }
                event = session.next() => {
                    if matches!(event, Ok(SessionEvent::Pixels { .. } | SessionEvent::Copy { .. })) {
                        last_pixels = Instant::now();
                    }
                    match event.and_then(|event| self.apply(event)) {
                        Ok(frame_end) if frame_end => {
                            if !whole && self.shared.state().picture.is_whole() {
                                whole = true;
                                self.shared.set_status(DisplayStatus::plain(DisplayState::Connected));
                            }
                        }
                        Ok(_) => {}
                        Err(error) => return End::Lost(error),
                    }
                }
                () = sleep_until(ask_at), if watched => {
                    if let Err(error) = session.send(SessionInput::Update).await {
                        return End::Lost(error);
                    }
                    asked = Instant::now();
                }
                () = sleep_until(start + FIRST_PICTURE), if !whole => {
                    return End::Lost(Error::failed("display-lost", "The machine's display sends no picture."));
                }
                () = sleep_until(unwatched_since.unwrap_or(start) + LINGER), if unwatched_since.is_some() => {
                    return End::Unwatched;
                }
            }
        }
    }

    /// A new connection starts absolute and tells when the guest is not.
    fn set_absolute(&self, absolute: bool) {
        self.shared.input().absolute = absolute;
        let mut state = self.shared.state();
        if state.absolute != absolute {
            state.absolute = absolute;
            state.each(|outbox| outbox.pointer = true);
        }
    }

    async fn send_input(&self, session: &mut impl DisplaySession) -> Result<()> {
        loop {
            let next = self.shared.input().pop();
            match next {
                Some(input) => session.send(input).await?,
                None => return Ok(()),
            }
        }
    }

    /// Takes an event into the state; true at the end of a frame.
    fn apply(&self, event: SessionEvent) -> Result<bool> {
        let nonsense = |what: &str| {
            Error::failed(
                "display-lost",
                "The machine's display sent something that makes no sense.",
            )
            .with_detail("technical", what)
        };
        let mut state = self.shared.state();
        match event {
            SessionEvent::Size { width, height } => {
                let before = state.picture.size();
                state
                    .picture
                    .resize(width, height)
                    .ok_or_else(|| nonsense("a size of zero or beyond 8192"))?;
                if before != (width, height) {
                    state.changed.clear();
                    state.each(|outbox| {
                        outbox.resized = true;
                        outbox.dirty.clear();
                    });
                }
            }
            SessionEvent::Pixels { rect, pixels } => {
                state
                    .picture
                    .put(rect, &pixels)
                    .ok_or_else(|| nonsense("pixels beyond the picture"))?;
                state.touch(rect);
            }
            SessionEvent::Copy { to, from_x, from_y } => {
                state
                    .picture
                    .copy(to, from_x, from_y)
                    .ok_or_else(|| nonsense("a copy beyond the picture"))?;
                state.touch(to);
            }
            SessionEvent::FrameEnd => {
                for rect in state.changed.take() {
                    for outbox in state.viewers.values_mut() {
                        outbox.dirty.add(rect);
                    }
                }
                state.each(|_| ());
                drop(state);
                self.shared
                    .frames
                    .send_modify(|count| *count = count.wrapping_add(1));
                return Ok(true);
            }
            SessionEvent::Cursor(cursor) => {
                let sound = cursor.as_ref().is_none_or(|shape| {
                    shape.width <= 512
                        && shape.height <= 512
                        && shape.rgba.len() == usize::from(shape.width) * usize::from(shape.height) * 4
                });
                if sound && state.cursor != cursor {
                    state.cursor = cursor;
                    state.each(|outbox| outbox.cursor = true);
                }
            }
            SessionEvent::PointerMode { absolute } => {
                drop(state);
                self.set_absolute(absolute);
            }
            SessionEvent::Lights(lights) => {
                if state.lights != Some(lights) {
                    state.lights = Some(lights);
                    state.each(|outbox| outbox.lights = true);
                }
            }
            SessionEvent::Bell => state.each(|outbox| outbox.bell = true),
            SessionEvent::Clipboard(text) => state.each(|outbox| outbox.clipboard = Some(text.clone())),
        }
        Ok(false)
    }
}

impl State {
    fn touch(&mut self, rect: Rect) {
        self.changed.add(rect);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.captured_us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
    }
}

impl Shared {
    fn status_was_connected(&self) -> bool {
        self.state().status.state == DisplayState::Connected
    }
}
