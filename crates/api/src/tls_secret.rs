//! What a Secret of type `kubernetes.io/tls` must hold to be of any use: a certificate and a
//! key as PEM. One reading for the ingress, which serves it, and for the controller, which has
//! no cryptography and tells of it: that the key is the certificate's only the first finds
//! out. No error says anything of what is in the Secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::object::Object;
use crate::pem::{self, PemError};

/// The chain, and the key of its first certificate.
pub type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

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

/// Reads `tls.crt` and `tls.key`.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(secret: &Object) -> Result<Pair, TlsSecretError> {
    let chain = read_field(secret, "tls.crt", "CERTIFICATE", pem::certificates)?;
    let key = read_field(secret, "tls.key", "PRIVATE KEY", pem::key)?;
    Ok((chain, key))
}

fn read_field<T>(
    secret: &Object,
    field: &'static str,
    label: &'static str,
    read: impl Fn(&[u8]) -> Result<T, PemError>,
) -> Result<T, TlsSecretError> {
    let bytes = STANDARD.decode(secret.text(&["data", field])).unwrap_or_default();
    if bytes.is_empty() {
        return Err(TlsSecretError::Empty(field));
    }
    read(&bytes).map_err(|error| match error {
        PemError::NoBlock => TlsSecretError::NoBlock { field, label },
        PemError::Encrypted => TlsSecretError::Encrypted(field),
        PemError::Unfinished => TlsSecretError::Unfinished(field),
        PemError::Damaged => TlsSecretError::Damaged(field),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn block(label: &str) -> String {
        format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n")
    }

    fn told(certificate: &str, key: &str) -> String {
        let value =
            json!({"data": {"tls.crt": STANDARD.encode(certificate), "tls.key": STANDARD.encode(key)}});
        let secret = Object::from_json(value.to_string().as_bytes()).expect("a map");
        read(&secret).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_wrong_is_told_by_field() {
        let (certificate, key) = (block("CERTIFICATE"), block("PRIVATE KEY"));
        assert_eq!(told(&certificate, &key), "");
        assert_eq!(told("", &key), "tls.crt is missing or empty");
        assert_eq!(told("text", &key), "tls.crt has no PEM block \"CERTIFICATE\"");
        assert_eq!(told(&key, &certificate), "tls.crt has no PEM block \"CERTIFICATE\"");
        assert_eq!(told(&certificate, &certificate), "tls.key has no PEM block \"PRIVATE KEY\"");
        let locked = block("ENCRYPTED PRIVATE KEY");
        assert_eq!(told(&certificate, &locked), "tls.key is encrypted: take its password away");
        let cut = certificate.replace("-----END", "");
        assert_eq!(told(&cut, &key), "a PEM block in tls.crt has no end");
        let odd = key.replace("MAA", "!!!");
        assert_eq!(told(&certificate, &odd), "a PEM block in tls.key is damaged");
        let half = [certificate.as_str(), &cut].concat();
        assert_eq!(told(&half, &key), "a PEM block in tls.crt has no end", "of a chain, all is read");
    }
}
