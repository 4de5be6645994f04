//! A VNC server that moves every pixel: raw frames of 1920 × 1080, at most so many a second, to whoever asks.
//!
//! `cargo run -p nestbox-display --example source -- SOCKET [FRAMES-A-SECOND]`
#![allow(clippy::print_stdout)]

use std::{
    error::Error,
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    thread,
    time::{Duration, Instant},
};

const WIDTH: u16 = 1920;
const HEIGHT: u16 = 1080;
/// Different frames, one after the other.
const FRAMES: u8 = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(socket) = arguments.next() else {
        println!("usage: source SOCKET [FRAMES-A-SECOND]");
        return Ok(());
    };
    let rate: f64 = arguments.next().map_or(Ok(60.0), |rate| rate.parse())?;
    let listener = UnixListener::bind(socket)?;
    println!("ready");
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            // The client leaves when it has seen enough.
            let _ = serve(stream, rate);
        });
    }
    Ok(())
}

/// A gradient that wanders, as a whole update.
fn frame(number: u8) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, 0];
    bytes.extend(WIDTH.to_be_bytes());
    bytes.extend(HEIGHT.to_be_bytes());
    bytes.extend([0; 4]);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let shade = |value: u16, speed: u8| (value as u8).wrapping_add(number.wrapping_mul(speed));
            bytes.extend([shade(x / 8, 11), shade(y / 4, 7), shade((x + y) / 12, 5), 0]);
        }
    }
    bytes
}

fn serve(mut stream: UnixStream, rate: f64) -> std::io::Result<()> {
    let skip = |stream: &mut UnixStream, length: usize| stream.read_exact(&mut vec![0; length]);
    stream.write_all(b"RFB 003.008\n")?;
    skip(&mut stream, 12)?;
    stream.write_all(&[1, 1])?;
    skip(&mut stream, 1)?;
    stream.write_all(&[0; 4])?;
    skip(&mut stream, 1)?;
    let mut init = Vec::new();
    init.extend(WIDTH.to_be_bytes());
    init.extend(HEIGHT.to_be_bytes());
    init.extend([
        32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    stream.write_all(&init)?;
    let frames: Vec<Vec<u8>> = (0..FRAMES).map(frame).collect();
    let (asked, asking) = std::sync::mpsc::sync_channel(1);
    let mut reading = stream.try_clone()?;
    thread::spawn(move || -> std::io::Result<()> {
        loop {
            let mut kind = [0];
            reading.read_exact(&mut kind)?;
            match kind[0] {
                0 => skip(&mut reading, 19)?,
                2 => {
                    let mut head = [0; 3];
                    reading.read_exact(&mut head)?;
                    skip(
                        &mut reading,
                        usize::from(u16::from_be_bytes([head[1], head[2]])) * 4,
                    )?;
                }
                3 => {
                    skip(&mut reading, 9)?;
                    // Requests add up to one.
                    if let Err(std::sync::mpsc::TrySendError::Disconnected(())) = asked.try_send(()) {
                        return Ok(());
                    }
                }
                4 => skip(&mut reading, 7)?,
                5 => skip(&mut reading, 5)?,
                _ => return Ok(()),
            }
        }
    });
    let mut due = Instant::now();
    for frame in frames.iter().cycle() {
        if asking.recv().is_err() {
            return Ok(());
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due = due.max(Instant::now()) + Duration::from_secs_f64(1.0 / rate);
        stream.write_all(frame)?;
    }
    Ok(())
}
