//! TLS: certificates by name, changed while connections stand, and HTTP/2.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use xebec_api::object::Object;
use xebec_dataplane::ingress::{IngressTable, Sources, ingress_table};

use super::endpoint::Endpoint;
use super::lab::{Client, Lab, certificate, object, table};
use crate::guard::HEAD_TIMEOUT;

/// A table in which `a.com` leads to an endpoint and has the Secret `site`.
fn secured(endpoint: std::net::SocketAddr) -> IngressTable {
    let mut secured = table(&[("a.com", &[endpoint])]);
    let ingress = object(&json!({"metadata": {"namespace": "default", "name": "tls"},
        "spec": {"ingressClassName": "xebec", "tls": [{"hosts": ["a.com"], "secretName": "site"}]}}));
    let secrets = [("default".to_owned(), "site".to_owned())];
    let sources =
        Sources { ingresses: &[ingress], classes: &[], services: &[], slices: &[], secrets: &secrets };
    secured.certificates = ingress_table::<Arc<Object>>(&sources).certificates;
    secured
}

fn secret(version: &str, certificate: &str, key: &str) -> Arc<Object> {
    object(&json!({"metadata": {"namespace": "default", "name": "site", "resourceVersion": version},
        "data": {"tls.crt": STANDARD.encode(certificate), "tls.key": STANDARD.encode(key)}}))
}

/// Shakes hands as `a.com`, trusting one certificate.
async fn shake(
    lab: &Lab,
    trusted: &rustls::pki_types::CertificateDer<'static>,
    alpn: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions");
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(lab.https).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("a.com").expect("a name"), stream).await
}

#[tokio::test]
async fn a_certificate_goes_by_name_and_changes_without_a_connection_lost() {
    let a = Endpoint::Echo("a").run().await;
    let mut lab = Lab::start(table(&[]));
    let ((first_pem, first_key, first), (second_pem, second_key, second)) =
        (certificate("a.com"), certificate("a.com"));
    shake(&lab, &first, b"http/1.1").await.expect_err("the default certificate is nobody's");
    lab.server.set(secured(a.address), |_| Some(secret("1", &first_pem, &first_key)));
    let mut client = Client(shake(&lab, &first, b"http/1.1").await.expect("trusted"));
    assert!(client.get("a.com", "/").await.body.contains("x-forwarded-proto: https"));
    lab.server.set(secured(a.address), |_| Some(secret("2", &second_pem, &second_key)));
    shake(&lab, &first, b"http/1.1").await.expect_err("the old one is not shown any more");
    assert_eq!(
        Client(shake(&lab, &second, b"http/1.1").await.expect("trusted")).get("a.com", "/").await.status,
        200
    );
    assert_eq!(client.get("a.com", "/").await.status, 200, "what stood still stands");
}

async fn over_http2<S>(stream: S, scheme: &str) -> (u16, String)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut send, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let request = http::Request::get(format!("{scheme}://a.com/two")).body(()).expect("a request");
    let response = send.send_request(request, true).expect("sent").0.await.expect("answered");
    let (status, mut body, mut bytes) = (response.status().as_u16(), response.into_body(), Vec::new());
    while let Some(data) = body.data().await {
        bytes.extend_from_slice(&data.expect("data"));
    }
    connection.abort();
    (status, String::from_utf8(bytes).expect("text"))
}

#[tokio::test]
async fn http2_is_spoken_with_tls_and_without() {
    let a = Endpoint::Echo("a").run().await;
    let mut lab = Lab::start(table(&[]));
    let (pem, key, trusted) = certificate("a.com");
    lab.server.set(secured(a.address), |_| Some(secret("1", &pem, &key)));
    let stream = shake(&lab, &trusted, b"h2").await.expect("trusted");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (status, body) = over_http2(stream, "https").await;
    assert!(
        status == 200 && body.contains("get /two http/1.1") && body.contains("host: a.com"),
        "{status} {body}"
    );
    let (status, body) = over_http2(TcpStream::connect(lab.http).await.expect("it listens"), "http").await;
    assert!(status == 200 && body.contains("x-forwarded-proto: http\n"), "{status} {body}");
    lab.server.stop().await;
    assert!(lab.log.text().contains("\"GET https://a.com/two HTTP/2.0\" 200 "), "{}", lab.log.text());
}

/// Time moves by itself while everybody waits.
#[tokio::test(start_paused = true)]
async fn who_agrees_on_http2_and_does_not_speak_it_is_given_up() {
    let a = Endpoint::Echo("a").run().await;
    let mut lab = Lab::start(table(&[]));
    let (pem, key, trusted) = certificate("a.com");
    lab.server.set(secured(a.address), |_| Some(secret("1", &pem, &key)));
    let mut silent = Client(shake(&lab, &trusted, b"h2").await.expect("trusted"));
    let said = tokio::time::timeout(2 * HEAD_TIMEOUT, silent.rest()).await;
    assert_eq!(said.expect("the connection is closed"), "");
    let mut other = Client(shake(&lab, &trusted, b"h2").await.expect("trusted"));
    other.send("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n").await;
    let said = other.rest().await;
    assert!(
        said.starts_with("HTTP/1.1 400 ") && said.ends_with("HTTP/1 where HTTP/2 was agreed on\n"),
        "{said}"
    );
}
