//! WebSockets through the ingress by two ends that know the protocol. The endpoint is this process,
//! on the bridge that the cluster's hosts hang on, behind a Service without a selector.

mod endpoint;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::{SinkExt as _, StreamExt as _};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use xebec_tests::demo::Demo;
use xebec_tests::waiting::eventually;

use crate::{HTTP, HTTPS, NODES, SOON, apply, get};
use endpoint::{Endpoint, LEAVE, PING_ME};

const HOST: &str = "sockets.test";
const PROTOCOL: &str = "chat";
const PATIENCE: Duration = Duration::from_secs(20);
/// More than any buffer on the way holds.
const LARGE: usize = 1 << 20;

const MANIFEST: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: sockets}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: sockets-of-my-own, labels: {kubernetes.io/service-name: sockets}}
addressType: IPv4
ports: [{name: http, port: PORT, protocol: TCP}]
endpoints: [{addresses: [ADDRESS]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: sockets}
spec:
  ingressClassName: xebec
  tls: [{hosts: [sockets.test], secretName: sockets}]
  rules:
    - host: sockets.test
      http:
        paths: [{path: /live, pathType: Prefix, backend: {service: {name: sockets, port: {name: http}}}}]
"#;

/// What bytes go by: a socket, or TLS on it.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

type Socket = WebSocketStream<Box<dyn Wire>>;

/// How a client comes to the ingress.
struct Way {
    scheme: &'static str,
    port: u16,
    tls: Option<TlsConnector>,
}

pub(crate) fn two_ends_that_know_the_protocol_meet(demo: &Demo) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut endpoint = within(&runtime, Endpoint::start()).expect("the bridge's address");
    let (secret, trusted) = certificate();
    let manifest = MANIFEST.replace("PORT", &endpoint.address.port().to_string());
    let manifest = manifest.replace("ADDRESS", &endpoint.address.ip().to_string());
    apply(demo, &format!("{secret}---{manifest}"));
    let plain = Way { scheme: "http", port: HTTP, tls: None };
    let ways = [plain, Way { scheme: "https", port: HTTPS, tls: Some(trusting(&trusted)) }];
    let mut sockets = ways.each_ref().map(|way| {
        let socket = eventually(&format!("a WebSocket by {}", way.scheme), SOON, || {
            within(&runtime, open(way, &format!("ws://{HOST}/live?as=one")))
        });
        let wanted = format!("asked /live?as=one of {HOST} by {} for {PROTOCOL}", way.scheme);
        assert_eq!(endpoint.last_said(), wanted, "what the endpoint is told");
        socket
    });
    for socket in &mut sockets {
        within(&runtime, talk(socket)).expect("every kind of message, both ways");
    }
    a_rule_changes_elsewhere(demo);
    for socket in &mut sockets {
        within(&runtime, talk(socket)).expect("what stood still stands");
    }
    let [client_ends, endpoint_ends] = sockets;
    within(&runtime, leave(client_ends)).expect("the client's code comes back");
    assert_eq!(within(&runtime, endpoint.next_said()).expect("in time"), "left 4001 done here");
    within(&runtime, be_left(endpoint_ends)).expect("the endpoint's code arrives");
    assert_eq!(within(&runtime, endpoint.next_said()).expect("in time"), "left 1013 come back later");
    for way in &ways {
        let refusal = |url: &str| within(&runtime, refusal(way, url)).expect("no upgrade");
        assert_eq!(refusal(&format!("ws://{HOST}/live/private")), 403, "by the endpoint");
        assert_eq!(refusal(&format!("ws://{HOST}/elsewhere")), 404, "no such path");
        assert_eq!(refusal("ws://other.test/live"), 404, "no such host");
    }
}

/// Does something asynchronous, within a bound.
fn within<T>(runtime: &Runtime, what: impl Future<Output = Result<T>>) -> Result<T> {
    runtime.block_on(async { tokio::time::timeout(PATIENCE, what).await.context("it took too long")? })
}

/// A manifest of a TLS Secret for the host, and its certificate, which is signed by itself.
fn certificate() -> (String, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).expect("made");
    let block = |pem: &str| pem.lines().map(|line| format!("    {}\n", line.trim_end())).collect::<String>();
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: sockets}}\ntype: kubernetes.io/tls\nstringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
        block(&made.cert.pem()),
        block(&made.signing_key.serialize_pem())
    );
    (secret, made.cert.der().clone())
}

/// A client's side of TLS that trusts one certificate.
fn trusting(certificate: &CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions");
    TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Shakes hands by the first node.
async fn open(way: &Way, url: &str) -> Result<Socket> {
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(PROTOCOL));
    let stream = TcpStream::connect((NODES[0], way.port)).await?;
    let stream: Box<dyn Wire> = match &way.tls {
        Some(tls) => Box::new(tls.connect(ServerName::try_from(HOST)?, stream).await?),
        None => Box::new(stream),
    };
    let (socket, answer) = client_async(request, stream).await?;
    let protocol = answer.headers().get("sec-websocket-protocol");
    ensure!(protocol.is_some_and(|protocol| protocol == PROTOCOL), "{answer:?}");
    Ok(socket)
}

/// The status of a handshake that is refused.
async fn refusal(way: &Way, url: &str) -> Result<u16> {
    match open(way, url).await {
        Ok(_) => bail!("{url} is a WebSocket"),
        Err(error) => match error.downcast::<Error>()? {
            Error::Http(answer) => Ok(answer.status().as_u16()),
            other => Err(other.into()),
        },
    }
}

/// Text, bytes and pings, small and large, from both sides.
async fn talk(socket: &mut Socket) -> Result<()> {
    let large: Vec<u8> = (0..=u8::MAX).cycle().take(LARGE).collect();
    for message in [
        Message::text("text"),
        Message::binary(vec![0, 255, 13, 10]),
        Message::text("\u{e9}".repeat(LARGE / 2)),
        Message::binary(large),
    ] {
        socket.send(message.clone()).await?;
        let back = next(socket).await?;
        ensure!(back == message, "{} bytes came back as {}", message.len(), back.len());
    }
    socket.send(Message::Ping("from the client".into())).await?;
    ensure!(next(socket).await? == Message::Pong("from the client".into()), "a pong from the endpoint");
    socket.send(Message::text(PING_ME)).await?;
    ensure!(next(socket).await? == Message::Ping("from the endpoint".into()), "a ping from the endpoint");
    ensure!(next(socket).await? == Message::text("pong from the endpoint"), "it was answered");
    Ok(())
}

async fn next(socket: &mut Socket) -> Result<Message> {
    Ok(socket.next().await.context("the connection ended")??)
}

/// The client ends it: its code and its reason go there and come back.
async fn leave(mut socket: Socket) -> Result<()> {
    let frame = CloseFrame { code: 4001_u16.into(), reason: "done here".into() };
    socket.close(Some(frame.clone())).await?;
    ended(&mut socket, frame).await
}

/// The endpoint ends it.
async fn be_left(mut socket: Socket) -> Result<()> {
    socket.send(Message::text(LEAVE)).await?;
    ended(&mut socket, CloseFrame { code: 1013_u16.into(), reason: "come back later".into() }).await
}

async fn ended(socket: &mut Socket, wanted: CloseFrame) -> Result<()> {
    let last = next(socket).await?;
    ensure!(last == Message::Close(Some(wanted)), "{last:?}");
    let more = socket.next().await;
    ensure!(more.is_none(), "after its close frame the connection ends, in order: {more:?}");
    Ok(())
}

/// Until both pods of the ingress go by it, which answer in turn.
fn a_rule_changes_elsewhere(demo: &Demo) {
    for (service, part) in [("website", "A website"), ("webshop", "<h1>Webshop</h1>")] {
        apply(
            demo,
            &format!(
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: elsewhere}}\nspec:\n  ingressClassName: xebec\n  \
                 rules: [{{host: elsewhere.test, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: {service}, port: {{name: http}}}}}}}}]}}}}]\n"
            ),
        );
        eventually(&format!("the rule to {service}"), SOON, || {
            for _ in 0..8 {
                let (status, body) = get(NODES[0], "elsewhere.test", "/")?;
                ensure!(status == 200 && body.contains(part), "{status} {body}");
            }
            Ok(())
        });
    }
}
