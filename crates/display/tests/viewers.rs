//! Viewers against a small VNC server: frames, credit, input, several at once.
#![allow(clippy::unwrap_used)]

mod support;

use nestbox_display::{ClientMessage, Display, DisplayState, MessageKind, WsMessage, serve_viewer};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use support::{FromClient, Server, frame, handshake, next, next_of, raw, read_client, status};
use tokio::{
    io::AsyncWriteExt,
    net::UnixStream,
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

/// Serves a red picture, then one green pixel for each number sent to `draw`, on request; passes on what the client says.
/// `open` counts connections whose client has not left.
async fn serve(
    mut stream: UnixStream,
    mut draw: watch::Receiver<u16>,
    said: mpsc::UnboundedSender<FromClient>,
    open: Arc<AtomicUsize>,
) {
    open.fetch_add(1, Ordering::SeqCst);
    handshake(&mut stream, 64, 32).await;
    let (mut reader, mut writer) = stream.into_split();
    let (requests, mut requested) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(message) = read_client(&mut reader).await {
            if let FromClient::Request { incremental } = message {
                let _ = requests.send(incremental);
            } else if message != FromClient::Other {
                let _ = said.send(message);
            }
        }
        open.fetch_sub(1, Ordering::SeqCst);
    });
    while let Some(incremental) = requested.recv().await {
        if !incremental {
            writer
                .write_all(&raw(0, 0, 64, 32, [255, 0, 0, 0]))
                .await
                .unwrap();
        } else {
            if draw.changed().await.is_err() {
                return;
            }
            let x = *draw.borrow_and_update();
            writer.write_all(&raw(x, 5, 1, 1, [0, 255, 0, 0])).await.unwrap();
        }
    }
}

struct Scene {
    server: Server,
    draw: watch::Sender<u16>,
    said: mpsc::UnboundedReceiver<FromClient>,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

fn scene() -> Scene {
    let (draw, drawn) = watch::channel(0);
    let (says, said) = mpsc::unbounded_channel();
    let (connections, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, opened) = (Arc::clone(&connections), Arc::clone(&open));
    let server = Server::new(move |stream| {
        count.fetch_add(1, Ordering::SeqCst);
        serve(stream, drawn.clone(), says.clone(), Arc::clone(&opened))
    });
    Scene {
        server,
        draw,
        said,
        connections,
        open,
    }
}

#[tokio::test]
async fn a_viewer_gets_the_whole_picture_first_and_then_changes_one_frame_at_a_time() {
    let scene = scene();
    let display = scene.server.display();
    let mut viewer = display.attach();
    status(&mut viewer, "connecting").await;
    let resize = next_of(&mut viewer, MessageKind::Resize).await;
    assert_eq!(resize.bytes[2..], [64, 0, 32, 0]);
    let first = frame(&next_of(&mut viewer, MessageKind::Frame).await);
    assert_eq!(first.rects.len(), 1);
    let (x, y, width, height, pixels) = &first.rects[0];
    assert_eq!((*x, *y, *width, *height), (0, 0, 64, 32));
    assert_eq!(pixels[..8], [255, 0, 0, 255, 255, 0, 0, 255]);
    assert_eq!(display.status().state, DisplayState::Connected);
    // Three changes while the first frame is not acknowledged: nothing comes, then all at once.
    for x in [3, 4, 40] {
        scene.draw.send(x).unwrap();
        sleep(Duration::from_millis(60)).await;
    }
    let early = timeout(
        Duration::from_millis(200),
        next_of(&mut viewer, MessageKind::Frame),
    )
    .await;
    assert!(early.is_err(), "one frame in flight");
    viewer.handle(ClientMessage::Ack {
        sequence: first.sequence + 7,
    });
    assert!(
        timeout(Duration::from_millis(100), viewer.next()).await.is_err(),
        "a wrong number acknowledges nothing"
    );
    viewer.handle(ClientMessage::Ack {
        sequence: first.sequence,
    });
    let second = frame(&next_of(&mut viewer, MessageKind::Frame).await);
    assert_eq!(second.sequence, first.sequence + 1);
    let covers = |x: u16| {
        second
            .rects
            .iter()
            .any(|r| r.0 <= x && x < r.0 + r.2 && r.1 <= 5 && 5 < r.1 + r.3)
    };
    assert!([3, 4, 40].into_iter().all(covers), "{second:?}");
    assert_eq!(display.picture().unwrap().get_pixel(40, 5).0, [0, 255, 0, 255]);
    // What was lost comes again as a whole.
    viewer.handle(ClientMessage::Refresh);
    let again = frame(&next_of(&mut viewer, MessageKind::Frame).await);
    assert_eq!((again.rects[0].2, again.rects[0].3), (64, 32));
}

#[tokio::test]
async fn several_viewers_share_one_connection_and_a_slow_one_holds_nobody_up() {
    let scene = scene();
    let display = scene.server.display();
    let (mut quick, mut slow) = (display.attach(), display.attach());
    let mut sequence = frame(&next_of(&mut quick, MessageKind::Frame).await).sequence;
    next_of(&mut slow, MessageKind::Frame).await;
    for x in 1..20 {
        quick.handle(ClientMessage::Ack { sequence });
        scene.draw.send(x).unwrap();
        sequence = frame(&next_of(&mut quick, MessageKind::Frame).await).sequence;
    }
    assert_eq!(sequence, 20);
    let mut late = display.attach();
    assert_eq!(
        frame(&next_of(&mut late, MessageKind::Frame).await).rects[0].2,
        64,
        "a late one gets the whole"
    );
    assert_eq!(scene.connections.load(Ordering::SeqCst), 1);
    assert_eq!(display.viewers(), 3);
}

#[tokio::test]
async fn input_arrives_in_order_and_what_is_held_is_lifted() {
    let mut scene = scene();
    let display = scene.server.display();
    let mut viewer = display.attach();
    next_of(&mut viewer, MessageKind::Frame).await;
    // No frame is acknowledged and none is drawn: input must not wait for either.
    let key = |keysym, down| ClientMessage::Key {
        keysym,
        code: String::new(),
        down,
    };
    viewer.handle(key(0xffe3, true));
    viewer.handle(key(0x63, true));
    viewer.handle(ClientMessage::Pointer {
        x: -5.0,
        y: 1e9,
        buttons: 1,
    });
    viewer.handle(ClientMessage::Clipboard {
        text: "für dich".into(),
    });
    let expect = [
        FromClient::Key {
            down: true,
            keysym: 0xffe3,
        },
        FromClient::Key {
            down: true,
            keysym: 0x63,
        },
        FromClient::Pointer {
            buttons: 1,
            x: 0,
            y: 31,
        },
        FromClient::Text("für dich".into()),
    ];
    for expected in expect {
        let got = timeout(Duration::from_secs(2), scene.said.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(got, expected);
    }
    drop(viewer);
    let lifted = [
        FromClient::Key {
            down: false,
            keysym: 0x63,
        },
        FromClient::Key {
            down: false,
            keysym: 0xffe3,
        },
        FromClient::Pointer {
            buttons: 0,
            x: 0,
            y: 31,
        },
    ];
    for expected in lifted {
        let got = timeout(Duration::from_secs(2), scene.said.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(got, expected);
    }
}

#[tokio::test]
async fn nobody_looking_means_no_connection_and_the_last_handle_ends_it() {
    let scene = scene();
    let display = scene.server.display();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(scene.connections.load(Ordering::SeqCst), 0);
    assert!(display.picture().is_none());
    let picture = display.fresh_picture(Duration::from_secs(5)).await.unwrap();
    assert_eq!(
        (picture.dimensions(), picture.get_pixel(1, 1).0),
        ((64, 32), [255, 0, 0, 255])
    );
    // Again at once: the same connection, an unchanged picture.
    let start = Instant::now();
    assert!(display.fresh_picture(Duration::from_secs(5)).await.is_some());
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(scene.connections.load(Ordering::SeqCst), 1);
    assert_eq!(scene.open.load(Ordering::SeqCst), 1);
    drop(display);
    let left = async {
        while scene.open.load(Ordering::SeqCst) > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(2), left)
        .await
        .expect("the connection is closed");
}

#[tokio::test]
async fn an_unwatched_connection_is_closed_after_a_while_and_opened_again_when_needed() {
    let scene = scene();
    let display = scene.server.display();
    let mut viewer = display.attach();
    next_of(&mut viewer, MessageKind::Frame).await;
    drop(viewer);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(
        scene.open.load(Ordering::SeqCst),
        1,
        "kept for one who comes back soon"
    );
    sleep(Duration::from_secs(4)).await;
    assert_eq!(scene.open.load(Ordering::SeqCst), 0);
    assert!(display.picture().is_some(), "the last picture stays");
    let mut viewer = display.attach();
    next_of(&mut viewer, MessageKind::Frame).await;
    assert_eq!(scene.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_end_is_told_with_its_reason() {
    let scene = scene();
    let display = scene.server.display();
    let mut viewer = display.attach();
    next_of(&mut viewer, MessageKind::Frame).await;
    display.end("The machine was shut down.");
    assert!(
        status(&mut viewer, "ended")
            .await
            .contains("The machine was shut down.")
    );
    assert!(
        timeout(Duration::from_secs(1), viewer.next())
            .await
            .unwrap()
            .is_none()
    );
    let mut later = display.attach();
    assert!(status(&mut later, "ended").await.contains("shut down"));
    assert!(display.fresh_picture(Duration::from_secs(1)).await.is_none());
}

/// A WebSocket made of two channels.
struct Pipe {
    incoming: mpsc::UnboundedReceiver<WsMessage>,
    outgoing: mpsc::UnboundedSender<WsMessage>,
}

impl futures_util::Stream for Pipe {
    type Item = Result<WsMessage, ()>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.poll_recv(cx).map(|message| message.map(Ok))
    }
}

impl futures_util::Sink<WsMessage> for Pipe {
    type Error = ();
    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), ()>> {
        Poll::Ready(Ok(()))
    }
    fn start_send(self: Pin<&mut Self>, item: WsMessage) -> Result<(), ()> {
        self.outgoing.send(item).map_err(|_| ())
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), ()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), ()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_websocket_is_served_until_it_closes() {
    let mut scene = scene();
    let display = scene.server.display();
    let (to, incoming) = mpsc::unbounded_channel();
    let (outgoing, mut from) = mpsc::unbounded_channel();
    let served = tokio::spawn(serve_viewer(display.clone(), Pipe { incoming, outgoing }));
    let mut kinds = Vec::new();
    while !kinds.contains(&1) {
        let message = timeout(Duration::from_secs(5), from.recv())
            .await
            .unwrap()
            .unwrap();
        let WsMessage::Binary(bytes) = message else {
            panic!("{message:?}")
        };
        kinds.push(bytes[0]);
    }
    assert_eq!(kinds[0], 4, "status first");
    assert!(kinds.contains(&2));
    for text in [
        "not json",
        r#"{"type":"dance"}"#,
        r#"{"type":"key","keysym":65,"code":"KeyA","down":true}"#,
    ] {
        to.send(WsMessage::Text(text.into())).unwrap();
    }
    let got = timeout(Duration::from_secs(2), scene.said.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        got,
        FromClient::Key {
            down: true,
            keysym: 65
        }
    );
    to.send(WsMessage::Close).unwrap();
    timeout(Duration::from_secs(2), served).await.unwrap().unwrap();
    let got = timeout(Duration::from_secs(2), scene.said.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        got,
        FromClient::Key {
            down: false,
            keysym: 65
        },
        "lifted when it left"
    );
    assert_eq!(display.viewers(), 0);
}

#[tokio::test]
async fn a_missing_socket_is_said_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let display = Display::connect(dir.path().join("vnc.sock"));
    let mut viewer = display.attach();
    let lost = status(&mut viewer, "lost").await;
    assert!(
        lost.contains("not there yet") && lost.contains("\"retry_in\":0.25"),
        "{lost}"
    );
    let again = status(&mut viewer, "lost").await;
    assert!(again.contains("\"retry_in\":0.5"), "{again}");
    let message = next(&mut viewer).await;
    assert_eq!(message.kind, MessageKind::Status);
}
