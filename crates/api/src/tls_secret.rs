//! What a Secret of type `kubernetes.io/tls` must hold to be of any use: a certificate and a
//! key as PEM. Looks at the form alone, so that a wrong one can be told of by whoever has no
//! cryptography; that the key is the certificate's is found out by whoever serves it. What
//! passes a TLS library passes here. No error says anything of what is in the Secret.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use crate::object::Object;

const CERTIFICATES: &[&str] = &["CERTIFICATE"];
/// PKCS #8, PKCS #1 and SEC 1.
const KEYS: &[&str] = &["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
/// As lenient as any reader of PEM.
const PEM: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// A sequence of DER, as certificates and keys are on their outside.
const SEQUENCE: u8 = 0x30;

/// What is wrong with such a Secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsSecretError {
    /// Nothing there.
    #[error("{0} is missing or empty")]
    Empty(&'static str),
    /// Text of another kind, or nothing but other blocks.
    #[error("{field} has no PEM block {label:?}")]
    NoBlock {
        /// Of the Secret's data.
        field: &'static str,
        /// What it should have.
        label: &'static str,
    },
    /// A key that needs a password.
    #[error("{0} is encrypted: take its password away")]
    Encrypted(&'static str),
    /// Cut off.
    #[error("a PEM block in {0} has no end")]
    Unfinished(&'static str),
    /// Cut off, or changed.
    #[error("a PEM block in {0} is damaged")]
    Damaged(&'static str),
}

/// Looks at `tls.crt` and `tls.key`.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(secret: &Object) -> Result<(), TlsSecretError> {
    check_field(secret, "tls.crt", CERTIFICATES)?;
    check_field(secret, "tls.key", KEYS)
}

/// The first block with one of these labels counts.
fn check_field(
    secret: &Object,
    field: &'static str,
    labels: &'static [&'static str],
) -> Result<(), TlsSecretError> {
    let bytes = STANDARD.decode(secret.text(&["data", field])).unwrap_or_default();
    if bytes.is_empty() {
        return Err(TlsSecretError::Empty(field));
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.split(['\n', '\r']);
    let mut encrypted = false;
    while let Some(line) = lines.next() {
        let Some(label) =
            line.strip_prefix("-----BEGIN ").and_then(|rest| rest.trim_end().strip_suffix("-----"))
        else {
            continue;
        };
        if labels.contains(&label) {
            let der = body(label, lines).ok_or(TlsSecretError::Unfinished(field))?;
            let whole = PEM.decode(der).is_ok_and(|der| is_sequence(&der));
            return if whole { Ok(()) } else { Err(TlsSecretError::Damaged(field)) };
        }
        encrypted |= label == ENCRYPTED;
    }
    if encrypted {
        return Err(TlsSecretError::Encrypted(field));
    }
    Err(TlsSecretError::NoBlock { field, label: labels[0] })
}

/// What stands before the end of a block, without the breaks.
fn body<'a>(label: &str, lines: impl Iterator<Item = &'a str>) -> Option<String> {
    let end = format!("-----END {label}-----");
    let mut body = String::new();
    for line in lines {
        if line.starts_with(&end) {
            return Some(body);
        }
        body.extend(line.split_ascii_whitespace());
    }
    None
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
    use serde_json::json;

    use super::*;

    fn block(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    fn told(certificate: &str, key: &str) -> String {
        let value =
            json!({"data": {"tls.crt": STANDARD.encode(certificate), "tls.key": STANDARD.encode(key)}});
        let secret = Object::from_json(value.to_string().as_bytes()).expect("a map");
        check(&secret).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_has_the_form_of_a_certificate_and_a_key_passes() {
        let certificate = block("CERTIFICATE", &[SEQUENCE, 0]);
        for label in KEYS {
            assert_eq!(told(&certificate, &block(label, &[SEQUENCE, 1, 0])), "");
        }
        let long = [&[SEQUENCE, 0x82, 1, 0][..], &[7; 256]].concat();
        let chain = ["Subject: a comment\r\n", &block("CERTIFICATE", &long), &certificate].concat();
        let key = [block("EC PARAMETERS", b"x"), block("EC PRIVATE KEY", &long)].concat();
        assert_eq!(told(&chain.replace('\n', "\r\n"), &key.replace("-----\n", "----- \n")), "");
    }

    #[test]
    fn what_has_not_is_told_by_field() {
        let certificate = block("CERTIFICATE", &[SEQUENCE, 0]);
        let key = block("PRIVATE KEY", &[SEQUENCE, 0]);
        assert_eq!(told("", &key), "tls.crt is missing or empty");
        assert_eq!(told("text", &key), "tls.crt has no PEM block \"CERTIFICATE\"");
        assert_eq!(told(&key, &certificate), "tls.crt has no PEM block \"CERTIFICATE\"");
        assert_eq!(told(&certificate, &certificate), "tls.key has no PEM block \"PRIVATE KEY\"");
        let locked = block(ENCRYPTED, &[SEQUENCE, 0]);
        assert_eq!(told(&certificate, &locked), "tls.key is encrypted: take its password away");
        let cut = certificate.replace("-----END", "");
        assert_eq!(told(&cut, &key), "a PEM block in tls.crt has no end");
        for der in
            [&b""[..], &[SEQUENCE], &[SEQUENCE, 2, 0], &[SEQUENCE, 0, 0], &[4, 0], &[SEQUENCE, 0x89, 0]]
        {
            let told = told(&certificate, &block("PRIVATE KEY", der));
            assert_eq!(told, "a PEM block in tls.key is damaged", "{der:?}");
        }
        let odd = certificate.replace('M', "!");
        assert_eq!(told(&odd, &key), "a PEM block in tls.crt is damaged");
    }
}
