//! Our own client against servers that mean harm: each one ends with a reason or is borne, within bounds of time and
//! memory. One connection a case; the servers don't listen, they only talk.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
#![cfg(unix)]

mod support;

use nestbox_display::{DisplaySession, PixelEncoding, RfbSession, SessionEvent};
use std::time::Duration;
use tokio::{
    io::AsyncWriteExt,
    net::UnixStream,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// What a case must come to.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It ends, and the sentence or its technical detail holds this.
    Told(&'static str),
    /// It is borne: nothing happens to the connection.
    Borne,
}
use End::{Borne, Told};

const NONSENSE: End = Told("makes no sense");

struct Case {
    name: &'static str,
    /// Sent at once.
    opening: Vec<u8>,
    /// Sent again and again until the client leaves, at most 48 MiB.
    then: Vec<u8>,
    /// The connection is closed after that.
    closes: bool,
    end: End,
}

fn raw_case(name: &'static str, opening: impl Into<Vec<u8>>, end: End) -> Case {
    Case {
        name,
        opening: opening.into(),
        then: Vec::new(),
        closes: false,
        end,
    }
}

/// A case after a sound handshake for 640 × 480.
fn case(name: &'static str, after: impl Into<Vec<u8>>, end: End) -> Case {
    let mut opening = init(640, 480, b"QEMU (bad)", None);
    opening.extend(after.into());
    raw_case(name, opening, end)
}

impl Case {
    fn then(mut self, then: impl Into<Vec<u8>>) -> Self {
        self.then = then.into();
        self
    }
    fn closes(mut self) -> Self {
        self.closes = true;
        self
    }
}

const VERSION: &[u8] = b"RFB 003.008\n";

fn init(width: u16, height: u16, name: &[u8], length: Option<u32>) -> Vec<u8> {
    with_format(
        width,
        height,
        [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0],
        name,
        length,
    )
}

fn with_format(width: u16, height: u16, format: [u8; 16], name: &[u8], length: Option<u32>) -> Vec<u8> {
    let mut bytes = [VERSION, &[1, 1, 0, 0, 0, 0]].concat();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(format);
    bytes.extend(length.unwrap_or(name.len() as u32).to_be_bytes());
    bytes.extend(name);
    bytes
}

fn rect(x: u16, y: u16, width: u16, height: u16, encoding: i32, data: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [x, y, width, height] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(encoding.to_be_bytes());
    bytes.extend(data.as_ref());
    bytes
}

fn update(rects: &[Vec<u8>]) -> Vec<u8> {
    counted(rects.len() as u16, &rects.concat())
}

fn counted(count: u16, rects: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(count.to_be_bytes());
    bytes.extend(rects);
    bytes
}

fn pixels(count: usize) -> Vec<u8> {
    [0x20, 0x40, 0x60, 0].repeat(count)
}

fn noise(length: usize) -> Vec<u8> {
    let mut seed = 9_u32;
    (0..length)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .collect()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A rectangle of ZRLE with these packed bytes.
fn zrle(width: u16, height: u16, packed: &[u8]) -> Vec<u8> {
    let mut data = (packed.len() as u32).to_be_bytes().to_vec();
    data.extend(packed);
    update(&[rect(0, 0, width, height, 16, data)])
}

fn tile(plain: &[u8]) -> Vec<u8> {
    zrle(64, 64, &zlib(plain))
}

fn tight(parts: &[&[u8]]) -> Vec<u8> {
    update(&[rect(0, 0, 64, 64, 7, parts.concat())])
}

fn compact(length: usize) -> [u8; 3] {
    [
        length as u8 | 128,
        (length >> 7) as u8 | 128,
        (length >> 14) as u8,
    ]
}

fn handshakes() -> Vec<Case> {
    let silent = "fell silent";
    vec![
        raw_case("silent", [], Told(silent)),
        raw_case("bad version", *b"RFB 999.999\n", Told("VNC")),
        raw_case("garbage version", *b"SSH-2.0-OpenSSH\r\n", Told("VNC")),
        raw_case("version without newline", *b"RFB 003.008 ", Told("VNC")),
        raw_case("an old version", *b"RFB 003.003\n\0\0\0\x01", Told("too old")),
        raw_case("endless handshake", VERSION, Told("without a reason")).then([0; 4096]),
        raw_case("half a version", *b"RFB 003", Told(silent)),
        raw_case(
            "no security",
            [VERSION, &[0], &[0xff; 4], b"reason"].concat(),
            Told("without a reason"),
        ),
        raw_case(
            "2 GiB of reason",
            [VERSION, &[0, 0x7f, 0xff, 0xff, 0xff]].concat(),
            Told("without a reason"),
        )
        .then([b'A'; 65536]),
        raw_case(
            "a reason with tricks",
            [VERSION, b"\0\0\0\0\x08no\x1b[31m!"].concat(),
            Told("refused: no[31m!"),
        ),
        raw_case(
            "every security type but ours",
            [VERSION, &[254], &(2..=255).collect::<Vec<u8>>()].concat(),
            Told("password"),
        ),
        raw_case("a password", [VERSION, &[1, 2]].concat(), Told("password")),
        raw_case(
            "a refusal after all",
            [VERSION, &[1, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xf0], b"x"].concat(),
            Told("refused"),
        ),
        raw_case(
            "an unknown result",
            [VERSION, &[1, 1, 0, 0, 0, 77]].concat(),
            Told(silent),
        ),
        raw_case("the largest size", init(65535, 65535, b"", None), Told("size")),
        raw_case("no size", init(0, 0, b"", None), Told("size")),
        raw_case("2 GiB of name", init(640, 480, b"x", Some(0x7fff_ffff)), NONSENSE).then([b'N'; 65536]),
        raw_case(
            "an evil name",
            init(640, 480, b"<img src=x onerror=alert(1)>\xff\xfe\0\x1b[31m", None),
            Borne,
        ),
        raw_case(
            "no bits a pixel",
            with_format(640, 480, [0; 16], b"", None),
            Borne,
        ),
        raw_case(
            "shifts beyond the pixel",
            with_format(640, 480, [255; 16], b"", None),
            Borne,
        ),
    ]
}

fn rectangles() -> Vec<Case> {
    let mut many = counted(65535, &rect(0, 0, 1, 1, 0, pixels(1)).repeat(65535));
    many.push(2);
    vec![
        case(
            "far outside",
            update(&[rect(60000, 60000, 64, 64, 0, pixels(4096))]),
            NONSENSE,
        ),
        case(
            "over the edge",
            update(&[rect(600, 470, 64, 64, 0, pixels(4096))]),
            NONSENSE,
        ),
        case(
            "wrapping round",
            update(&[rect(65535, 65535, 65535, 65535, 0, [])]),
            NONSENSE,
        )
        .then([0; 65536]),
        case("65535 rectangles", many, Borne),
        case(
            "empty rectangles",
            update(&[
                rect(0, 0, 0, 480, 0, []),
                rect(0, 0, 640, 0, 0, []),
                rect(0, 0, 0, 0, 16, [0; 4]),
            ]),
            Borne,
        ),
        case(
            "a short rectangle",
            update(&[rect(0, 0, 640, 480, 0, pixels(100))]),
            Told("stopped in the middle"),
        ),
        case(
            "a short rectangle and gone",
            update(&[rect(0, 0, 640, 480, 0, pixels(100))]),
            Told("closed"),
        )
        .closes(),
        case("half a header and gone", [0, 0, 0, 1, 0, 0, 0], Told("closed")).closes(),
        case(
            "an unknown encoding",
            update(&[rect(0, 0, 64, 64, 0x7f7f_7f7f, noise(4096))]),
            NONSENSE,
        ),
        case("RRE", update(&[rect(0, 0, 64, 64, 2, [0xff; 8])]), NONSENSE),
        case("hextile", update(&[rect(0, 0, 16, 16, 5, [14, 0, 0])]), NONSENSE),
        case(
            "zlib",
            update(&[rect(0, 0, 16, 16, 6, [0x80, 0, 0, 0])]),
            NONSENSE,
        ),
        case(
            "an unknown message",
            [&[0xee][..], &noise(4096)].concat(),
            NONSENSE,
        ),
        case(
            "a copy from outside",
            update(&[rect(0, 0, 640, 480, 1, [0xfd, 0xe8, 0xfd, 0xe8])]),
            NONSENSE,
        ),
        case(
            "a copy over itself",
            update(&[rect(1, 1, 639, 479, 1, [0; 4])]),
            Borne,
        ),
        case(
            "last rectangle, not asked for",
            counted(65535, &rect(0, 0, 0, 0, -224, [])),
            NONSENSE,
        ),
        case("never a picture", [], Borne),
        case(
            "a good one",
            update(&[rect(0, 0, 640, 480, 0, pixels(640 * 480))]),
            Borne,
        ),
    ]
}

fn packed() -> Vec<Case> {
    let bomb = zlib(&vec![0; 64 << 20]);
    let length = |length: u32| update(&[rect(0, 0, 640, 480, 16, length.to_be_bytes())]);
    let jpeg = |data: &[u8]| tight(&[&[0x90], &compact(data.len()), data]);
    let huge = b"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00\xff\xd9";
    vec![
        case("ZRLE of −1 bytes", length(u32::MAX), NONSENSE).then(noise(65536)),
        case("ZRLE of 2 GiB", length(i32::MAX as u32), NONSENSE).then(noise(65536)),
        case("a ZRLE bomb", zrle(64, 64, &bomb), NONSENSE),
        case(
            "a ZRLE bomb behind a tile",
            tile(&[&[1, 1, 2, 3][..], &vec![0; 32 << 20]].concat()),
            Told("holds more"),
        ),
        case(
            "ZRLE garbage",
            zrle(64, 64, &[noise(4096), vec![0xff; 64]].concat()),
            NONSENSE,
        ),
        case(
            "a run of 25 million",
            tile(&[&[128, 1, 2, 3][..], &[255; 100_000], &[0]].concat()),
            Told("beyond its tile"),
        ),
        case(
            "a colour beyond the palette",
            tile(&[&[130, 1, 2, 3, 1, 2, 3, 255][..], &[255; 100], &[0]].concat()),
            Told("palette"),
        ),
        case(
            "packed colours beyond the palette",
            tile(&[&[3, 1, 2, 3, 4, 5, 6, 7, 8, 9][..], &[0xff; 1024]].concat()),
            Told("palette"),
        ),
        case(
            "a reserved kind of tile",
            tile(&[&[17][..], &[0; 1000]].concat()),
            Told("tile of kind 17"),
        ),
        case(
            "a kind of tile without a palette",
            tile(&[&[129][..], &[0; 1000]].concat()),
            Told("tile of kind 129"),
        ),
        case(
            "a short tile",
            tile(&[&[0][..], &[1; 30]].concat()),
            Told("holds less"),
        ),
        case(
            "a Tight bomb",
            tight(&[&[0], &compact(bomb.len()), &bomb]),
            Told("holds more"),
        ),
        case(
            "a Tight length of 4 MiB",
            tight(&[&[0, 0xff, 0xff, 0xff], &noise(1000)]),
            Told("stopped in the middle"),
        ),
        case(
            "a Tight control of 15",
            tight(&[&[0xf0], &noise(1000)]),
            Told("kind 15"),
        ),
        case("Tight with PNG", tight(&[&[0xa0], &noise(1000)]), Told("kind 10")),
        case("a Tight filter of 9", tight(&[&[0x40, 9]]), Told("filter 9")),
        case(
            "Tight palette noise",
            tight(&[&[0x40, 1, 255], &[7; 768], &compact(1000), &noise(1000)]),
            NONSENSE,
        ),
        case(
            "Tight gradient noise",
            tight(&[&[0x40, 2], &compact(1000), &noise(1000)]),
            NONSENSE,
        ),
        case(
            "a damaged JPEG",
            jpeg(&[b"\xff\xd8\xff\xe0", &noise(1996)[..]].concat()),
            Told("JPEG"),
        ),
        case("a JPEG that says 65535 a side", jpeg(huge), Told("JPEG")),
        case("an empty JPEG", jpeg(b""), Told("JPEG")),
    ]
}

fn others() -> Vec<Case> {
    let text = |length: u32| [&[3, 0, 0, 0][..], &length.to_be_bytes()].concat();
    let resizes: Vec<u8> = (0..20000_u32)
        .flat_map(|n| {
            let side = |factor: u32| (1 + n * factor % 4000) as u16;
            update(&[rect(0, 0, side(37), side(91), -223, [])])
        })
        .collect();
    let tricks = b"\x1b]52;c;cm0gLXJmIH4K\x07\0\r\nrm -rf ~\n\xff\xfe";
    let screens = |count: u8| [&[count, 0, 0, 0][..], &[0xff; 16].repeat(usize::from(count))].concat();
    let long = 1 << 20;
    vec![
        case(
            "the largest resize",
            update(&[rect(0, 0, 65535, 65535, -223, [])]),
            NONSENSE,
        ),
        case(
            "a resize to nothing",
            update(&[rect(0, 0, 0, 0, -223, [])]),
            NONSENSE,
        ),
        case("20000 resizes", resizes, Borne),
        case(
            "a rectangle of the old size",
            update(&[rect(0, 0, 64, 64, -223, []), rect(0, 0, 640, 480, 0, pixels(10))]),
            NONSENSE,
        ),
        case(
            "255 screens",
            update(&[rect(1, 0, 800, 600, -308, screens(255))]),
            Borne,
        ),
        case(
            "no screens",
            update(&[rect(1, 0, 800, 600, -308, screens(0))]),
            Borne,
        ),
        case(
            "a huge pointer",
            update(&[rect(65535, 65535, 65535, 65535, -239, [])]),
            NONSENSE,
        )
        .then([0; 65536]),
        case(
            "a pointer that points outside",
            update(&[rect(
                500,
                500,
                16,
                16,
                -239,
                [pixels(256), vec![255; 32]].concat(),
            )]),
            Borne,
        ),
        case(
            "a packed pointer",
            update(&[rect(
                0,
                0,
                16,
                16,
                -314,
                [&[0, 0, 0, 99][..], &pixels(256)].concat(),
            )]),
            NONSENSE,
        ),
        case(
            "a huge pointer with alpha",
            update(&[rect(0, 0, 65535, 65535, -314, [])]),
            NONSENSE,
        )
        .then([0; 65536]),
        case(
            "a name of 4 GiB",
            update(&[rect(0, 0, 0, 0, -307, [0xff, 0xff, 0xff, 0xf0, b'x'])]),
            NONSENSE,
        ),
        case("all lights", update(&[rect(0, 0, 0, 0, -261, [0xff])]), Borne),
        case(
            "keys by place twice",
            update(&[rect(0, 0, 0, 0, -258, []), rect(0, 0, 0, 0, -258, [])]),
            Borne,
        ),
        case("2 GiB of text", text(i32::MAX as u32), NONSENSE).then([b'C'; 65536]),
        case("text of a negative length", text(-8_i32 as u32), NONSENSE),
        case(
            "a megabyte of text",
            [text(long), vec![b'x'; long as usize], vec![2]].concat(),
            Borne,
        ),
        case(
            "text with tricks",
            [&text(tricks.len() as u32)[..], tricks].concat(),
            Borne,
        ),
        case(
            "100000 texts",
            [text(8), b"12345678".to_vec()].concat().repeat(100_000),
            Borne,
        ),
        case("bells without end", [], Borne).then([2; 65536]),
        case(
            "a colour map",
            [&[1, 0, 0xfd, 0xe8, 0xff, 0xff][..], &[0; 6000]].concat(),
            Told("stopped in the middle"),
        ),
        case(
            "a whole colour map",
            [&[1, 0, 0, 0, 0, 4][..], &[0; 24], &[2]].concat(),
            Borne,
        ),
        case("updates without end", [], Borne).then(update(&[rect(0, 0, 64, 64, 0, pixels(4096))]).repeat(4)),
        case("sound", [0xff, 1, 0, 2, 0xff, 0xff, 0xff, 0xf0], NONSENSE),
    ]
}

/// Plays a case and says how it ended, and how many bytes of pixels and text came of it.
async fn play(case: &Case) -> (Option<String>, u64) {
    let (client, mut server) = UnixStream::pair().unwrap();
    let (opening, then, closes) = (case.opening.clone(), case.then.clone(), case.closes);
    let serving = tokio::spawn(async move {
        let mut sent = 0;
        let mut going = server.write_all(&opening).await.is_ok();
        while going && !then.is_empty() && sent < 48 << 20 {
            sent += then.len();
            going = server.write_all(&then).await.is_ok();
        }
        if !closes {
            sleep(Duration::from_secs(90)).await;
        }
    });
    let (reader, writer) = client.into_split();
    let mut came = 0;
    let end = async {
        let mut session = RfbSession::start(reader, writer, PixelEncoding::Raw).await?;
        // What is borne is borne for some seconds; what ends ends within the limit for a message.
        let patience = match case.end {
            Borne => Duration::from_secs(3),
            Told(_) => Duration::from_secs(30),
        };
        let deadline = Instant::now() + patience;
        while let Ok(event) = tokio::time::timeout_at(deadline, session.next()).await {
            match event? {
                SessionEvent::Pixels { rect, .. } => came += rect.area() * 4,
                SessionEvent::Clipboard(text) => came += text.len() as u64,
                SessionEvent::Cursor(Some(shape)) => {
                    assert!(shape.hot_x < shape.width && shape.hot_y < shape.height);
                }
                _ => {}
            }
        }
        Ok(())
    };
    let end: nestbox_model::Result<()> = end.await;
    serving.abort();
    (
        end.err()
            .map(|error| format!("{} {:?}", error.message, error.details)),
        came,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_is_told_or_borne_within_bounds() {
    let cases: Vec<Case> = [handshakes(), rectangles(), packed(), others()]
        .into_iter()
        .flatten()
        .collect();
    let count = cases.len();
    // The cases' own bytes are made by now.
    let before = support::resident();
    let mut playing = JoinSet::new();
    for case in cases {
        playing.spawn(async move {
            let (end, came) = timeout(Duration::from_secs(45), play(&case))
                .await
                .expect("no hang");
            let right = match case.end {
                Told(words) => end.as_ref().is_some_and(|end| end.contains(words)),
                Borne => end.is_none(),
            };
            (case.name, case.end, right, end, came)
        });
    }
    let (mut wrong, mut most) = (Vec::new(), 0);
    while let Some(done) = playing.join_next().await {
        let (name, expected, right, end, came) = done.unwrap();
        most = most.max(support::resident().saturating_sub(before));
        if !right {
            wrong.push(format!("{name}: {end:?}, {came} bytes, for {expected:?}"));
        }
    }
    println!("{count} cases at once, {} MiB more memory", most >> 20);
    assert!(wrong.is_empty(), "{wrong:#?}");
    // All at once, each with copies of what it sends.
    assert!(most < 256 << 20, "{most} bytes more for {count} connections");
}
