//! Chores of the repository: `cargo run -p xtask -- CHORE`. Each that writes a file has `--check`, which only compares.

mod architecture;
mod error_codes;
mod file_size;
mod generated;
mod templates;
mod tree;
mod words;

use std::process::ExitCode;

const USAGE: &str = "Use: cargo run -p xtask -- CHORE
  lint-arch             the crates keep to ARCHITECTURE.md, files keep to one job's length
  lint-words            no notes of unfinished work, no paths of one computer, only public registries
  openapi [--check]     docs/openapi.json from the routes
  errors [--check]      docs/errors.md from the code
  templates update [--family F] [--from FOLDER]
                        newer releases into vm-templates/, from the distributions' index pages or saved ones
";

/// The API's description, below the repository's top.
const OPENAPI: &str = "docs/openapi.json";

fn openapi() -> Result<String, String> {
    let document = nestbox_api::openapi_json();
    if document.is_empty() {
        Err("the OpenAPI document could not be made".into())
    } else {
        Ok(document + "\n")
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let root = tree::root();
    let outcome = match words.as_slice() {
        ["lint-arch"] => architecture::lint(&root).and_then(|mut problems| {
            problems.extend(file_size::lint(&root)?);
            Ok(problems)
        }),
        ["lint-words"] => words::lint(&root),
        ["openapi"] => generated::write(&root.join(OPENAPI), &openapi()),
        ["openapi", "--check"] => generated::check(&root.join(OPENAPI), &openapi(), "openapi"),
        ["errors"] => generated::write(&root.join(error_codes::FILE), &error_codes::document(&root)),
        ["errors", "--check"] => generated::check(
            &root.join(error_codes::FILE),
            &error_codes::document(&root),
            "errors",
        ),
        ["templates", "update", options @ ..] => match options {
            [] => templates::update(&root, None, None),
            ["--family", family] => templates::update(&root, Some(family), None),
            ["--from", folder] => templates::update(&root, None, Some(folder.as_ref())),
            ["--family", family, "--from", folder] => {
                templates::update(&root, Some(family), Some(folder.as_ref()))
            }
            _ => {
                eprint!("{USAGE}");
                return ExitCode::from(2);
            }
        },
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            eprintln!("{} to mend", problems.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
