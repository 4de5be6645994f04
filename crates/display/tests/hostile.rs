//! VNC servers that mean harm: no hang, no flood of memory, a reason each time.
#![allow(clippy::unwrap_used)]

mod support;

use nestbox_display::{ClientMessage, MessageKind};
use std::{future::Future, time::Duration};
use support::{Server, handshake, next_of, raw, read_client, resident, status};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{Instant, sleep, timeout},
};

/// Connects to `serve` and returns the reason the viewer is given.
async fn reason<F, R>(serve: F, within: Duration) -> String
where
    F: Fn(UnixStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let server = Server::new(serve);
    let display = server.display();
    let mut viewer = display.attach();
    timeout(within, status(&mut viewer, "lost"))
        .await
        .expect("a reason in time")
}

async fn hold(stream: UnixStream) {
    sleep(Duration::from_secs(60)).await;
    drop(stream);
}

#[tokio::test]
async fn silence_and_half_a_handshake_time_out() {
    let silent = tokio::spawn(reason(hold, Duration::from_secs(8)));
    let half = tokio::spawn(reason(
        |mut stream| async move {
            let _ = stream.write_all(b"RFB 003.008\n\x01").await;
            hold(stream).await;
        },
        Duration::from_secs(8),
    ));
    assert!(silent.await.unwrap().contains("fell silent"));
    assert!(half.await.unwrap().contains("fell silent"));
}

#[tokio::test]
async fn garbage_and_refusals_are_told() {
    let garbage = |mut stream: UnixStream| async move {
        let _ = stream.write_all(&[b'x'; 4096]).await;
        hold(stream).await;
    };
    assert!(reason(garbage, Duration::from_secs(8)).await.contains("VNC"));
    let no_security = |mut stream: UnixStream| async move {
        let _ = stream.write_all(b"RFB 003.008\n\x00\xff\xff\xff\xff").await;
        hold(stream).await;
    };
    assert!(!reason(no_security, Duration::from_secs(8)).await.is_empty());
    let closing = |stream: UnixStream| async move { drop(stream) };
    assert!(!reason(closing, Duration::from_secs(8)).await.is_empty());
}

#[tokio::test]
async fn huge_sizes_and_lengths_are_refused_without_memory() {
    let before = resident();
    let sizes = |mut stream: UnixStream| async move {
        handshake(&mut stream, u16::MAX, u16::MAX).await;
        hold(stream).await;
    };
    assert!(!reason(sizes, Duration::from_secs(8)).await.is_empty());
    let outside = |mut stream: UnixStream| async move {
        handshake(&mut stream, 64, 64).await;
        let _ = stream.write_all(&raw(60, 60, 8, 8, [0; 4])).await;
        hold(stream).await;
    };
    assert!(
        reason(outside, Duration::from_secs(8))
            .await
            .contains("makes no sense")
    );
    let clipboard = |mut stream: UnixStream| async move {
        handshake(&mut stream, 64, 64).await;
        let _ = stream.write_all(&[3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).await;
        hold(stream).await;
    };
    assert!(
        reason(clipboard, Duration::from_secs(8))
            .await
            .contains("makes no sense")
    );
    let unknown = |mut stream: UnixStream| async move {
        handshake(&mut stream, 64, 64).await;
        let _ = stream.write_all(&[0x99; 64]).await;
        hold(stream).await;
    };
    assert!(
        reason(unknown, Duration::from_secs(8))
            .await
            .contains("makes no sense")
    );
    assert!(
        resident() < before + 64 * 1024 * 1024,
        "{} → {}",
        before,
        resident()
    );
}

#[tokio::test]
async fn a_picture_that_never_comes_is_given_up() {
    let mute = |mut stream: UnixStream| async move {
        handshake(&mut stream, 800, 600).await;
        hold(stream).await;
    };
    assert!(
        reason(mute, Duration::from_secs(15))
            .await
            .contains("sends no picture")
    );
}

#[tokio::test]
async fn floods_stay_within_bounds_and_input_gets_through() {
    let (says, mut said) = tokio::sync::mpsc::unbounded_channel();
    let flood = move |mut stream: UnixStream| {
        let says = says.clone();
        async move {
            handshake(&mut stream, 1024, 768).await;
            let (mut reader, mut writer) = stream.into_split();
            tokio::spawn(async move {
                while let Ok(message) = read_client(&mut reader).await {
                    let _ = says.send(message);
                }
            });
            let mut burst = raw(0, 0, 1024, 768, [1, 2, 3, 0]);
            burst.extend_from_slice(&[2; 2000]); // bells
            burst.extend_from_slice(&[3, 0, 0, 0, 0, 0, 0, 3, b'a', b'b', b'c']);
            while writer.write_all(&burst).await.is_ok() {}
        }
    };
    let server = Server::new(flood);
    let display = server.display();
    let mut viewer = display.attach();
    let start = Instant::now();
    next_of(&mut viewer, MessageKind::Frame).await;
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "a frame that never ends is shown all the same"
    );
    let before = resident();
    let start = Instant::now();
    // The viewer takes nothing for a while, as a stuck browser would.
    sleep(Duration::from_secs(2)).await;
    viewer.handle(ClientMessage::Key {
        keysym: 0x7a,
        code: String::new(),
        down: true,
    });
    let pressed = async {
        while let Some(message) = said.recv().await {
            if message
                == (support::FromClient::Key {
                    down: true,
                    keysym: 0x7a,
                })
            {
                return;
            }
        }
    };
    timeout(Duration::from_secs(4), pressed)
        .await
        .expect("the key gets through the flood");
    let grown = resident().saturating_sub(before);
    assert!(
        grown < 160 * 1024 * 1024,
        "grew by {grown} in {:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_server_that_takes_no_input_is_left() {
    // Never reads after the handshake: requests and keys pile up until it is told from a live one.
    let server = Server::new(|mut stream: UnixStream| async move {
        handshake(&mut stream, 64, 64).await;
        stream.write_all(&raw(0, 0, 64, 64, [0; 4])).await.unwrap();
        hold(stream).await;
    });
    let display = server.display();
    let mut viewer = display.attach();
    status(&mut viewer, "connected").await;
    let input = viewer.input();
    let typing = tokio::spawn(async move {
        for n in 0..2_000_000_u32 {
            input.handle(ClientMessage::Key {
                keysym: 0x61 + n % 20,
                code: String::new(),
                down: n % 2 == 0,
            });
            if n % 500 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    let lost = timeout(Duration::from_secs(20), status(&mut viewer, "lost"))
        .await
        .expect("noticed");
    assert!(lost.contains("takes no input"), "{lost}");
    typing.abort();
}

#[tokio::test]
async fn a_lost_display_comes_back() {
    let server = Server::new(|mut stream: UnixStream| async move {
        handshake(&mut stream, 16, 16).await;
        stream.write_all(&raw(0, 0, 16, 16, [7, 7, 7, 0])).await.unwrap();
        let mut some = [0; 64];
        let _ = timeout(Duration::from_millis(400), async {
            while stream.read(&mut some).await.is_ok_and(|n| n > 0) {}
        })
        .await;
    });
    let display = server.display();
    let mut viewer = display.attach();
    for _ in 0..3 {
        status(&mut viewer, "connected").await;
        let lost = status(&mut viewer, "lost").await;
        assert!(
            lost.contains("closed its display") && lost.contains("\"retry_in\":0.25"),
            "{lost}"
        );
    }
}
