//! A probe by HTTP or HTTPS. Whose certificate it is does not matter: what is asked is
//! whether somebody answers.

use std::sync::{Arc, OnceLock};

use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::HTTPGetAction;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub(super) async fn get(action: &HTTPGetAction, host: &str, port: u16) -> Result<(), String> {
    let request = request(action, host, port)?;
    let stream = TcpStream::connect((host, port)).await;
    let stream = stream.map_err(|error| format!("Get {host}:{port}: {error}"))?;
    if action.scheme.as_deref() != Some("HTTPS") {
        return ask(stream, request).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|error| format!("{host:?}: {error}"))?;
    let stream = tokio_rustls::TlsConnector::from(tls()).connect(name, stream).await;
    ask(stream.map_err(|error| format!("Get {host}:{port}: {error}"))?, request).await
}

fn request(action: &HTTPGetAction, host: &str, port: u16) -> Result<Request<Empty<bytes::Bytes>>, String> {
    let path = action.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let request = Request::get(path).body(Empty::new());
    let mut request = request.map_err(|error| format!("httpGet: {error}"))?;
    let headers = request.headers_mut();
    let authority = HeaderValue::from_str(&format!("{host}:{port}"));
    headers.insert(HOST, authority.map_err(|error| format!("{host:?}: {error}"))?);
    headers.insert(USER_AGENT, HeaderValue::from_static("kube-probe/1.35"));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    // Those of the probe stand in place of ours; one name may stand there several times.
    let mut own = HeaderMap::new();
    for header in action.http_headers.iter().flatten() {
        let wrong = |why: String| format!("httpHeaders {:?}: {why}", header.name);
        let name: HeaderName = header.name.parse().map_err(|error| wrong(format!("{error}")))?;
        let value = HeaderValue::from_str(&header.value).map_err(|error| wrong(error.to_string()))?;
        own.append(name, value);
    }
    headers.extend(own);
    Ok(request)
}

/// Sends the request; its connection ends with it.
async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Empty<bytes::Bytes>>,
) -> Result<(), String> {
    let connected = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = connected.map_err(|error| error.to_string())?;
    let connection = async {
        // What it ended with is the request's to say.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! {
        answer = sender.send_request(request) => answer,
        () = connection => unreachable!("it is pending for ever"),
    };
    let code = answer.map_err(|error| error.to_string())?.status().as_u16();
    if (200..400).contains(&code) {
        Ok(())
    } else {
        Err(format!("HTTP probe failed with statuscode: {code}"))
    }
}

fn tls() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider.clone());
        let config = config.with_safe_default_protocol_versions().expect("ring has the default versions");
        let verifier = Arc::new(Anyone(provider));
        Arc::new(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
    });
    config.clone()
}

/// Takes any certificate, but not a broken handshake.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_header_may_be_repeated_and_stands_in_place_of_our_own() {
        let header = |name: &str, value: &str| json!({"name": name, "value": value});
        let headers = [header("X-Shop", "a"), header("Accept", "text/plain"), header("x-shop", "b")];
        let action = serde_json::from_value(json!({"port": 80, "httpHeaders": headers})).expect("an action");
        let request = request(&action, "192.0.2.1", 80).expect("a request");
        let mut told: Vec<String> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
            .collect();
        // Names come in any order, the values of one in theirs.
        told.sort_by_key(|line| line.starts_with("x-shop"));
        told[..3].sort();
        let wanted = [
            "accept: text/plain",
            "host: 192.0.2.1:80",
            "user-agent: kube-probe/1.35",
            "x-shop: a",
            "x-shop: b",
        ];
        assert_eq!(told, wanted);
    }
}
