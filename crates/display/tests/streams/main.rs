//! Recorded streams: ours and vnc-rs paint the same from them; damaged ones end with a reason and nothing else.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
#![cfg(unix)]

mod encoder;
mod painter;
mod recorded;
#[path = "../support.rs"]
mod support;

use encoder::{Dice, Encoder, compact, header, hello, update};
use painter::{Painted, oracle, ours};
use std::time::{Duration, Instant};
use tokio::{io::AsyncWriteExt, time::timeout};
use vnc::{VncEncoding, VncEvent};

const ENCODINGS: [VncEncoding; 6] = [
    VncEncoding::Tight,
    VncEncoding::Zrle,
    VncEncoding::Raw,
    VncEncoding::CopyRect,
    VncEncoding::CursorPseudo,
    VncEncoding::DesktopSizePseudo,
];

/// What vnc-rs paints from a stream that ends with a bell, which nothing else in it rings.
async fn theirs(stream: Vec<u8>) -> Painted {
    let (client, mut server) = tokio::io::duplex(1 << 20);
    let serving = tokio::spawn(async move {
        server.write_all(&stream).await.unwrap();
        server.write_all(&[2]).await.unwrap();
        let mut rest = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut server, &mut rest).await;
    });
    let client = oracle(client, &ENCODINGS).await;
    let mut painted = Painted::default();
    loop {
        let event = timeout(Duration::from_secs(10), client.recv_event()).await;
        match event.expect("no hang").unwrap() {
            VncEvent::Bell => break,
            event => painted.take_vnc(event),
        }
    }
    serving.abort();
    painted
}

fn same(ours: &Painted, theirs: &Painted, what: &str) {
    assert_eq!((ours.width, ours.height), (theirs.width, theirs.height), "{what}");
    let different = ours
        .pixels
        .iter()
        .zip(&theirs.pixels)
        .filter(|(a, b)| a != b)
        .count();
    assert_eq!(different, 0, "{what}: pixels differ");
    assert!(ours.cursor == theirs.cursor, "{what}: pointers differ");
}

#[tokio::test]
async fn every_kind_of_rectangle_is_painted_as_vnc_rs_paints_it() {
    for seed in 0..60 {
        let (width, height) = (17 + (seed * 13 % 200) as u16, 5 + (seed * 29 % 150) as u16);
        let mut encoder = Encoder::new(width, height, seed + 1);
        let mut stream = hello(width, height);
        let updates = 25;
        for _ in 0..updates {
            stream.extend(encoder.any());
        }
        let (painted, why) = ours(stream.clone()).await;
        assert!(why.contains("closed its display"), "seed {seed}: {why}");
        assert!(
            painted.frames <= updates && painted.frames > updates / 2,
            "one update, one frame"
        );
        same(&painted, &theirs(stream).await, &format!("seed {seed}"));
    }
}

#[tokio::test]
async fn sizes_change_within_a_stream() {
    let mut stream = hello(40, 30);
    for (width, height, seed) in [(64, 20, 7), (200, 100, 8), (1, 1, 9)] {
        stream.extend(update(&[header(0, 0, width, height, -223)]));
        let mut encoder = Encoder::new(width, height, seed);
        stream.extend(update(&[encoder.raw(), encoder.raw(), encoder.copy()]));
    }
    let (painted, _) = ours(stream.clone()).await;
    same(&painted, &theirs(stream).await, "sizes");
    // The other way of telling a size: with a list of screens.
    let mut screens = header(0, 0, 90, 50, -308);
    screens.extend([1, 0, 0, 0]);
    screens.extend([0; 16]);
    let mut refused = header(1, 3, 9, 9, -308);
    refused.extend([0, 0, 0, 0]);
    let mut stream = hello(40, 30);
    stream.extend(update(&[screens, refused]));
    let (painted, why) = ours(stream).await;
    assert_eq!((painted.width, painted.height), (90, 50), "{why}");
}

#[tokio::test]
async fn a_jpeg_rectangle_looks_like_what_was_packed() {
    let jpeg = include_bytes!("../data/gradient.jpg");
    let mut rect = header(3, 2, 32, 16, 7);
    rect.push(0x90);
    rect.extend(compact(jpeg.len()));
    rect.extend(jpeg);
    let mut stream = hello(40, 20);
    stream.extend(update(&[rect]));
    let (painted, why) = ours(stream).await;
    assert!(why.contains("closed its display"), "{why}");
    for y in 0..16 {
        for x in 0..32 {
            let expected = [x * 8, y * 16, 128].map(|channel: usize| channel as i32);
            let got = painted.pixels[(y + 2) * 40 + x + 3].map(i32::from);
            let off = (0..3).map(|c| (expected[c] - got[c]).abs()).max().unwrap();
            assert!(off <= 16, "{x},{y}: {got:?} for {expected:?}");
        }
    }
    assert_eq!(painted.pixels[0], [0; 3]);
}

/// Changes some bytes, cuts pieces out, or doubles them.
fn damage(stream: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..1 + dice.below(4) {
        let at = dice.below(stream.len() as u64) as usize;
        match dice.below(6) {
            0..3 => {
                let special = [0, 1, 0x7f, 0x80, 0xff, dice.next() as u8];
                stream[at] = special[dice.below(6) as usize];
            }
            3 => stream.truncate(at.max(1)),
            4 => drop(stream.drain(at..(at + dice.below(40) as usize).min(stream.len()))),
            _ => {
                let end = (at + dice.below(60) as usize).min(stream.len());
                let piece = stream[at..end].to_vec();
                stream.splice(at..at, piece);
            }
        }
        if stream.is_empty() {
            return;
        }
    }
}

#[tokio::test]
async fn damaged_streams_end_with_a_reason_in_bounded_time_and_memory() {
    let mut dice = Dice(20_261_124);
    let before = support::resident();
    let (start, mut longest, mut worst) = (Instant::now(), Duration::ZERO, 0);
    let mut ends = std::collections::BTreeMap::<String, usize>::new();
    for case in 0..2400_u64 {
        let mut encoder = Encoder::new(90, 70, case % 40 + 1);
        let mut stream = hello(90, 70);
        let opening = stream.len();
        for _ in 0..4 {
            stream.extend(encoder.any());
        }
        let mut others = header(0, 0, 9, 1, -314);
        others.extend([0; 40]);
        let mut lights = header(0, 0, 0, 0, -261);
        lights.push(7);
        stream.extend(update(&[
            others,
            lights,
            header(1, 0, 90, 70, -257),
            header(0, 0, 90, 70, -258),
        ]));
        stream.extend([3, 0, 0, 0, 0, 0, 0, 2, b'h', b'i', 2]);
        // Mostly after the handshake, which is short.
        if dice.below(8) == 0 {
            damage(&mut stream, &mut dice);
        } else {
            let mut rest = stream.split_off(opening);
            damage(&mut rest, &mut dice);
            stream.extend(rest);
        }
        let one = Instant::now();
        let end = drain(stream).await;
        longest = longest.max(one.elapsed());
        worst = worst.max(support::resident().saturating_sub(before));
        *ends.entry(end).or_default() += 1;
    }
    println!(
        "2400 streams in {:?}, the longest {longest:?}, {} KiB more memory: {ends:#?}",
        start.elapsed(),
        worst / 1024
    );
    assert!(worst < 96 << 20, "{worst} bytes more");
    assert!(ends.len() > 2, "more than one way to end: {ends:?}");
    assert!(
        ends.keys().all(|why| why.ends_with('.')),
        "a sentence each: {ends:?}"
    );
}

/// Takes all events and keeps none; the sentence at the end.
async fn drain(stream: Vec<u8>) -> String {
    use nestbox_display::{DisplaySession, PixelEncoding, RfbSession};
    let session = RfbSession::start(
        std::io::Cursor::new(stream),
        tokio::io::sink(),
        PixelEncoding::Raw,
    );
    let mut session = match session.await {
        Ok(session) => session,
        Err(error) if error.message.contains("refused:") => return "Refused with words.".into(),
        Err(error) => return error.message,
    };
    loop {
        match timeout(Duration::from_secs(20), session.next())
            .await
            .expect("no hang")
        {
            Ok(_) => {}
            Err(error) => return error.message,
        }
    }
}
