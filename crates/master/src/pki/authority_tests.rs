//! What the CA issues, by values, and whom its ports let in.

use std::time::Duration;

use expect_test::expect;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("a time")
}

fn at(days: i64) -> UnixTime {
    let seconds = u64::try_from(NOW + days * DAY).expect("after 1970");
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn node() -> Purpose {
    Purpose::Client { name: "system:node:n1".into(), groups: vec!["system:nodes".into()] }
}

/// Whether a port of this CA takes a client's certificate.
fn admits(ca: &Authority, pem: &str, when: UnixTime) -> Result<(), String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.certificate_der.clone().into()).expect("a CA");
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), xebec_rpc::tls::provider());
    let verifier = verifier.build().expect("a verifier");
    let der = CertificateDer::from(der_of(pem).expect("a certificate"));
    let verified = verifier.verify_client_cert(&der, &[], when);
    verified.map(drop).map_err(|error| error.to_string().split(':').take(2).collect::<Vec<_>>().join(":"))
}

#[test]
fn certificates_say_what_they_are_for_and_no_more() {
    let ca = Authority::create("c-1", now()).expect("a CA");
    let names = || vec!["10.0.0.1".to_owned(), "m1".to_owned()];
    let purposes = [
        node(),
        Purpose::Client { name: "xebec-admin".into(), groups: vec!["system:masters".into()] },
        Purpose::Serving { name: "m1".into(), names: names() },
        Purpose::Peer { name: "m1".into(), names: names() },
    ];
    let mut shown = String::new();
    for purpose in purposes {
        let (_, pem) = ca.issue(&purpose, now()).expect("issued");
        let der = der_of(&pem).expect("a certificate");
        let (_, certificate) = X509Certificate::from_der(&der).expect("parses");
        let usage = certificate.extended_key_usage().expect("well formed").expect("there").value;
        let names = certificate.subject_alternative_name().expect("well formed");
        let days = (certificate.validity().not_after.timestamp() - NOW + DAY) / DAY;
        shown += &format!(
            "{} client={} server={} names={} days={days} ca={}\n",
            certificate.subject(),
            usage.client_auth,
            usage.server_auth,
            names.map_or(0, |names| names.value.general_names.len()),
            certificate.is_ca(),
        );
    }
    expect![[r#"
        CN=system:node:n1, O=system:nodes client=true server=false names=0 days=30 ca=false
        CN=xebec-admin, O=system:masters client=true server=false names=0 days=365 ca=false
        CN=m1 client=false server=true names=2 days=7 ca=false
        CN=m1, O=xebec:masters client=true server=true names=2 days=7 ca=false
    "#]]
    .assert_eq(&shown);
}

#[test]
fn a_request_gets_our_name_and_not_the_one_it_asks_for() {
    let ca = Authority::create("c-1", now()).expect("a CA");
    let key = KeyPair::generate().expect("a key");
    let mut wish = CertificateParams::default();
    wish.distinguished_name.push(DnType::CommonName, "xebec-admin");
    wish.distinguished_name.push(DnType::OrganizationName, "system:masters");
    let csr = wish.serialize_request(&key).expect("a request").pem().expect("PEM");
    let pem = ca.sign(&csr, &node(), now()).expect("signed");
    let user =
        xebec_apiserver::authentication::certificate(&der_of(&pem).expect("a certificate")).expect("a user");
    assert_eq!((user.name.as_str(), user.groups[0].as_str()), ("system:node:n1", "system:nodes"));
    assert!(!user.groups.iter().any(|group| group == "system:masters"));
    let error = ca.sign("no request", &node(), now()).expect_err("refused").to_string();
    assert!(error.starts_with("certificates: csr: "), "{error}");
}

#[test]
fn only_this_ca_and_only_in_time() {
    let [ours, foreign] = ["c-1", "c-1"].map(|id| Authority::create(id, now()).expect("a CA"));
    let (_, pem) = ours.issue(&node(), now()).expect("issued");
    assert_eq!(admits(&ours, &pem, at(0)), Ok(()));
    assert_eq!(admits(&ours, &pem, at(29)), Ok(()));
    assert!(admits(&ours, &pem, at(32)).expect_err("expired").contains("expired"));
    assert!(admits(&ours, &pem, at(-3)).expect_err("early").contains("not valid yet"));
    assert!(admits(&foreign, &pem, at(0)).is_err(), "the same name, but another key");
    let (_, serving) =
        ours.issue(&Purpose::Serving { name: "m1".into(), names: vec![] }, now()).expect("issued");
    assert!(admits(&ours, &serving, at(0)).is_err(), "a server's certificate is no client's");
    let again = Authority::load(ours.certificate(), ours.key()).expect("reads back");
    assert_eq!((again.hash(), again.issue(&node(), now()).is_ok()), (ours.hash(), true));
}
