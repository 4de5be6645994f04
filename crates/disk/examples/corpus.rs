//! Judges a folder of labelled images and imports what is accepted: label beside verdict, time, and whether anything
//! was touched that must not be. `cargo run -p nestbox-disk --example corpus -- FOLDER [SUBSTRING]`.
//!
//! FOLDER holds `manifest.json`: `entries`, each with `path` (or `path_b64`) and `expect` (`accept`, `sanitise` or
//! `reject`).

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use nestbox_disk::{Inspection, import_disks, inspect, unpack_medium};
use nestbox_model::{FileAction, ImportPlan, ItemFate, Recognised, Result};
use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// What an attack would leave behind.
const CANARIES: [&str; 3] = [
    "/tmp/nestbox-pwned",
    "/tmp/nestbox-pwned-file",
    "/tmp/nestbox-pwned-2",
];

struct Verdict {
    plan: Option<ImportPlan>,
    outcome: Result<u64>,
    planned_in: Duration,
    whole: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let corpus = PathBuf::from(arguments.next().expect("a folder with manifest.json"));
    let only = arguments.next().unwrap_or_default();
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(corpus.join("manifest.json")).unwrap()).unwrap();
    let (mut right, mut wrong, mut slowest) = (0, Vec::new(), Duration::ZERO);
    for entry in manifest["entries"].as_array().unwrap() {
        let text = |key: &str| entry[key].as_str().unwrap_or_default();
        if !text("path").contains(&only) {
            continue;
        }
        if !text("needs").is_empty() {
            println!("skip  {:?}: needs {}", text("path"), text("needs"));
            continue;
        }
        let path = corpus.join(name_of(text("path"), text("path_b64")));
        let verdict = judge(&path).await;
        slowest = slowest.max(verdict.planned_in);
        let rejected = verdict.outcome.is_err();
        let good = rejected == (text("expect") == "reject");
        let line = describe(&verdict, text("expect"), text("path"), text("reason"));
        println!("{} {line}", if good { "ok   " } else { "WRONG" });
        if good {
            right += 1;
        } else {
            wrong.push(line);
        }
        for canary in CANARIES {
            assert!(
                !Path::new(canary).exists(),
                "{canary} was made by {}",
                path.display()
            );
        }
    }
    println!("\n{right} right, {} wrong; slowest plan {slowest:?}", wrong.len());
    for line in wrong {
        println!("  {line}");
    }
}

fn name_of(path: &str, encoded: &str) -> PathBuf {
    if encoded.is_empty() {
        path.into()
    } else {
        OsString::from_vec(decode(encoded)).into()
    }
}

fn decode(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut out = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = four.iter().fold(0, |bits, byte| bits << 6 | value(*byte)) << (6 * (4 - four.len()));
        out.extend(&bits.to_be_bytes()[1..four.len()]);
    }
    out
}

async fn judge(path: &Path) -> Verdict {
    let start = Instant::now();
    let inspection = inspect(path);
    let plan = inspection.as_ref().ok().map(|inspection| inspection.plan(None));
    let planned_in = start.elapsed();
    let outcome = match &inspection {
        Ok(inspection) => bring_in(inspection).await,
        Err(error) => Err(error.clone()),
    };
    Verdict {
        plan,
        outcome,
        planned_in,
        whole: start.elapsed(),
    }
}

/// Bytes that the import takes on the disk.
async fn bring_in(inspection: &Inspection) -> Result<u64> {
    let folder = tempfile::tempdir().unwrap();
    let name = |index: usize| folder.path().join(format!("{index}.qcow2"));
    let (progress, cancel) = (|_, _| {}, CancellationToken::new());
    let inside = inspection.plan(None).inside.unwrap_or(inspection.recognised);
    if inspection.recognised == Recognised::Iso {
        return Ok(0);
    }
    let count = if inside == Recognised::Iso {
        unpack_medium(inspection, &name(0), &progress, &cancel).await?;
        1
    } else {
        import_disks(inspection, FileAction::Copy, &name, &progress, &cancel)
            .await?
            .len()
    };
    Ok((0..count).map(|index| nestbox_disk::usage(&name(index))).sum())
}

fn describe(verdict: &Verdict, expect: &str, path: &str, reason: &str) -> String {
    let path: String = path.chars().take(50).collect();
    let times = format!(
        "{:>4} ms, {:>4} ms",
        verdict.planned_in.as_millis(),
        verdict.whole.as_millis()
    );
    let result = match (&verdict.outcome, &verdict.plan) {
        (Err(error), _) => format!("{}: {}", error.code, error.message),
        (Ok(bytes), Some(plan)) => {
            let told = plan
                .items
                .iter()
                .filter(|item| item.fate != ItemFate::Kept)
                .map(|item| &item.what);
            let said: Vec<&str> = told.chain(&plan.warnings).map(String::as_str).collect();
            format!("{} ({bytes} bytes) {}", plan.description, said.join(" | "))
        }
        (Ok(_), None) => String::new(),
    };
    format!("{expect:<8} {path:?} [{reason}] {times}: {result}")
}
