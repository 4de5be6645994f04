//! Identifiers. Random (UUID version 4, RFC 9562), written as 32 hex digits so that a short prefix is usable
//! on the command line.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether a text has the form of an id.
pub(crate) fn looks_like_an_id(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            /// A new random id.
            pub fn random() -> Self {
                Self(uuid::Uuid::new_v4().simple().to_string())
            }
            /// Takes an id as it stands in the library or a request. It is not checked: an id that names nothing
            /// is simply not found. Never build a path from an id that did not come out of the library.
            pub fn from_text(text: impl Into<String>) -> Self {
                Self(text.into())
            }
            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
            /// The first eight digits, for logs, socket folders and tables.
            pub fn short(&self) -> &str {
                self.0.get(..8).unwrap_or(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = &'static str;
            /// Files and requests come from outside, and ids become names of folders: 32 hex digits, nothing else.
            fn try_from(text: String) -> Result<Self, Self::Error> {
                if looks_like_an_id(&text) { Ok(Self(text)) } else { Err("an id is 32 hex digits") }
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id!(
    /// A machine of the library.
    MachineId
);
id!(
    /// A disk of a machine; also its QEMU node name (`disk-` + short id).
    DiskId
);
id!(
    /// A NIC of a machine.
    NicId
);
id!(
    /// A snapshot of a machine.
    SnapshotId
);
id!(
    /// A job.
    JobId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_are_read_from_outside() {
        let id = MachineId::random();
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<MachineId>(&text).unwrap(), id);
        for bad in ["", "../../../victim", "0123", &"G".repeat(32), &"a".repeat(33)] {
            assert!(serde_json::from_value::<SnapshotId>(bad.into()).is_err(), "{bad}");
        }
    }
}
