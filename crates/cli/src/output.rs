//! What the user sees: results on standard output, everything else on standard error.

use nestbox_model::{Error, ErrorBody};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use unicode_width::UnicodeWidthStr;

/// Where and how things are printed.
#[derive(Clone, Copy)]
pub struct Output {
    pub json: bool,
    pub quiet: bool,
    pub verbose: bool,
}

impl Output {
    pub fn new(json: bool, quiet: bool, verbose: bool) -> Self {
        Self { json, quiet, verbose }
    }

    /// A line of the result.
    pub fn line(&self, text: impl AsRef<str>) {
        let mut stdout = std::io::stdout().lock();
        // A closed pipe ends the output, not the operation.
        let _ = writeln!(stdout, "{}", text.as_ref());
    }

    /// The result: `value` as JSON, or what `human` prints.
    pub fn result<T: Serialize>(&self, value: &T, human: impl FnOnce(&Self)) {
        if self.json {
            match serde_json::to_string_pretty(value) {
                Ok(text) => self.line(text),
                Err(error) => self.error(&Error::failed(
                    "internal",
                    format!("The result can't be written: {error}."),
                )),
            }
        } else {
            human(self);
        }
    }

    /// One object of a stream.
    pub fn stream<T: Serialize>(&self, value: &T) {
        if let Ok(text) = serde_json::to_string(value) {
            self.line(text);
        }
    }

    /// A message beside the result.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
        }
    }

    pub fn error(&self, error: &Error) {
        let mut stderr = std::io::stderr().lock();
        if self.json {
            let body = ErrorBody { error: error.clone() };
            let _ = writeln!(stderr, "{}", serde_json::to_string(&body).unwrap_or_default());
            return;
        }
        let _ = writeln!(stderr, "nestbox: {}", error.message);
        if !error.hint.is_empty() {
            let _ = writeln!(stderr, "  {}", error.hint);
        }
        if self.verbose {
            let _ = writeln!(stderr, "  code: {}", error.code);
            for (key, value) in &error.details {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let _ = writeln!(stderr, "  {key}: {value}");
            }
        }
    }

    /// Rows under headings, columns aligned by what the terminal shows.
    pub fn table(&self, headings: &[&str], rows: &[Vec<String>]) {
        let mut widths: Vec<usize> = headings.iter().map(|h| h.width()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        // Written at once: a write for each of a thousand rows takes longer than making them.
        let mut table = String::new();
        let mut add = |cells: Vec<&str>| {
            let mut line = String::new();
            for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                line.push_str(cell);
                if at + 1 < cells.len() {
                    line.push_str(&" ".repeat(width - cell.width() + 2));
                }
            }
            table.push_str(line.trim_end());
            table.push('\n');
        };
        add(headings.to_vec());
        for row in rows {
            add(row.iter().map(String::as_str).collect());
        }
        self.line(table.trim_end_matches('\n'));
    }

    /// `name  value` lines.
    pub fn facts(&self, facts: &[(&str, String)]) {
        let width = facts.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
        for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
            self.line(format!("{name:width$}  {value}"));
        }
    }

    /// Progress bars make sense: a person watches.
    pub fn shows_progress(&self) -> bool {
        !self.json && !self.quiet && std::io::stderr().is_terminal()
    }
}
