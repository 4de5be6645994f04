//! One error for the whole program: a stable code, what happened and why, what to do, and exact details.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Shorthand used by every crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What class of failure an error is; it decides the exit code and the HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// Something went wrong while doing it (exit 1).
    Failed,
    /// The request itself is wrong (exit 2).
    Usage,
    /// No such thing (exit 3).
    NotFound,
    /// It exists already, is running, locked or in use (exit 4).
    Conflict,
    /// Something on this computer is missing or unfit (exit 5).
    Unfit,
    /// Refused as unsafe (exit 6).
    Unsafe,
    /// The user stopped it (exit 130).
    Cancelled,
}

impl ErrorKind {
    /// Exit code of the command line.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Unfit => 5,
            Self::Unsafe => 6,
            Self::Cancelled => 130,
        }
    }
    /// HTTP status of the API.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Failed => 500,
            Self::Usage => 400,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Unfit => 503,
            Self::Unsafe => 422,
            Self::Cancelled => 499,
        }
    }
}

/// An error as clients see it. `code` is a stable kebab-case word listed in `docs/errors.md`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Error {
    /// Stable word to switch on.
    pub code: String,
    /// Class of failure.
    pub kind: ErrorKind,
    /// What happened and why, in one or two plain sentences. Starts with a capital, ends with a full stop.
    pub message: String,
    /// What to do next; empty when there is nothing sensible.
    #[serde(default)]
    pub hint: String,
    /// Exact facts for experts: paths, tool output, numbers. Always an object.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// The wire form: `{"error": {…}}`.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: Error,
}

macro_rules! constructor {
    ($(#[$doc:meta])* $name:ident, $kind:ident) => {
        $(#[$doc])*
        pub fn $name(code: &str, message: impl Into<String>) -> Self {
            Self::new(ErrorKind::$kind, code, message)
        }
    };
}

impl Error {
    /// An error of `kind` with a stable `code` and a plain `message`.
    pub fn new(kind: ErrorKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            kind,
            message: message.into(),
            hint: String::new(),
            details: Default::default(),
        }
    }
    constructor!(
        /// Something went wrong while doing it.
        failed, Failed
    );
    constructor!(
        /// The request itself is wrong.
        usage, Usage
    );
    constructor!(
        /// No such thing.
        not_found, NotFound
    );
    constructor!(
        /// Exists already, running, locked or in use.
        conflict, Conflict
    );
    constructor!(
        /// Something on this computer is missing or unfit.
        unfit, Unfit
    );
    constructor!(
        /// Refused as unsafe.
        unsafe_input, Unsafe
    );
    /// The user cancelled it; nothing half-made is left.
    pub fn cancelled() -> Self {
        Self::new(
            ErrorKind::Cancelled,
            "cancelled",
            "Cancelled. Nothing was left behind.",
        )
    }
    /// Adds what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
    /// Adds one exact fact.
    #[must_use]
    pub fn with_detail(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }
    /// Turns an I/O error on `path` into words: `doing` completes “Nestbox could not …”, for example
    /// `"write the machine's settings"`. No space, no permission and missing files get their own codes.
    pub fn io(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let (kind, code, why, hint) = match error.kind() {
            Io::NotFound => (
                ErrorKind::NotFound,
                "file-not-found",
                "it is not there",
                "Check the path.",
            ),
            Io::PermissionDenied => (
                ErrorKind::Unfit,
                "permission-denied",
                "this account may not access it",
                "Give this account access to the file and its folder, or choose another place.",
            ),
            Io::StorageFull | Io::QuotaExceeded => (
                ErrorKind::Unfit,
                "no-space",
                "the disk is full",
                "Free some space (the trash and the image cache are good places to look), then try again.",
            ),
            Io::ReadOnlyFilesystem => (
                ErrorKind::Unfit,
                "read-only",
                "the file system is read-only",
                "Make it writable or move the library.",
            ),
            _ => (ErrorKind::Failed, "io-error", "of an input/output error", ""),
        };
        let because = if kind == ErrorKind::Failed {
            "because"
        } else {
            "since"
        };
        Self::new(
            kind,
            code,
            format!("Nestbox could not {doing} {because} {why}: {}", path.display()),
        )
        .with_hint(hint)
        .with_detail("path", path.display().to_string())
        .with_detail("system", error.to_string())
    }
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        self.kind.exit_code()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
