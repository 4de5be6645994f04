//! Sizes as people write them.

use crate::Error;

/// One kibibyte, mebibyte, gibibyte, tebibyte in bytes.
pub const KIB: u64 = 1 << 10;
#[allow(missing_docs)]
pub const MIB: u64 = 1 << 20;
#[allow(missing_docs)]
pub const GIB: u64 = 1 << 30;
#[allow(missing_docs)]
pub const TIB: u64 = 1 << 40;

/// Parses `512M`, `20G`, `1.5T`, `20GiB`, `1048576` into bytes. Units are powers of 1024, in any case.
///
/// # Errors
/// `bad-size` (usage) for anything else, for negative numbers and for sizes over 2⁶³ bytes.
pub fn parse_size(text: &str) -> Result<u64, Error> {
    let bad = || {
        Error::usage("bad-size", format!("“{text}” is not a size."))
            .with_hint("Write a number with K, M, G or T, for example 512M, 20G or 1.5T.")
    };
    let trimmed = text.trim();
    let split = trimmed
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(trimmed.len());
    let (number, unit) = (trimmed[..split].trim(), trimmed[split..].to_ascii_lowercase());
    let scale = match unit.as_str() {
        "" | "b" => 1,
        "k" | "kib" | "kb" => KIB,
        "m" | "mib" | "mb" => MIB,
        "g" | "gib" | "gb" => GIB,
        "t" | "tib" | "tb" => TIB,
        _ => return Err(bad()),
    };
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(bad());
    }
    let value: f64 = number.parse().map_err(|_| bad())?;
    let bytes = value * scale as f64;
    if !bytes.is_finite() || bytes >= 9.2e18 {
        return Err(bad());
    }
    // Whole numbers keep every bit: f64 is exact only up to 2^53.
    match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(scale).ok_or_else(bad),
        Err(_) => Ok(bytes.round() as u64),
    }
}

/// A short size for people, powers of 1024 with the short units of the command line: `1.5 GiB`.
pub fn format_size(bytes: u64) -> String {
    for (unit, scale) in [("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)] {
        if bytes >= scale {
            let value = bytes as f64 / scale as f64;
            return if value >= 100.0 || value.fract() < 0.05 {
                format!("{value:.0} {unit}")
            } else {
                format!("{value:.1} {unit}")
            };
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_documented_forms() {
        assert_eq!(parse_size("512M").unwrap(), 512 * MIB);
        assert_eq!(parse_size("20G").unwrap(), 20 * GIB);
        assert_eq!(parse_size("1.5T").unwrap(), TIB + TIB / 2);
        assert_eq!(parse_size("20 GiB").unwrap(), 20 * GIB);
        assert_eq!(parse_size("1048576").unwrap(), MIB);
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "G",
            "-1G",
            "1e3",
            "12Q",
            "inf",
            "nan",
            "1..5G",
            "99999999999T",
            "٣G",
        ] {
            assert_eq!(parse_size(text).unwrap_err().code, "bad-size", "{text}");
        }
    }

    proptest! {
        #[test]
        fn whole_bytes_round_trip(bytes in 0u64..(1 << 62)) {
            prop_assert_eq!(parse_size(&bytes.to_string()).unwrap(), bytes);
        }
        #[test]
        fn never_panics(text in ".*") {
            let _ = parse_size(&text);
        }
    }
}
