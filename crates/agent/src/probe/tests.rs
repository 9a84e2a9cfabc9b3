//! Probes of each kind against real servers on loopback.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, Probe};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use xebec_runtime::fake::{Behaviour, FakeRuntime};
use xebec_runtime::{ContainerSpec, Runtime, SandboxSpec};

use super::Target;
use super::attempt::try_once;

fn target(runtime: Arc<FakeRuntime>) -> Target {
    let ip = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    Target { runtime, pod_uid: "u1".into(), run: "web.0".into(), ip }
}

async fn probe(probe: Value) -> Result<(), String> {
    let probe: Probe = serde_json::from_value(probe).expect("a probe");
    try_once(&target(Arc::new(FakeRuntime::new())), &Container::default(), &probe).await
}

/// Answers each connection by its first line: `/ok` with 200, others with 500; echoes a
/// missing `X-Probe` header as 400.
async fn http_server(tls: Option<tokio_rustls::TlsAcceptor>) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
    let port = listener.local_addr().expect("an address").port();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            match &tls {
                Some(tls) => answer(tls.accept(stream).await.expect("a handshake")).await,
                None => answer(stream).await,
            }
        }
    });
    (port, task)
}

async fn answer(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin) {
    let mut bytes = vec![0; 4096];
    let read = stream.read(&mut bytes).await.expect("a request");
    let request = String::from_utf8_lossy(&bytes[..read]).to_lowercase();
    let code = match request.lines().next() {
        Some("get /ok?x=1 http/1.1") => "200 OK",
        Some("get /named http/1.1")
            if request.contains("host: example.org") && request.contains("x-probe: 1") =>
        {
            "204 No Content"
        }
        _ => "500 Internal Server Error",
    };
    let text = format!("HTTP/1.1 {code}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(text.as_bytes()).await.expect("an answer");
    let _ = stream.shutdown().await;
}

#[tokio::test]
async fn http_is_judged_by_its_status_and_sends_its_headers() {
    let (port, server) = http_server(None).await;
    assert_eq!(probe(json!({"httpGet": {"port": port, "path": "/ok?x=1"}})).await, Ok(()));
    let headers = json!([{"name": "Host", "value": "example.org"}, {"name": "X-Probe", "value": "1"}]);
    let named =
        json!({"httpGet": {"port": port, "path": "named", "httpHeaders": headers, "host": "localhost"}});
    assert_eq!(probe(named).await, Ok(()));
    let failed = probe(json!({"httpGet": {"port": port}})).await;
    assert_eq!(failed, Err("HTTP probe failed with statuscode: 500".into()));
    server.abort();
    let _ = server.await;
    let refused = probe(json!({"httpGet": {"port": port}})).await.expect_err("nobody listens");
    assert!(refused.contains("Connection refused"), "{refused}");
}

#[tokio::test]
async fn https_asks_for_no_certificate_that_it_knows() {
    let made = rcgen::generate_simple_self_signed(["nobody".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate");
    let (port, server) = http_server(Some(Arc::new(config).into())).await;
    assert_eq!(probe(json!({"httpGet": {"port": port, "path": "/ok?x=1", "scheme": "HTTPS"}})).await, Ok(()));
    server.abort();
}

#[tokio::test]
async fn grpc_asks_the_health_of_one_service() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
    let port = listener.local_addr().expect("an address").port();
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("shop", tonic_health::ServingStatus::Serving).await;
    reporter.set_service_status("bank", tonic_health::ServingStatus::NotServing).await;
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server =
        tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    assert_eq!(probe(json!({"grpc": {"port": port}})).await, Ok(()));
    assert_eq!(probe(json!({"grpc": {"port": port, "service": "shop"}})).await, Ok(()));
    let bank = probe(json!({"grpc": {"port": port, "service": "bank"}})).await;
    assert_eq!(bank, Err("service unhealthy (responded with \"NOT_SERVING\")".into()));
    server.abort();
}

#[tokio::test]
async fn tcp_asks_whether_somebody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
    let port = listener.local_addr().expect("an address").port();
    assert_eq!(probe(json!({"tcpSocket": {"port": port}})).await, Ok(()));
    assert_eq!(
        probe(json!({"tcpSocket": {"port": "web"}})).await,
        Err("there is no port String(\"web\")".into())
    );
}

#[tokio::test]
async fn a_command_is_judged_by_its_exit_code() {
    let runtime = Arc::new(FakeRuntime::new());
    runtime.add_image("x", Behaviour::Run);
    runtime.on_exec("check", 0, "");
    runtime.on_exec("cat /ready", 1, "cat: /ready: not there\n");
    let sandbox = SandboxSpec { pod_uid: "u1".into(), ..SandboxSpec::default() };
    runtime.run_sandbox(sandbox).await.expect("a sandbox");
    let spec = ContainerSpec { id: "web.0".into(), image: "x".into(), ..ContainerSpec::default() };
    runtime.start_container("u1", spec).await.expect("a container");
    let target = target(runtime);
    for (command, wanted) in
        [(vec!["check"], Ok(())), (vec!["cat", "/ready"], Err("cat: /ready: not there".into()))]
    {
        let probe: Probe = serde_json::from_value(json!({"exec": {"command": command}})).expect("a probe");
        assert_eq!(try_once(&target, &Container::default(), &probe).await, wanted);
    }
}
