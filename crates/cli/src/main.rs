//! The `nestbox` command: the command line, and the background service in the same program.
//!
//! `docs/cli.md` is the contract: words, exit codes and JSON keys don't change.

mod args;
mod commands;
mod console;
mod output;
mod progress;
mod service;
mod wait;

use args::Cli;
use clap::Parser;
use clap::error::ErrorKind as ClapErrorKind;
use nestbox_model::{Error, Result};
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A reader that went away (`nestbox list | head`) is no error worth a panic.
    let json_wanted = std::env::args_os().any(|arg| arg == "--json");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error, json_wanted),
    };
    let output = Output::new(cli.json, cli.quiet, cli.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return failed(
                &output,
                &Error::unfit("no-threads", format!("Nestbox can't start: {error}.")),
            );
        }
    };
    let result: Result<()> = runtime.block_on(commands::run(cli, &output));
    // A pending read of the terminal must not keep the program.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&output, &error),
    }
}

fn failed(output: &Output, error: &Error) -> ExitCode {
    output.error(error);
    ExitCode::from(error.exit_code())
}

fn usage(error: &clap::Error, json: bool) -> ExitCode {
    let harmless = matches!(
        error.kind(),
        ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion
    );
    if json && !harmless {
        let text = error.render().to_string();
        let message = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        let usage = Error::usage("usage", format!("{message}.")).with_hint("See: nestbox --help");
        return failed(&Output::new(true, false, false), &usage);
    }
    // The exit code is clap's own: 0 for help, 2 for wrong usage.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
