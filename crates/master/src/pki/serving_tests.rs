//! A certificate that changes under an open port.

use std::time::Duration;

use futures::StreamExt as _;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use xebec_apiserver::clock::{Clock as _, SystemClock};
use xebec_rpc::tls;

use super::*;
use crate::listen;
use crate::pki::{Authority, Purpose, der_of};

/// A client that was never here: it has no session to resume.
async fn connect(address: &str, ca: &Authority) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(der_of(ca.certificate()).expect("a CA").into()).expect("a CA");
    let config = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(address).await.expect("it listens");
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("a handshake")
}

fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().expect("a server shows its own")[0].to_vec()
}

#[tokio::test]
async fn the_next_client_is_shown_the_new_certificate_and_standing_connections_stay() {
    let now = SystemClock.now();
    let ca = Authority::create("c-1", now).expect("a CA");
    let purpose = Purpose::Serving { name: "m1".to_owned(), names: vec!["127.0.0.1".to_owned()] };
    let [first, second] = [(); 2].map(|()| ca.issue(&purpose, now).expect("issued"));
    let port = ServingCertificate::new(&first.0, &first.1, ca.certificate()).expect("a pair");

    let listener = listen::bind("client_address", "127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let ca_der = der_of(ca.certificate()).expect("a CA");
    let config = listen::server_config(port.clone(), &ca_der, true, listen::HTTP2).expect("a configuration");
    let stop = CancellationToken::new();
    let (mut incoming, accepting) = listen::accept(listener, config, stop.clone());
    let accepting = tokio::spawn(accepting);

    let mut standing = connect(&address, &ca).await;
    let mut its_end = incoming.next().await.expect("accepted").expect("shaken");
    assert_eq!(shown(&standing), der_of(&first.1).expect("a certificate"));

    port.replace("no key", &second.1, ca.certificate()).expect_err("no pair");
    assert_eq!(shown(&connect(&address, &ca).await), der_of(&first.1).expect("a certificate"));
    port.replace(&second.0, &second.1, ca.certificate()).expect("a pair");
    assert_eq!(shown(&connect(&address, &ca).await), der_of(&second.1).expect("a certificate"));

    let mut read = [0; 5];
    standing.write_all(b"still").await.expect("it stands");
    standing.flush().await.expect("it stands");
    its_end.read_exact(&mut read).await.expect("it stands");
    assert_eq!(&read, b"still");
    its_end.write_all(b"there").await.expect("it stands");
    its_end.flush().await.expect("it stands");
    standing.read_exact(&mut read).await.expect("it stands");
    assert_eq!(&read, b"there");
    stop.cancel();
    accepting.await.expect("no panic");
}

#[tokio::test]
async fn a_crowd_that_never_shakes_hands_keeps_nobody_out() {
    let now = SystemClock.now();
    let ca = Authority::create("c-1", now).expect("a CA");
    let purpose = Purpose::Serving { name: "m1".to_owned(), names: vec!["127.0.0.1".to_owned()] };
    let (key, certificate) = ca.issue(&purpose, now).expect("issued");
    let port = ServingCertificate::new(&key, &certificate, ca.certificate()).expect("a pair");
    let listener = listen::bind("client_address", "127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let ca_der = der_of(ca.certificate()).expect("a CA");
    let config = listen::server_config(port, &ca_der, true, listen::HTTP2).expect("a configuration");
    let stop = CancellationToken::new();
    let (mut incoming, accepting) = listen::accept(listener, config, stop.clone());
    let accepting = tokio::spawn(accepting);

    let mut crowd = Vec::new();
    for _ in 0..listen::HANDSHAKES + 10 {
        crowd.push(TcpStream::connect(&address).await.expect("it listens"));
    }
    // Well before the crowd's time is over.
    let client = tokio::time::timeout(Duration::from_secs(3), connect(&address, &ca)).await;
    let client = client.expect("let in");
    incoming.next().await.expect("accepted").expect("shaken");
    drop((client, crowd));
    stop.cancel();
    accepting.await.expect("no panic");
}
