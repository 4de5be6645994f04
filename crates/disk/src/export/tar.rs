//! Headers of tar files (POSIX ustar), with what GNU tar adds for long files and holes (pax).

/// Bytes of a block.
pub const BLOCK: u64 = 512;
/// The longest file whose length fits in a header's octal digits, bytes.
const OCTAL_MAX: u64 = (1 << 33) - 1;

/// The header of a file; `name` has at most 100 bytes. `kind`: `b'0'` a file, `b'x'` an extended header for the next.
pub fn header(name: &str, length: u64, kind: u8, modified: u64, mode: u32) -> [u8; BLOCK as usize] {
    let mut out = [0; BLOCK as usize];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    let name = name.as_bytes();
    put(0, &name[..name.len().min(100)]);
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    if length <= OCTAL_MAX {
        put(124, format!("{length:011o}\0").as_bytes());
    } else {
        put(124, &[0x80, 0, 0, 0]);
        put(128, &length.to_be_bytes());
    }
    put(136, format!("{:011o}\0", modified.min(OCTAL_MAX)).as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = out.iter().map(|byte| u32::from(*byte)).sum();
    out[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out
}

/// Bytes between the end of a file and the next header.
pub fn padding(length: u64) -> usize {
    (length.next_multiple_of(BLOCK) - length) as usize
}

/// The records of an extended header: `LENGTH KEY=VALUE\n`, where the length counts itself.
pub fn extended(records: &[(&str, String)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        out.extend(format!("{length} {key}={value}\n").into_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_their_own_length() {
        assert_eq!(extended(&[("path", "a".into())]), b"9 path=a\n");
        let long = extended(&[("path", "a".repeat(95))]);
        assert!(
            long.starts_with(b"105 path=a"),
            "{}",
            String::from_utf8_lossy(&long)
        );
        assert_eq!(long.len(), 105);
    }
}
