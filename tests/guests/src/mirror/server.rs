//! The HTTP side: answers, ranges and faults, written by hand.

use super::{
    Fault, Request, Shared,
    layouts::{Image, Signing, sums_text},
    signing::{clearsign, sign, spoil},
};
use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// What a path answers with.
enum Answer {
    Bytes(Vec<u8>),
    Image(Image),
    Missing,
}

impl Shared {
    fn answer(&self, path: &str) -> Answer {
        let state = self.lock();
        if let Some(bytes) = state.files.get(path) {
            return Answer::Bytes(bytes.clone());
        }
        if let Some(image) = state.images.get(path) {
            return match state.fault {
                Fault::CurrentGone | Fault::CurrentImageGone if !image.place.pinned => Answer::Missing,
                _ => Answer::Image(image.clone()),
            };
        }
        let Some((folder, name)) = path.trim_start_matches('/').rsplit_once('/') else {
            return Answer::Missing;
        };
        let here: Vec<&Image> = state
            .images
            .values()
            .filter(|image| image.place.folder == folder)
            .collect();
        let by_sums = |name: &str| here.iter().find(|image| image.place.sums_file == name).copied();
        let by_signature = here
            .iter()
            .find(|i| i.place.signing == Signing::Detached && i.place.signature_file == name);
        let Some(one) = by_sums(name).or(by_signature.copied()) else {
            return Answer::Missing;
        };
        if state.fault == Fault::CurrentGone && !one.place.pinned {
            return Answer::Missing;
        }
        let sums = sums_text(&one.place, &here, &state.fault);
        let key = if state.fault == Fault::WrongKey {
            &self.stranger
        } else {
            &self.key
        };
        let expired = state.fault == Fault::ExpiredSignature;
        let made = if name == one.place.sums_file {
            match one.place.signing {
                Signing::Clearsigned if state.fault != Fault::MissingSignature => {
                    clearsign(key, &sums).map(|text| spoil(&state.fault, one, text))
                }
                _ => Ok(spoil(&state.fault, one, sums)),
            }
        } else if state.fault == Fault::MissingSignature {
            return Answer::Missing;
        } else {
            sign(key, sums.as_bytes(), expired)
        };
        made.map_or(Answer::Missing, |text| Answer::Bytes(text.into_bytes()))
    }
}

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let shared = shared.clone();
        connections.spawn(async move {
            // A client that goes away is no news here.
            let _ = talk(stream, &shared).await;
        });
    }
}

/// One request; then the connection is closed.
async fn talk(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut path, mut range, mut condition) = (String::new(), None, None);
    for number in 0..200 {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if number == 0 {
            path = line
                .split(' ')
                .nth(1)
                .unwrap_or("/")
                .split('?')
                .next()
                .unwrap_or("/")
                .to_owned();
        } else if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "range" => range = Some(value.trim().to_owned()),
                "if-range" => condition = Some(value.trim().to_owned()),
                _ => {}
            }
        }
    }
    let mut stream = stream.into_inner();
    let fault = shared.lock().fault.clone();
    let sent = match (&fault, shared.answer(&path)) {
        (Fault::Status(status), _) => plain(&mut stream, *status, "text/plain", b"no").await?,
        (Fault::HtmlEverything, _) => plain(&mut stream, 200, "text/html", WEB_PAGE).await?,
        (_, Answer::Missing) => plain(&mut stream, 404, "text/html", b"<html>not here</html>").await?,
        (_, Answer::Bytes(bytes)) => plain(&mut stream, 200, "text/plain", &bytes).await?,
        (_, Answer::Image(image)) => {
            // Counted when it comes, so that who has the last byte finds it counted.
            let number = {
                let mut state = shared.lock();
                state.requests.push(Request {
                    path: path.clone(),
                    range: range.clone(),
                    sent: 0,
                });
                state.requests.len() - 1
            };
            let sent = send_image(
                &mut stream,
                shared,
                &image,
                &path,
                range.as_deref(),
                condition.as_deref(),
            )
            .await;
            let bytes = *sent.as_ref().unwrap_or(&0);
            if let Some(request) = shared.lock().requests.get_mut(number) {
                request.sent = bytes;
            }
            return sent.map(|_| ());
        }
    };
    shared.lock().requests.push(Request { path, range, sent });
    stream.shutdown().await
}

const WEB_PAGE: &[u8] = b"<!DOCTYPE html>\n<html><body>Please sign in to this network.</body></html>\n";

async fn plain(stream: &mut TcpStream, status: u16, kind: &str, body: &[u8]) -> io::Result<u64> {
    let head = format!(
        "HTTP/1.1 {status} Mirror\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    Ok(body.len() as u64)
}

/// Takes one occurrence of a counted fault.
fn take_break(shared: &Shared) -> Option<(u64, bool)> {
    let mut state = shared.lock();
    match &mut state.fault {
        Fault::Drop { after, times } | Fault::DropWithoutRanges { after, times } if *times > 0 => {
            *times -= 1;
            Some((*after, false))
        }
        Fault::Silent { after, times } if *times > 0 => {
            *times -= 1;
            Some((*after, true))
        }
        _ => None,
    }
}

async fn send_image(
    stream: &mut TcpStream,
    shared: &Shared,
    image: &Image,
    path: &str,
    range: Option<&str>,
    condition: Option<&str>,
) -> io::Result<u64> {
    let fault = shared.lock().fault.clone();
    match fault {
        Fault::HtmlImage(as_html) => {
            let kind = if as_html {
                "text/html"
            } else {
                "application/octet-stream"
            };
            return plain(stream, 200, kind, WEB_PAGE).await;
        }
        Fault::RedirectLoop => {
            let head = format!(
                "HTTP/1.1 302 Mirror\r\nlocation: {path}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
            return Ok(0);
        }
        _ => {}
    }
    let mut file = std::fs::File::open(&image.source)?;
    let real = file.metadata()?.len();
    let size = match fault {
        Fault::Truncated(short) => real.saturating_sub(short),
        _ => real,
    };
    let etag = format!("\"{}\"", &image.sha256[..16]);
    let ranges = !matches!(fault, Fault::NoRanges | Fault::DropWithoutRanges { .. });
    let start = range
        .filter(|_| ranges && condition.is_none_or(|tag| tag == etag))
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse::<u64>()
                .ok()
        });
    if start.is_some_and(|start| start >= size) {
        let head = format!(
            "HTTP/1.1 416 Mirror\r\ncontent-range: bytes */{size}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        return Ok(0);
    }
    let from = start.unwrap_or(0);
    let length = match fault {
        Fault::LyingLength(off) => (size - from).saturating_add_signed(off),
        _ => size - from,
    };
    let first = match start {
        Some(start) => format!("206 Mirror\r\ncontent-range: bytes {start}-{}/{size}", size - 1),
        None => "200 Mirror".to_owned(),
    };
    let accept = if ranges { "\r\naccept-ranges: bytes" } else { "" };
    let head = format!(
        "HTTP/1.1 {first}\r\ncontent-type: application/octet-stream{accept}\r\netag: {etag}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let broken = take_break(shared);
    let end = broken.map_or(size, |(after, _)| size.min(from + after));
    file.seek(SeekFrom::Start(from))?;
    let mut at = from;
    let began = std::time::Instant::now();
    let mut buffer = vec![0; 64 << 10];
    while at < end {
        let rate = shared.lock().rate;
        let most = rate.map_or(buffer.len() as u64, |rate| {
            (rate / 20).clamp(1, buffer.len() as u64)
        });
        let want = usize::try_from(most.min(end - at)).unwrap_or(1);
        let n = file.read(&mut buffer[..want])?;
        if n == 0 {
            break;
        }
        if fault == Fault::TamperedImage && (at..at + n as u64).contains(&(real / 2)) {
            let index = usize::try_from(real / 2 - at).unwrap_or(0);
            buffer[index] ^= 0xff;
        }
        stream.write_all(&buffer[..n]).await?;
        at += n as u64;
        if let Some(rate) = rate.filter(|rate| *rate > 0) {
            let due = Duration::from_secs_f64((at - from) as f64 / rate as f64);
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        }
    }
    stream.flush().await?;
    match broken {
        Some((_, true)) => tokio::time::sleep(Duration::from_secs(120)).await,
        Some(_) => {}
        None => stream.shutdown().await?,
    }
    Ok(at - from)
}
