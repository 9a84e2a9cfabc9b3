//! The REST face, called as hyper calls it, on a store in memory.

mod access;
mod bodies;
mod discovery;
mod matrix;
mod metrics;
mod openapi;
mod reviews;
mod streams;
mod verbs;
mod watch;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{Api, api, certificate};
use crate::rest::router;

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/// A server behind its REST face.
struct Rest {
    api: Api,
    router: Router,
}

/// What came back.
struct Answer {
    code: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default()
    }

    /// The code and the words of a failure.
    fn failure(&self) -> String {
        let status = self.json();
        assert_eq!(
            (&status["kind"], &status["status"], &status["code"]),
            (&"Status".into(), &"Failure".into(), &self.code.into())
        );
        let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}: {}", self.code, text("reason"), text("message"))
    }
}

/// A request that is being put together; the administrator's unless said otherwise.
struct Ask {
    request: Request<Body>,
}

impl Ask {
    fn new(method: &str, path: &str) -> Self {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
        Self { request }.by("admin", "system:masters")
    }

    fn by(mut self, name: &str, group: &str) -> Self {
        self.request.extensions_mut().insert(certificate(name, group));
        self
    }

    fn by_nobody(mut self) -> Self {
        self.request.extensions_mut().clear();
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().insert(name, value.parse().expect("a header"));
        self
    }

    fn body(mut self, content_type: &str, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        if content_type.is_empty() { self } else { self.header("content-type", content_type) }
    }

    fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }
}

impl Rest {
    async fn new() -> Self {
        let api = api().await;
        let router = router(api.0.clone());
        Self { api, router }
    }

    async fn ask(&self, ask: Ask) -> Answer {
        let response = self.router.clone().oneshot(ask.request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer { code: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Ask::new("GET", path)).await
    }

    async fn send(&self, method: &str, path: &str, value: &Value) -> Answer {
        self.ask(Ask::new(method, path).json(value)).await
    }

    /// The first lines of a watch.
    async fn lines(&self, ask: Ask, count: usize) -> Vec<Value> {
        let response = self.router.clone().oneshot(ask.request).await.expect("infallible");
        assert_eq!(response.status(), 200);
        let mut body = response.into_body().into_data_stream();
        let (mut lines, mut rest) = (Vec::new(), Vec::new());
        while lines.len() < count {
            let Some(chunk) = body.next().await else { break };
            rest.extend_from_slice(&chunk.expect("no error"));
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                lines.push(serde_json::from_slice(&line).expect("a line is JSON"));
            }
        }
        lines
    }
}
