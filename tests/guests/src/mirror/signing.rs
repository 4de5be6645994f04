//! Keys, signatures and digests.

use super::{Fault, layouts::Image};
use pgp::{
    composed::{
        ArmorOptions, CleartextSignedMessage, DetachedSignature, EncryptionCaps, KeyType,
        SecretKeyParamsBuilder, SignedSecretKey, SubpacketConfig,
    },
    crypto::hash::HashAlgorithm,
    packet::{Subpacket, SubpacketData},
    types::{Duration, KeyDetails, Password, Timestamp},
};
use sha2::{Digest, Sha256, Sha512};
use std::{
    io::{self, Read},
    path::Path,
};

pub(super) fn digests(path: &Path) -> io::Result<(String, String)> {
    let mut file = std::fs::File::open(path)?;
    let (mut sha256, mut sha512) = (Sha256::new(), Sha512::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hex::encode(sha256.finalize()), hex::encode(sha512.finalize()))),
            n => {
                sha256.update(&buffer[..n]);
                sha512.update(&buffer[..n]);
            }
        }
    }
}

pub(super) fn make_key(name: &str) -> io::Result<SignedSecretKey> {
    SecretKeyParamsBuilder::default()
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(true)
        .can_encrypt(EncryptionCaps::None)
        .primary_user_id(format!("{name} <mirror@example.invalid>"))
        .build()
        .map_err(io::Error::other)?
        .generate(rand::thread_rng())
        .map_err(io::Error::other)
}

/// A detached armoured signature, perhaps expired.
pub(super) fn sign(key: &SignedSecretKey, data: &[u8], expired: bool) -> Result<String, pgp::errors::Error> {
    let config = if expired {
        let created = Timestamp::from_secs(Timestamp::now().as_secs().saturating_sub(2 * 86_400));
        SubpacketConfig::UserDefined {
            hashed: vec![
                Subpacket::regular(SubpacketData::SignatureCreationTime(created))?,
                Subpacket::regular(SubpacketData::SignatureExpirationTime(Duration::from_secs(
                    86_400,
                )))?,
                Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
            ],
            unhashed: vec![],
        }
    } else {
        SubpacketConfig::Default
    };
    DetachedSignature::sign_binary_data_with_subpackets(
        rand::thread_rng(),
        &key.primary_key,
        &Password::empty(),
        HashAlgorithm::Sha512,
        data,
        config,
    )?
    .to_armored_string(ArmorOptions::default())
}

/// The text with its signature around it.
pub(super) fn clearsign(key: &SignedSecretKey, text: &str) -> Result<String, pgp::errors::Error> {
    CleartextSignedMessage::sign(rand::thread_rng(), text, &key.primary_key, &Password::empty())
        .and_then(|message| message.to_armored_string(ArmorOptions::default()))
}

/// Changes a checksum file after it was signed: another digest in the same place.
pub(super) fn spoil(fault: &Fault, image: &Image, text: String) -> String {
    if *fault != Fault::BadSignature {
        return text;
    }
    let other = |digest: &str| digest.chars().rev().collect::<String>();
    text.replace(&image.sha256, &other(&image.sha256))
        .replace(&image.sha512, &other(&image.sha512))
}
