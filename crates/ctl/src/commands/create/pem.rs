//! PEM (RFC 7468), as far as it takes to tell certificates, keys and other files apart. What
//! the blocks hold is not looked into, beyond that it is DER.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a certificate's block is labelled.
pub(super) const CERTIFICATE: &str = "CERTIFICATE";
/// What the label of every private key ends with.
pub(super) const KEY: &str = "PRIVATE KEY";
/// The labels of keys that need no passphrase.
pub(super) const PLAIN_KEYS: &[&str] = &["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/// The first byte of a SEQUENCE, which certificates and keys are.
const SEQUENCE: u8 = 0x30;

/// The labels of the whole blocks, in their order: none of one that is cut off or no base64.
pub(super) fn labels(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut rest: &str = &text;
    let mut labels = Vec::new();
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let Some((label, body)) = after.split_once("-----") else { break };
        let end = format!("-----END {label}-----");
        rest = body;
        if let Some((body, after)) = body.split_once(end.as_str()) {
            rest = after;
            if is_der(body) {
                labels.push(label.to_owned());
            }
        }
    }
    labels
}

/// Whether it is a key, and one that needs a passphrase, in either of the two forms.
pub(super) fn is_encrypted(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn is_der(body: &str) -> bool {
    let packed: String = body.split_whitespace().collect();
    STANDARD.decode(packed).is_ok_and(|der| der.first() == Some(&SEQUENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_blocks_are_told_apart_by_their_labels() {
        let block =
            |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        let both =
            format!("subject=x\n{}{}", block(CERTIFICATE, "MAMC\nAQE="), block("EC PRIVATE KEY", "MAA="));
        let cases = [
            (both, vec![CERTIFICATE, "EC PRIVATE KEY"]),
            (block(CERTIFICATE, "no base64"), vec![]),
            (block(CERTIFICATE, "AAAA"), vec![]),
            (block(CERTIFICATE, ""), vec![]),
            ("-----BEGIN CERTIFICATE-----\nMAA=".to_owned(), vec![]),
            ("-----BEGIN CERTIFICATE".to_owned(), vec![]),
            (format!("-----BEGIN CERTIFICATE-----\nMAA=\n{}", block(KEY, "MAA=")), vec![KEY]),
            (String::new(), vec![]),
        ];
        for (text, expected) in cases {
            assert_eq!(labels(text.as_bytes()), expected, "{text}");
        }
        assert!(labels(b"\x30\x82\xff").is_empty());
        assert!(is_encrypted(block("ENCRYPTED PRIVATE KEY", "MAA=").as_bytes()));
        assert!(!is_encrypted(block(KEY, "MAA=").as_bytes()));
    }
}
