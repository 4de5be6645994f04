//! OpenPGP signatures over checksum files, by keys that ship with Nestbox.
//!
//! RFC 9580: detached signatures (10.4) and the cleartext signature framework (7). A key is trusted because its file was
//! chosen for the family; self-signatures of other people's making are not consulted. Subkeys count only when
//! the primary key bound them.

use nestbox_model::{Error, Result};
use pgp::{
    composed::{CleartextSignedMessage, Deserializable, DetachedSignature, SignedPublicKey},
    crypto::hash::HashAlgorithm,
    packet::Signature,
    types::KeyDetails,
};
use std::time::{Duration, SystemTime};

/// How far a signature's date may be ahead of this computer's clock.
const CLOCK_SLACK: Duration = Duration::from_secs(24 * 3600);

/// Keys trusted for one download.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keyring(Vec<SignedPublicKey>);

impl Keyring {
    /// Adds the keys of one file, armoured or binary.
    pub fn add(&mut self, file: &str, bytes: &[u8]) -> Result<()> {
        let bad = |why: String| {
            Error::failed("bad-key", format!("The key file {file} can't be read."))
                .with_hint("Install Nestbox again, or mend the folder of your own templates.")
                .with_detail("system", why)
        };
        let before = self.0.len();
        if bytes.starts_with(b"-----BEGIN") {
            let (keys, _) = SignedPublicKey::from_armor_many(bytes).map_err(|e| bad(e.to_string()))?;
            for key in keys {
                self.0.push(key.map_err(|e| bad(e.to_string()))?);
            }
        } else {
            for key in SignedPublicKey::from_bytes_many(bytes).map_err(|e| bad(e.to_string()))? {
                self.0.push(key.map_err(|e| bad(e.to_string()))?);
            }
        }
        if self.0.len() == before {
            return Err(bad("there is no key in it".into()));
        }
        Ok(())
    }

    /// Fingerprints of the primary keys, upper-case.
    #[cfg(test)]
    pub fn fingerprints(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|key| hex::encode_upper(key.fingerprint().as_bytes()))
            .collect()
    }

    /// Checks a detached signature, armoured or binary, and gives who made it (`KEYID name`).
    ///
    /// # Errors
    /// `signature-bad` (unsafe).
    pub fn verify_detached(&self, data: &[u8], signature: &[u8], now: SystemTime) -> Result<String> {
        let parsed: Result<Vec<_>, _> = if signature.trim_ascii_start().starts_with(b"-----BEGIN") {
            DetachedSignature::from_armor_many(signature.trim_ascii_start())
                .and_then(|(many, _)| many.collect())
        } else {
            DetachedSignature::from_bytes_many(signature).and_then(Iterator::collect)
        };
        let signatures = parsed.map_err(|error| {
            bad_signature("the signature file is not an OpenPGP signature")
                .with_detail("system", error.to_string())
        })?;
        let signatures: Vec<_> = signatures
            .into_iter()
            .map(|detached| detached.signature)
            .collect();
        self.first_good(&signatures, data, now)
    }

    /// Checks a clearsigned text and gives the text that was signed and who signed it. What is outside the signed part is dropped.
    ///
    /// # Errors
    /// `signature-missing` or `signature-bad` (unsafe).
    pub fn verify_clearsigned(&self, file: &[u8], now: SystemTime) -> Result<(String, String)> {
        const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
        let text = String::from_utf8_lossy(file);
        let Some(start) = text.find(BEGIN) else {
            return Err(signature_missing("the checksum file holds none"));
        };
        let (message, _) = CleartextSignedMessage::from_string(&text[start..]).map_err(|error| {
            bad_signature("the checksum file's signed part is damaged")
                .with_detail("system", error.to_string())
        })?;
        let signed = message.signed_text();
        let signer = self.first_good(message.signatures(), signed.as_bytes(), now)?;
        Ok((signed, signer))
    }

    fn first_good(&self, signatures: &[Signature], data: &[u8], now: SystemTime) -> Result<String> {
        // Many signatures would mean many slow checks: real files have one or two.
        let mut problem = None;
        for signature in signatures.iter().take(16) {
            match self.check(signature, data, now) {
                Ok(signer) => return Ok(signer),
                Err(Problem { known: true, error }) => problem = Some(error),
                Err(Problem { known: false, error }) => problem = problem.or(Some(error)),
            }
        }
        Err(problem.unwrap_or_else(|| bad_signature("the signature file holds no signature")))
    }

    fn check(&self, signature: &Signature, data: &[u8], now: SystemTime) -> Result<String, Problem> {
        let known = |why: &str| Problem {
            known: true,
            error: bad_signature(why),
        };
        let made_by = signature
            .issuer_fingerprint()
            .first()
            .map(|f| hex::encode_upper(f.as_bytes()))
            .or_else(|| {
                signature
                    .issuer_key_id()
                    .first()
                    .map(|id| hex::encode_upper(id.as_ref()))
            })
            .unwrap_or_else(|| "unknown".into());
        let mut mismatch = None;
        for key in &self.0 {
            let primary = signature.verify(&key.primary_key, data);
            let good = match primary {
                Ok(()) => true,
                Err(error) => {
                    if is_issuer(signature, &key.primary_key) {
                        mismatch = Some(error.to_string());
                    }
                    key.public_subkeys.iter().any(|subkey| {
                        let signs = subkey.signatures.iter().any(|s| s.key_flags().sign());
                        signs
                            && subkey.verify_bindings(&key.primary_key).is_ok()
                            && signature.verify(&subkey.key, data).is_ok()
                    })
                }
            };
            if good {
                return valid_now(signature, key, now)
                    .map(|()| describe(key))
                    .map_err(|why| known(&why));
            }
        }
        match mismatch {
            Some(system) => Err(Problem {
                known: true,
                error: bad_signature("the checksum file is not what was signed")
                    .with_detail("system", system),
            }),
            None => Err(Problem {
                known: false,
                error: bad_signature(&format!(
                    "it was made by the key {made_by}, which does not belong to this distribution"
                ))
                .with_detail("key", made_by),
            }),
        }
    }
}

struct Problem {
    /// The signature claims a key we have.
    known: bool,
    error: Error,
}

fn is_issuer(signature: &Signature, key: &impl KeyDetails) -> bool {
    signature
        .issuer_fingerprint()
        .iter()
        .any(|f| **f == key.fingerprint())
        || signature
            .issuer_key_id()
            .iter()
            .any(|id| **id == key.legacy_key_id())
}

/// Dates and digests: a signature must be of a sound digest, not expired, not from the future, by a key not expired.
fn valid_now(signature: &Signature, key: &SignedPublicKey, now: SystemTime) -> Result<(), String> {
    let sound = [
        HashAlgorithm::Sha224,
        HashAlgorithm::Sha256,
        HashAlgorithm::Sha384,
        HashAlgorithm::Sha512,
    ];
    if !signature.hash_alg().is_some_and(|hash| sound.contains(&hash)) {
        return Err("it uses a digest that is no longer safe".into());
    }
    if !key.details.revocation_signatures.is_empty() {
        return Err("its key was revoked by the owner".into());
    }
    let created: SystemTime = signature.created().ok_or("it has no date")?.into();
    if created > now + CLOCK_SLACK {
        return Err("it is dated in the future; check this computer's clock".into());
    }
    let ends =
        |start: SystemTime, seconds: u32| (seconds > 0).then(|| start + Duration::from_secs(seconds.into()));
    if let Some(expiry) = signature.signature_expiration_time()
        && ends(created, expiry.as_secs()).is_some_and(|end| end < now)
    {
        return Err("it has expired".into());
    }
    // The newest self-signature speaks for the key.
    let selfs = key
        .details
        .users
        .iter()
        .flat_map(|user| &user.signatures)
        .chain(&key.details.direct_signatures);
    let newest = selfs
        .filter(|s| is_issuer(s, &key.primary_key))
        .max_by_key(|s| s.created().map(|t| t.as_secs()));
    if let Some(expiry) = newest.and_then(Signature::key_expiration_time)
        && ends(key.created_at().into(), expiry.as_secs()).is_some_and(|end| end < now)
    {
        return Err("its key has expired".into());
    }
    Ok(())
}

fn describe(key: &SignedPublicKey) -> String {
    let id = hex::encode_upper(key.legacy_key_id().as_ref());
    match key.details.users.first() {
        Some(user) => format!("{id} {}", String::from_utf8_lossy(user.id.id())),
        None => id,
    }
}

/// `signature-bad` (unsafe).
fn bad_signature(why: &str) -> Error {
    Error::unsafe_input("signature-bad", format!("The download was refused: its signature is not good, {why}."))
        .with_hint("Try again later or choose another mirror. If it stays so, tell the distribution: someone may have changed its files.")
}

/// `signature-missing` (unsafe).
pub(crate) fn signature_missing(why: &str) -> Error {
    Error::unsafe_input(
        "signature-missing",
        format!("The download was refused: the distribution signs it, but {why}."),
    )
    .with_hint(
        "Choose another mirror that carries the signature files, or remove the mirror from the settings.",
    )
}

#[cfg(test)]
mod tests;
