//! `nestbox-test-mirror`: a local mirror by hand, for the CLI's and the window's tests.

#![allow(clippy::print_stdout)]

use clap::Parser;
use nestbox_guests::mirror::{Fault, Mirror};
use std::{io, path::PathBuf};

/// Serves image files as if they were the distributions' own, on a free port of 127.0.0.1, until it is ended.
/// Prints one line of JSON: {"url", "keys_dir", "environment"}.
#[derive(Parser)]
#[command(name = "nestbox-test-mirror")]
struct Options {
    /// Folder for the signing key's public half.
    #[arg(long)]
    dir: PathBuf,
    /// Image of Ubuntu 24.04 and 26.04 for amd64.
    #[arg(long)]
    ubuntu_amd64: Option<PathBuf>,
    /// Image of Ubuntu 24.04 and 26.04 for arm64.
    #[arg(long)]
    ubuntu_arm64: Option<PathBuf>,
    /// Image of Ubuntu 24.04 and 26.04 for riscv64.
    #[arg(long)]
    ubuntu_riscv64: Option<PathBuf>,
    /// Any other: TEMPLATE:ARCH=FILE with QEMU's word for the architecture, such as debian-13:x86_64=disk.qcow2.
    #[arg(long = "image", value_name = "TEMPLATE:ARCH=FILE")]
    images: Vec<String>,
    /// Bytes a second for each image.
    #[arg(long)]
    rate: Option<u64>,
    /// Misbehave: tampered, bad-signature, wrong-key, missing-signature, html, redirect-loop, gone, or drop:BYTES:TIMES.
    #[arg(long)]
    fault: Option<String>,
}

fn fault(text: &str) -> io::Result<Fault> {
    let number = |text: Option<&str>| text.and_then(|t| t.parse::<u64>().ok()).unwrap_or(1);
    let mut parts = text.split(':');
    Ok(match parts.next().unwrap_or_default() {
        "tampered" => Fault::TamperedImage,
        "bad-signature" => Fault::BadSignature,
        "wrong-key" => Fault::WrongKey,
        "missing-signature" => Fault::MissingSignature,
        "html" => Fault::HtmlImage(true),
        "redirect-loop" => Fault::RedirectLoop,
        "gone" => Fault::CurrentGone,
        "drop" => {
            let after = number(parts.next());
            Fault::Drop {
                after,
                times: u32::try_from(number(parts.next())).unwrap_or(1),
            }
        }
        other => return Err(io::Error::other(format!("unknown fault {other}"))),
    })
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let options = Options::parse();
    std::fs::create_dir_all(&options.dir)?;
    let mirror = Mirror::start(&options.dir).await?;
    for (arch, image) in [
        ("x86_64", &options.ubuntu_amd64),
        ("aarch64", &options.ubuntu_arm64),
        ("riscv64", &options.ubuntu_riscv64),
    ] {
        if let Some(image) = image {
            mirror.publish("ubuntu-24.04", arch, image)?;
            mirror.publish("ubuntu-26.04", arch, image)?;
        }
    }
    for text in &options.images {
        let (what, file) = text
            .split_once('=')
            .ok_or_else(|| io::Error::other("write TEMPLATE:ARCH=FILE"))?;
        let (template, arch) = what
            .split_once(':')
            .ok_or_else(|| io::Error::other("write TEMPLATE:ARCH=FILE"))?;
        mirror.publish(template, arch, PathBuf::from(file).as_path())?;
    }
    mirror.set_rate(options.rate);
    if let Some(text) = &options.fault {
        mirror.set_fault(fault(text)?);
    }
    let environment: serde_json::Map<_, _> = mirror
        .environment()
        .into_iter()
        .map(|(key, value)| (key, value.into()))
        .collect();
    println!(
        "{}",
        serde_json::json!({ "url": mirror.url(), "keys_dir": mirror.keys_dir(), "environment": environment })
    );
    tokio::signal::ctrl_c().await
}
