//! Watches a VNC socket for some seconds and says what a viewer would get: frames a second, bytes, processor time.
//!
//! `cargo run -p nestbox-display --example watch -- SOCKET SECONDS [CLIENT]`, CLIENT: raw (default), zrle, tight, jpeg, or vnc-rs.
//! With `--json` behind: one line of figures.
#![allow(clippy::print_stdout)]

use nestbox_display::{ClientMessage, Display, MessageKind, PixelEncoding, RfbSocket, VncSocket};
use std::{
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Seconds of processor time of this process.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

fn open(path: PathBuf, client: &str) -> Display {
    let pixels = match client {
        "vnc-rs" => return Display::over(VncSocket { path }),
        "zrle" => PixelEncoding::Zrle,
        "tight" => PixelEncoding::Tight,
        "jpeg" => PixelEncoding::TightJpeg,
        _ => PixelEncoding::Raw,
    };
    Display::over(RfbSocket { path, pixels })
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(socket), Some(seconds)) = (arguments.next(), arguments.next().and_then(|s| s.parse().ok()))
    else {
        println!("usage: watch SOCKET SECONDS [raw|zrle|tight|jpeg|vnc-rs] [--json]");
        return;
    };
    let rest: Vec<String> = arguments.collect();
    let json = rest.iter().any(|argument| argument == "--json");
    let display = open(socket.into(), rest.first().map_or("raw", String::as_str));
    let mut viewer = display.attach();
    let deadline = tokio::time::Instant::now() + Duration::from_secs_f64(seconds);
    let (start, processor) = (Instant::now(), processor_seconds());
    let (mut frames, mut bytes, mut ages) = (0_u32, 0_usize, Vec::new());
    while let Ok(Some(message)) = tokio::time::timeout_at(deadline, viewer.next()).await {
        bytes += message.bytes.len();
        match message.kind {
            MessageKind::Frame => {
                let field =
                    |range: std::ops::Range<usize>| message.bytes.get(range).unwrap_or_default().to_vec();
                let sequence = u32::from_le_bytes(field(4..8).try_into().unwrap_or_default());
                let captured = u64::from_le_bytes(field(8..16).try_into().unwrap_or_default());
                let now = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default()
                    .as_micros();
                ages.push(now.saturating_sub(u128::from(captured)));
                frames += 1;
                viewer.handle(ClientMessage::Ack { sequence });
            }
            MessageKind::Status if !json => println!(
                "{}",
                String::from_utf8_lossy(message.bytes.get(1..).unwrap_or_default())
            ),
            _ => {}
        }
    }
    let took = start.elapsed().as_secs_f64();
    ages.sort_unstable();
    if json {
        let used = processor_seconds() - processor;
        println!("{{\"frames\": {frames}, \"seconds\": {took}, \"bytes\": {bytes}, \"processor\": {used}}}");
        return;
    }
    println!(
        "{:?}: {:.1} frames/s, {:.1} MB/s, age of pixels p50 {} µs, processor {:.2} % of one core",
        display.size(),
        f64::from(frames) / took,
        bytes as f64 / took / 1e6,
        ages.get(ages.len() / 2).copied().unwrap_or(0),
        (processor_seconds() - processor) / took * 100.0
    );
}
