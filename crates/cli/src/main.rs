//! The `nestbox` command: the command line, and the background service in the same program.
//!
//! `docs/cli.md` is the contract: words, exit codes and JSON keys don't change.

mod args;
mod commands;
mod console;
mod interrupt;
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
    // The service starts this program anew to look into disks; that process has no use for anything else here.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == nestbox_browse::HELPER_WORD)
    {
        return ExitCode::from(nestbox_browse::helper());
    }
    // A reader that went away (`nestbox list | head`) is no error worth a panic.
    let json_wanted = std::env::args_os().any(|arg| arg == "--json");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error, json_wanted),
    };
    let output = Output::new(cli.json, cli.quiet, cli.verbose);
    if let args::Command::Service(action) = &cli.command {
        // While there is one thread.
        service::prepare_memory(action);
    }
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
    let result: Result<()> = runtime.block_on(async {
        interrupt::listen();
        tokio::select! {
            biased;
            result = commands::run(cli, &output) => result,
            () = interrupt::unclaimed() => Err(interrupt::error()),
        }
    });
    // A pending read of the terminal must not keep the program, nor one that asks something.
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
        let facts = in_one_line(&error.render().to_string());
        let usage = Error::usage("usage", format!("{facts}.")).with_hint("See: nestbox --help");
        return failed(&Output::new(true, false, false), &usage);
    }
    // The exit code is clap's own: 0 for help, 2 for wrong usage.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Clap's facts as one sentence: what is wrong, which values are possible, what was probably meant; without the usage
/// lines after them and the full stop.
fn in_one_line(rendered: &str) -> String {
    let mut text = String::new();
    let mut new_paragraph = false;
    for line in rendered.lines().map(str::trim) {
        if line.starts_with("Usage:") || line.starts_with("For more information") {
            break;
        }
        if line.is_empty() {
            new_paragraph = true;
            continue;
        }
        if !text.is_empty() {
            text.push_str(if new_paragraph { "; " } else { " " });
        }
        new_paragraph = false;
        text.push_str(line);
    }
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let text = text.trim_end_matches(|c: char| c == '.' || c.is_whitespace());
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(args: &[&str]) -> String {
        let args = ["nestbox"].iter().chain(args);
        in_one_line(&Cli::try_parse_from(args).unwrap_err().render().to_string())
    }

    #[test]
    fn wrong_usage_keeps_its_facts_in_one_line() {
        let text = said(&["create", "x", "--blank", "--memory", "many"]);
        assert!(text.contains("many") && text.contains("--memory"), "{text}");
        assert!(!text.ends_with('.'), "{text}");
        let text = said(&["start"]);
        assert!(text.contains("required") && text.contains("<MACHINE"), "{text}");
        let text = said(&["list", "--serch", "x"]);
        assert!(text.contains("--serch") && text.contains("'--search'"), "{text}");
        let text = said(&["completions", "tcsh"]);
        assert!(text.contains("bash") && text.contains("zsh"), "{text}");
        for text in [said(&["start"]), said(&["list", "--serch", "x"]), said(&[])] {
            assert!(!text.contains('\n') && !text.contains("Usage:"), "{text}");
        }
        assert_eq!(
            in_one_line("error: it is odd.\n\n  tip: try another..\n\nUsage: x\n"),
            "It is odd.; tip: try another"
        );
    }
}
