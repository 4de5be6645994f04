//! Zeros need not travel: they become holes again.

use crate::filesystem::{Outcome, Sink};

/// Zeros that are worth a hole: a block of most file systems.
const UNIT: usize = 4096;

/// Hands `bytes` on, with whole blocks of zeros as holes.
pub(crate) fn send(bytes: &[u8], sink: &mut dyn Sink) -> Outcome<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let is_zero = unit_is_zero(rest);
        let mut length = UNIT.min(rest.len());
        while length < rest.len() && unit_is_zero(&rest[length..]) == is_zero {
            length += UNIT.min(rest.len() - length);
        }
        if is_zero {
            sink.hole(length as u64)?;
        } else {
            sink.data(&rest[..length])?;
        }
        rest = &rest[length..];
    }
    Ok(())
}

fn unit_is_zero(bytes: &[u8]) -> bool {
    bytes.iter().take(UNIT).all(|byte| *byte == 0)
}
