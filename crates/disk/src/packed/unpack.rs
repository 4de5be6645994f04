//! Unpacks into a private file: zeros become holes, free space is watched, and it can be cancelled.

use super::{Method, Stream, frame_content_size, open, undecodable};
use crate::{
    copy, refuse,
    source::{OpenFile, Source},
    work::{self, Control},
};
use nestbox_model::{Error, Result};
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};
use std::{
    io::{self, BufReader, ErrorKind, Read},
    os::unix::fs::FileExt,
    path::Path,
};

/// Largest content, bytes.
const LENGTH_MAX: u64 = 64 << 40;
/// Bytes between two looks at the free space.
const SPACE_EVERY: u64 = 256 << 20;
/// Data that is not zeros never shrinks by more, beyond the first GiB.
const RATIO_MAX: u64 = 2000;
const RATIO_FREE: u64 = 1 << 30;
const PAGE: usize = 4096;

/// Unpacks `file` into a nameless-to-be file beside `to`. Progress counts bytes of the result.
///
/// # Errors
/// `image-damaged`, `image-truncated`, `image-expands` (data, not zeros, out of all proportion), `image-too-large`,
/// `no-space`, `file-changed`, `cancelled`. Nothing is left behind.
pub(crate) fn unpack(
    file: &OpenFile,
    method: Method,
    to: &Path,
    control: &Control,
) -> Result<tempfile::NamedTempFile> {
    let (mut reader, claimed, _) = open(file, method)?;
    let temporary = copy::temporary_for(to)?;
    let out = temporary.as_file();
    let failed = |error: &io::Error| Error::io("unpack the file into the library", to, error);
    let folder = temporary.path().parent().unwrap_or(Path::new("/")).to_owned();
    control.add_total(claimed.unwrap_or(file.length()));
    let mut buffer = vec![0; 1 << 20];
    let (mut at, mut written, mut next_look) = (0u64, 0u64, 0u64);
    loop {
        control.go_on()?;
        let length = fill(&mut reader, &mut buffer).map_err(|error| undecodable(&error))?;
        if length == 0 {
            break;
        }
        for (index, page) in buffer[..length].chunks(PAGE).enumerate() {
            if page.iter().any(|byte| *byte != 0) {
                out.write_all_at(page, at + (index * PAGE) as u64)
                    .map_err(|error| failed(&error))?;
                written += page.len() as u64;
            }
        }
        at += length as u64;
        control.advance(length as u64);
        if at > LENGTH_MAX {
            return Err(refuse::too_large("it unpacks to more than 64 TiB"));
        }
        if written > RATIO_FREE + file.length().saturating_mul(RATIO_MAX) {
            return Err(refuse::unpacks_out_of_proportion());
        }
        if written >= next_look {
            work::need_space(&folder, SPACE_EVERY)?;
            next_look = written + SPACE_EVERY;
        }
    }
    out.set_len(at).map_err(|error| failed(&error))?;
    file.check_unchanged()?;
    Ok(temporary)
}

/// Fills as much of `buffer` as there is.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match reader.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(length) => done += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// All frames of a zstd file, one behind the other; those to be skipped are.
pub(super) struct ZstdFrames {
    source: BufReader<Stream>,
    decoder: FrameDecoder,
    inside: bool,
}

impl ZstdFrames {
    pub(super) fn new(source: BufReader<Stream>) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(super::WINDOW_MAX);
        Self {
            source,
            decoder,
            inside: false,
        }
    }

    /// Goes to the next frame with content; false at the end.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if io::BufRead::fill_buf(&mut self.source)?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(FrameDecoderError::WindowSizeTooBig { .. }) => {
                    return Err(ErrorKind::OutOfMemory.into());
                }
                Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error)),
            }
        }
    }

    fn checksum_fits(&self) -> bool {
        let stored = self.decoder.get_checksum_from_data();
        stored.is_none() || stored == self.decoder.get_calculated_checksum()
    }
}

impl Read for ZstdFrames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.inside && !self.next_frame()? {
                return Ok(0);
            }
            self.inside = true;
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            }
            let length = self.decoder.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            if !self.checksum_fits() {
                return Err(ErrorKind::InvalidData.into());
            }
            self.inside = false;
        }
    }
}

/// The length that the first frame claims, if it is no frame to be skipped.
pub(super) fn zstd_length(file: &OpenFile) -> Option<u64> {
    let head = file.piece_up_to(0, 18).ok()?;
    head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        .then(|| frame_content_size(&head))
        .flatten()
}
