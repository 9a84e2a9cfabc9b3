//! Certificates and keys in PEM (RFC 7468), taken apart by the reader of the TLS library that
//! serves them in the end: what passes here is what it finds, and what it stumbles over is
//! refused here. Of what the blocks hold only the outside is looked at, that it is DER. No
//! error says anything of what is in them.

use rustls_pki_types::pem::{Error, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What a key with a password is labelled: PKCS #8 says so in the label, others in a header.
const ENCRYPTED: [&str; 2] = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];
/// A sequence of DER, as certificates and keys are on their outside.
const SEQUENCE: u8 = 0x30;

/// What is wrong with a text in PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// Text of another kind, or nothing but other blocks.
    #[error("there is no such block")]
    NoBlock,
    /// A key that needs a password.
    #[error("it is encrypted")]
    Encrypted,
    /// Cut off.
    #[error("a block has no end")]
    Unfinished,
    /// Cut off, or changed.
    #[error("a block is damaged")]
    Damaged,
}

impl From<Error> for PemError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoItemsFound => Self::NoBlock,
            Error::MissingSectionEnd { .. } => Self::Unfinished,
            _ => Self::Damaged,
        }
    }
}

/// All certificates, in their order: at least one. Other blocks are passed over, but none of
/// the known kinds may be broken.
///
/// # Errors
/// When there is none, or a block is broken.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
    if all.is_empty() {
        return Err(PemError::NoBlock);
    }
    if all.iter().all(|certificate| is_sequence(certificate)) { Ok(all) } else { Err(PemError::Damaged) }
}

/// The first private key: PKCS #8, PKCS #1 or SEC 1. What stands behind it is not looked at.
///
/// # Errors
/// When there is none, or it or a block before it is broken, or it needs a password.
pub fn key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) if is_sequence(key.secret_der()) => Ok(key),
        Ok(_) => Err(PemError::Damaged),
        Err(_) if is_encrypted(pem) => Err(PemError::Encrypted),
        Err(error) => Err(error.into()),
    }
}

fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    ENCRYPTED.iter().any(|mark| text.contains(mark))
}

/// One sequence, whole and with nothing behind it.
fn is_sequence(der: &[u8]) -> bool {
    let [SEQUENCE, first, rest @ ..] = der else { return false };
    if *first < 0x80 {
        return rest.len() == usize::from(*first);
    }
    match rest.split_at_checked(usize::from(first & 0x7f)) {
        Some((length, rest)) if length.len() <= 4 => {
            length.iter().fold(0_u64, |sum, byte| sum * 256 + u64::from(*byte)) == rest.len() as u64
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// A sequence that holds nothing.
    const EMPTY: &str = "MAA=";

    fn block(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    fn chain(pem: &str) -> Result<usize, PemError> {
        certificates(pem.as_bytes()).map(|chain| chain.len())
    }

    fn key_of(pem: &str) -> Result<Vec<u8>, PemError> {
        key(pem.as_bytes()).map(|key| key.secret_der().to_vec())
    }

    #[test]
    fn certificates_and_keys_are_found_among_other_things() {
        let certificate = block("CERTIFICATE", EMPTY);
        let long = [&[SEQUENCE, 0x82, 1, 0][..], &[7; 256]].concat();
        let long = block("CERTIFICATE", &STANDARD.encode(long));
        let both = ["Subject: a comment\n", &long, &block("X", "?"), &certificate].concat();
        assert_eq!(chain(&both), Ok(2));
        assert_eq!(chain(&both.replace("-----\n", "----- \n").replace('\n', "\r\n")), Ok(2));
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            assert_eq!(key_of(&block(label, EMPTY)), Ok(vec![SEQUENCE, 0]));
        }
        let key = [block("EC PARAMETERS", "x"), block("EC PRIVATE KEY", EMPTY), certificate].concat();
        assert_eq!(key_of(&key), Ok(vec![SEQUENCE, 0]));
    }

    #[test]
    fn what_the_server_would_stumble_over_is_refused() {
        let (certificate, key) = (block("CERTIFICATE", EMPTY), block("PRIVATE KEY", EMPTY));
        let cases = [
            (String::new(), PemError::NoBlock),
            ("text".to_owned(), PemError::NoBlock),
            (key, PemError::NoBlock),
            (format!("text {certificate}"), PemError::NoBlock),
            (certificate.replace("-----END", ""), PemError::Unfinished),
            (format!("{certificate}-----BEGIN CERTIFICATE-----\n{EMPTY}\n"), PemError::Unfinished),
            (format!("{certificate}-----BEGIN CERTIFICATE"), PemError::Damaged),
            (format!("{certificate}{}", block("CERTIFICATE", "no base64!")), PemError::Damaged),
            (format!("{certificate}{}", block("CERTIFICATE", "BAA=")), PemError::Damaged),
        ];
        for (pem, expected) in cases {
            assert_eq!(chain(&pem), Err(expected), "{pem}");
        }
        assert_eq!(certificates(b"\x30\x82\xff"), Err(PemError::NoBlock));
        assert_eq!(key_of(&certificate), Err(PemError::NoBlock));
        // Nothing, no length, too short, too long, no sequence, and a length of nine bytes.
        for body in ["", "MA==", "MAIA", "MAAA", "BAA=", "MIkA"] {
            assert_eq!(key_of(&block("PRIVATE KEY", body)), Err(PemError::Damaged), "{body}");
        }
    }

    #[test]
    fn a_key_with_a_password_is_told_in_both_forms() {
        let headers = format!("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{EMPTY}");
        for pem in [block("ENCRYPTED PRIVATE KEY", EMPTY), block("RSA PRIVATE KEY", &headers)] {
            assert_eq!(key_of(&pem), Err(PemError::Encrypted));
        }
    }
}
