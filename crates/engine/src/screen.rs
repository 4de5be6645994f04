//! Pictures of the screen, live displays, and typing.

use crate::Engine;
use crate::machine::{Handle, MachineRef};
use nestbox_display::Display;
use nestbox_model::{Error, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A guest reads about 30 keys a second: more would be typed for minutes.
const TYPED_MAX_CHARS: usize = 2000;
/// Thumbnails are really taken at most this often.
const THUMBNAIL_EVERY: Duration = Duration::from_secs(1);

/// A thumbnail and when it was taken.
pub(crate) struct Thumbnail {
    taken: Instant,
    png: Arc<Vec<u8>>,
}

impl Engine {
    /// The screen as PNG, scaled down to `max_width` pixels if it is wider. Of a machine that is off: the last picture.
    ///
    /// # Errors
    /// `no-picture` when there never was one.
    pub async fn screenshot(&self, wanted: MachineRef<'_>, max_width: Option<u32>) -> Result<Vec<u8>> {
        let handle = self.find(wanted)?;
        let Ok(session) = handle.session() else {
            return self.last_picture(&handle);
        };
        let picture = self.grab(&session).await?;
        encode(picture, move |picture| {
            nestbox_display::encode_png(picture, max_width)
        })
        .await
    }

    /// A small picture for lists: at most 320 pixels wide, text consoles cropped to the text.
    pub async fn thumbnail(&self, wanted: MachineRef<'_>) -> Result<Arc<Vec<u8>>> {
        let handle = self.find(wanted)?;
        if let Some(thumbnail) = &handle.read().thumbnail
            && thumbnail.taken.elapsed() < THUMBNAIL_EVERY
        {
            return Ok(thumbnail.png.clone());
        }
        let Ok(session) = handle.session() else {
            return Ok(Arc::new(self.last_picture(&handle)?));
        };
        let picture = self.grab(&session).await?;
        let png = encode(picture, |picture| {
            nestbox_display::encode_png(&nestbox_display::thumbnail(picture), None)
        })
        .await?;
        // Kept for when the machine is off. A cache: no fsync, and failing to write it harms nothing.
        let path = self.folder(&handle.id).thumbnail();
        let scratch = path.with_extension("png.new");
        if std::fs::write(&scratch, &png)
            .and_then(|()| std::fs::rename(&scratch, &path))
            .is_err()
        {
            let _ = std::fs::remove_file(&scratch);
        }
        let png = Arc::new(png);
        handle.write().thumbnail = Some(Thumbnail {
            taken: Instant::now(),
            png: png.clone(),
        });
        Ok(png)
    }

    async fn grab(&self, session: &Arc<dyn nestbox_qemu::Session>) -> Result<image::RgbaImage> {
        let file = tempfile::Builder::new()
            .prefix("screen-")
            .suffix(".png")
            .tempfile_in(self.layout().run())
            .map_err(|e| Error::io("make room for a picture", self.layout().run(), &e))?;
        session.screenshot(file.path()).await?;
        let path = file.path().to_owned();
        let picture =
            tokio::task::spawn_blocking(move || image::open(&path).map(|picture| picture.into_rgba8()))
                .await
                .map_err(|e| {
                    Error::failed(
                        "internal",
                        format!("Reading the picture ended unexpectedly: {e}."),
                    )
                })?;
        picture.map_err(|e| {
            Error::failed(
                "no-picture",
                format!("The picture of the screen can't be read: {e}."),
            )
        })
    }

    fn last_picture(&self, handle: &Handle) -> Result<Vec<u8>> {
        std::fs::read(self.folder(&handle.id).thumbnail()).map_err(|_| {
            Error::not_found(
                "no-picture",
                format!(
                    "There is no picture of “{}”: it has not been on yet.",
                    handle.name()
                ),
            )
        })
    }

    /// Picture of a snapshot.
    pub fn snapshot_picture(&self, wanted: MachineRef<'_>, snapshot: &str) -> Result<Vec<u8>> {
        let handle = self.find(wanted)?;
        let (record, _) = self.find_snapshot(&handle, snapshot)?;
        let path = self.folder(&handle.id).snapshot(&record.id).screenshot();
        std::fs::read(&path)
            .map_err(|_| Error::not_found("no-picture", format!("“{}” has no picture.", record.name)))
    }

    /// The machine's live display, shared by everyone who looks at it.
    pub fn display(&self, wanted: MachineRef<'_>) -> Result<Display> {
        let handle = self.find(wanted)?;
        handle.session()?;
        let socket = self.layout().machine_run(&handle.id).vnc();
        let mut cell = handle.write();
        Ok(cell
            .display
            .get_or_insert_with(|| Display::connect(socket))
            .clone())
    }

    /// Types text as if on the guest's keyboard (US layout).
    ///
    /// # Errors
    /// `not-typable` (usage) names characters that have no key; the rest was typed.
    pub async fn type_text(&self, wanted: MachineRef<'_>, text: &str) -> Result<()> {
        if text.chars().count() > TYPED_MAX_CHARS {
            return Err(Error::usage(
                "text-too-long",
                format!("Typing takes at most {TYPED_MAX_CHARS} characters at once."),
            )
            .with_hint("Send it in parts, or copy a file in over SSH."));
        }
        let missing = self.find(wanted)?.session()?.type_text(text).await?;
        if missing.is_empty() {
            return Ok(());
        }
        let shown: String = missing.iter().take(10).collect();
        Err(Error::usage(
            "not-typable",
            format!("These characters have no key on a US keyboard and were left out: {shown}"),
        )
        .with_hint("Sign in over SSH to paste other scripts."))
    }

    /// Presses key combinations, one after the other.
    pub async fn send_keys(&self, wanted: MachineRef<'_>, chords: &[String]) -> Result<()> {
        self.find(wanted)?.session()?.send_keys(chords).await
    }
}

async fn encode(
    picture: image::RgbaImage,
    how: impl FnOnce(&image::RgbaImage) -> Result<Vec<u8>> + Send + 'static,
) -> Result<Vec<u8>> {
    tokio::task::spawn_blocking(move || how(&picture))
        .await
        .map_err(|e| {
            Error::failed(
                "internal",
                format!("Encoding the picture ended unexpectedly: {e}."),
            )
        })?
}
