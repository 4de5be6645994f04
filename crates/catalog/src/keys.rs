//! A machine's own SSH key pair.

use crate::cache::write_atomically;
use nestbox_model::{Error, Result};
use ssh_key::{Algorithm, LineEnding, PrivateKey, rand_core::OsRng};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// File name of the private key in the folder given to [`generate`]; the public key is the same with `.pub`.
pub const PRIVATE_KEY: &str = "id_ed25519";

/// Makes an Ed25519 key pair in OpenSSH's format: `dir/id_ed25519` (mode 0600) and `dir/id_ed25519.pub`; `dir` is made
/// with mode 0700. Gives the public key's line. Control characters in `comment` become spaces.
///
/// # Errors
/// An I/O error, or `key-not-made`.
pub fn generate(dir: &Path, comment: &str) -> Result<String> {
    let comment: String = comment
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let failed = |error: ssh_key::Error| {
        Error::failed("key-not-made", "Nestbox could not make the machine's SSH key.")
            .with_detail("system", error.to_string())
    };
    let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(failed)?;
    key.set_comment(comment);
    let private = key.to_openssh(LineEnding::LF).map_err(failed)?;
    let public = key.public_key().to_openssh().map_err(failed)?;
    let write = |path: &Path, text: &str, mode| {
        write_atomically(path, text.as_bytes(), mode)
            .map_err(|e| Error::io("write the machine's SSH key", path, &e))
    };
    fs::create_dir_all(dir).map_err(|e| Error::io("make the machine's key folder", dir, &e))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
        .map_err(|e| Error::io("protect the machine's key folder", dir, &e))?;
    write(&dir.join(PRIVATE_KEY), &private, 0o600)?;
    write(
        &dir.join(format!("{PRIVATE_KEY}.pub")),
        &format!("{public}\n"),
        0o644,
    )?;
    Ok(public)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_a_pair_that_belongs_together() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("ssh");
        let line = generate(&dir, "web\nörtchen").unwrap();
        assert!(
            line.starts_with("ssh-ed25519 AAAA")
                && line.ends_with(" web örtchen")
                && line.lines().count() == 1,
            "{line}"
        );
        let private = fs::read_to_string(dir.join(PRIVATE_KEY)).unwrap();
        let key = PrivateKey::from_openssh(&private).unwrap();
        assert_eq!(key.public_key().to_openssh().unwrap(), line);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir.join(PRIVATE_KEY)), 0o600);
        assert_eq!(mode(&dir), 0o700);
        assert_ne!(generate(&dir, "again").unwrap(), line);
    }
}
