//! `nestbox-crashlab`: kills, and looks at what is left; `make crashlab` runs it.

#![allow(clippy::print_stdout)]

use clap::Parser;
use nestbox_crashlab::{Act, Finding, Lab, OfflineLab, Operation, Options, Report};
use nestbox_guests::{Guests, TestHome};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Begins operations on a machine with a real guest, kills the service or QEMU in the middle, and looks at what is left.
#[derive(Parser)]
#[command(name = "nestbox-crashlab")]
struct Arguments {
    /// How often something is killed
    #[arg(long, default_value_t = 300)]
    kills: u32,
    /// Where everything random comes from; a new one each time unless given
    #[arg(long)]
    seed: Option<u64>,
    /// Only these operations: take, restore, delete, …
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Operations on machines that are off: disks, imports, exports, backups
    #[arg(long)]
    offline: bool,
    /// No round begins after so many minutes
    #[arg(long, default_value_t = 120)]
    minutes: u64,
    /// Also write the report here, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Leave everything where it is when something was found
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(why) => {
            eprintln!("crashlab: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Finding<bool> {
    let told = |error: nestbox_model::Error| format!("{} {}", error.message, error.hint);
    let seed = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let home = TestHome::new().map_err(told)?;
    println!("seed {seed}, home {}", home.path().display());
    let options = Options {
        kills: arguments.kills,
        seed,
        only: Vec::new(),
        limit: Duration::from_secs(arguments.minutes * 60),
        boot: true,
        verbose: true,
    };
    if arguments.offline {
        let acts = chosen(&arguments.only, &Act::ALL.map(|(act, ..)| (act.name(), act)))?;
        let mut lab = OfflineLab::open(home, options, acts)?;
        let good = tell(arguments, lab.work())?;
        if !good && arguments.keep {
            // What is never dropped stays as it is.
            std::mem::forget(lab);
        }
        return Ok(good);
    }
    let guests = Guests::ensure().map_err(told)?;
    let only = chosen(
        &arguments.only,
        &Operation::ALL.map(|(one, ..)| (one.name(), one)),
    )?;
    let mut lab = Lab::open(home, &guests, Options { only, ..options })?;
    let good = tell(arguments, lab.work())?;
    if !good && arguments.keep {
        std::mem::forget(lab);
    }
    Ok(good)
}

fn tell(arguments: &Arguments, report: &Report) -> Finding<bool> {
    print!("{report}");
    if let Some(path) = &arguments.report {
        let text = serde_json::to_vec_pretty(report).map_err(|e| e.to_string())?;
        std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(report.findings.is_empty())
}

/// Those of `all` that are named.
fn chosen<T: Copy>(names: &[String], all: &[(String, T)]) -> Finding<Vec<T>> {
    names
        .iter()
        .map(|name| {
            let found = all.iter().find(|(other, _)| other == name);
            found
                .map(|(_, one)| *one)
                .ok_or_else(|| format!("there is no operation “{name}”"))
        })
        .collect()
}
