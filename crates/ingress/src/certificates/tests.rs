//! Which certificate a name gets, and that a broken Secret takes nothing from others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use xebec_dataplane::ingress::{Sources, ingress_table};

use super::*;

fn secret(name: &str, version: &str, certificate: &str, key: &str) -> Arc<Object> {
    let encode = |text: &str| STANDARD.encode(text);
    let value = json!({"metadata": {"namespace": "default", "name": name, "resourceVersion": version},
        "data": {"tls.crt": encode(certificate), "tls.key": encode(key)}});
    object(&value)
}

fn object(value: &Value) -> Arc<Object> {
    Arc::new(Object::from_json(value.to_string().as_bytes()).expect("a map"))
}

fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["a.com".to_owned()]).expect("made");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A table in which `a.com` and `*.a.com` have the Secret `good`, and `b.com` has `bad`.
fn table() -> IngressTable {
    let ingress = object(
        &json!({"metadata": {"namespace": "default", "name": "i"}, "spec": {"ingressClassName": "xebec",
        "tls": [{"hosts": ["a.com", "*.a.com"], "secretName": "good"}, {"hosts": ["b.com"], "secretName": "bad"}]}}),
    );
    let secrets = ["bad", "good"].map(|name| ("default".to_owned(), name.to_owned()));
    ingress_table(&Sources {
        ingresses: &[ingress],
        classes: &[],
        services: &[],
        slices: &[],
        secrets: &secrets,
    })
}

#[test]
fn names_get_their_certificate_and_all_others_the_default() {
    let (certificates, mut known) = (Certificates::new().expect("made"), Known::default());
    let ((certificate, key), (_, other)) = (pair(), pair());
    let good = secret("good", "1", &certificate, &key);
    let bad = secret("bad", "1", &certificate, &other);
    certificates.update(&table(), &mut known, |name| {
        Some(if name.1 == "good" { Arc::clone(&good) } else { Arc::clone(&bad) })
    });
    let is_default = |name| Arc::ptr_eq(&certificates.find(name), &certificates.default);
    assert_eq!(
        ["a.com", "X.A.com", "b.com", "c.com", "x.y.a.com"].map(|name| is_default(Some(name))),
        [false, false, true, true, true]
    );
    assert!(is_default(None));
}

#[test]
fn a_changed_secret_is_read_anew_and_an_unchanged_one_is_not() {
    let (certificates, mut known) = (Certificates::new().expect("made"), Known::default());
    let update = |known: &mut Known, version: &str, (certificate, key): &(String, String)| {
        let good = secret("good", version, certificate, key);
        certificates.update(&table(), known, |name| (name.1 == "good").then(|| Arc::clone(&good)));
        certificates.find(Some("a.com"))
    };
    let (first, second) = (pair(), pair());
    let before = update(&mut known, "1", &first);
    assert!(Arc::ptr_eq(&before, &update(&mut known, "1", &first)));
    let after = update(&mut known, "2", &second);
    assert_ne!(before.cert, after.cert);
    certificates.update(&IngressTable::default(), &mut known, |_| None);
    assert!(Arc::ptr_eq(&certificates.find(Some("a.com")), &certificates.default) && known.0.is_empty());
}

#[test]
fn what_is_no_certificate_is_told_by_field() {
    let (certificate, key) = pair();
    let why = |certificate: &str, key: &str| {
        certified(&secret("s", "1", certificate, key)).expect_err("refused").to_string()
    };
    assert_eq!(why("", &key), "tls.crt is missing or empty");
    assert_eq!(why("text", &key), "tls.crt has no PEM block \"CERTIFICATE\"");
    assert_eq!(why(&certificate, "text"), "tls.key has no PEM block \"PRIVATE KEY\"");
    assert!(why(&certificate, &pair().1).starts_with("tls.key: "), "another certificate's key");
}
