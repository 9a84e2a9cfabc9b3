//! A server with rules for its endpoints, and a client that sees raw bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use xebec_api::object::Object;
use xebec_dataplane::ingress::{IngressTable, Sources, ingress_table};

use crate::server::{Server, Settings};

/// See the module.
pub(super) struct Lab {
    pub(super) server: Server,
    pub(super) http: SocketAddr,
    pub(super) https: SocketAddr,
    pub(super) log: Log,
}

/// What the access log says.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("whole").clone()).expect("text")
    }
}

impl AsyncWrite for Log {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        self.0.lock().expect("whole").extend_from_slice(bytes);
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

pub(super) fn object(value: &Value) -> Arc<Object> {
    Arc::new(Object::from_json(value.to_string().as_bytes()).expect("a map"))
}

/// A table in which each host leads to its endpoints. A silent one is given up after a second.
pub(super) fn table(hosts: &[(&str, &[SocketAddr])]) -> IngressTable {
    let (mut rules, mut services, mut slices) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (host, endpoints)) in hosts.iter().enumerate() {
        let name = format!("s{index}");
        let backend = json!({"service": {"name": name, "port": {"number": 80}}});
        rules.push(json!({"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}));
        services.push(object(
            &json!({"metadata": {"namespace": "default", "name": name}, "spec": {"ports": [{"port": 80}]}}),
        ));
        for endpoint in *endpoints {
            slices.push(object(&json!({"metadata": {"namespace": "default", "name": format!("{name}-{endpoint}"),
                    "labels": {"kubernetes.io/service-name": name}}, "addressType": "IPv4",
                "ports": [{"name": "", "port": endpoint.port()}], "endpoints": [{"addresses": [endpoint.ip().to_string()]}]})));
        }
    }
    let ingress = object(&json!({"metadata": {"namespace": "default", "name": "i",
            "annotations": {"ingress.xebec.io/read-timeout-seconds": "1"}},
        "spec": {"ingressClassName": "xebec", "rules": rules}}));
    ingress_table(&Sources {
        ingresses: &[ingress],
        classes: &[],
        services: &services,
        slices: &slices,
        secrets: &[],
    })
}

impl Lab {
    pub(super) fn start(table: IngressTable) -> Self {
        Self::start_with(table, 100)
    }

    /// With at most so many connections to endpoints.
    pub(super) fn start_with(table: IngressTable, most_upstream: usize) -> Self {
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = Settings { http: here, https: here, most_connections: 100 };
        let log = Log::default();
        let mut server = Server::new(log.clone(), most_upstream).expect("it starts");
        server.set(table, |_| None);
        let [http, https] = server.listen(&settings).expect("free ports");
        Self { server, http, https, log }
    }

    pub(super) async fn connect(&self) -> Client<TcpStream> {
        Client(TcpStream::connect(self.http).await.expect("it listens"))
    }

    /// One GET on its own connection.
    pub(super) async fn get(&self, host: &str, path: &str) -> Response {
        self.connect().await.get(host, path).await
    }

    /// What comes back for raw bytes until the server closes.
    pub(super) async fn raw(&self, bytes: &str) -> String {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.rest().await
    }
}

/// A client of raw bytes.
pub(super) struct Client<S>(pub(super) S);

/// One response.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(super) async fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).await.expect("it takes them");
    }

    pub(super) async fn get(&mut self, host: &str, path: &str) -> Response {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        self.response().await
    }

    /// Reads one response with a Content-Length.
    pub(super) async fn response(&mut self) -> Response {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            let byte = self.0.read_u8().await;
            bytes.push(
                byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&bytes))),
            );
        }
        let head = String::from_utf8(bytes).expect("text").to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
        self.0.read_exact(&mut body).await.expect("the whole body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Response { status, head, body: String::from_utf8(body).expect("text") }
    }

    /// Everything until the server closes.
    pub(super) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset after the answer is an end too.
        let _ = self.0.read_to_end(&mut bytes).await;
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A certificate and its key in PEM, and the certificate as a client trusts it.
pub(super) fn certificate(host: &str) -> (String, String, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec![host.to_owned()]).expect("made");
    (made.cert.pem(), made.signing_key.serialize_pem(), made.cert.der().clone())
}
