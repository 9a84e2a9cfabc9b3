//! One request: its rule, an endpoint, and the answer.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version, request};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use rand::Rng as _;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use xebec_dataplane::ingress::{Backend, IngressTable};

use crate::access_log::{AccessLog, Asked, Record};
use crate::body::{BodyError, RequestBody, ResponseBody, Upload};
use crate::endpoints::Suspects;
use crate::headers::{forward, has_plain_host, host, is_websocket, set_websocket, strip_hop_by_hop};
use crate::upstream::{ConnectError, Lease, Upstream};

/// So many endpoints are tried for one request.
const TRIES: usize = 4;
/// An endpoint that says nothing, or takes nothing of a body, for so long has its request answered 504.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What every request needs.
pub(crate) struct Exchange {
    pub(crate) table: Arc<ArcSwap<IngressTable>>,
    pub(crate) log: Arc<AccessLog>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) suspects: Suspects,
    /// True once the server begins to stop: answers are then the last of their connections.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// As a field has it: written once for all requests of a connection.
    pub(crate) address: HeaderValue,
    pub(crate) tls: bool,
}

impl Client {
    pub(crate) fn new(address: IpAddr, tls: bool) -> Self {
        let address = HeaderValue::try_from(address.to_string());
        Self { address: address.expect("digits, dots and colons make a field"), tls }
    }

    /// For the log.
    pub(crate) fn text(&self) -> &str {
        self.address.to_str().unwrap_or("-")
    }
}

/// Where an endpoint's half of a WebSocket is left for the connection that asked for it.
pub(crate) type Tunnel = Mutex<Option<OnUpgrade>>;

/// A status and the words for it.
type Failure = (StatusCode, &'static str);

const ENDPOINT_BROKE_OFF: Failure =
    (StatusCode::BAD_GATEWAY, "the endpoint broke off, or its answer is no HTTP");
const FULL: Failure =
    (StatusCode::SERVICE_UNAVAILABLE, "the ingress has as many connections to endpoints as it may have");
const TOO_SLOW: Failure = (StatusCode::GATEWAY_TIMEOUT, "the endpoint did not answer in time");

impl Exchange {
    /// Answers a request, whatever becomes of it.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        client: Client,
        tunnel: &Tunnel,
    ) -> Response<ResponseBody> {
        let mut record = Record::new(&self.log, &asked(&request, &client));
        let (version, is_head) = (request.version(), request.method() == Method::HEAD);
        let mut response = match self.pass(request, client, &mut record).await {
            Ok((mut response, lease, silence)) => {
                let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
                if upgraded {
                    *tunnel.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some(hyper::upgrade::on(&mut response));
                }
                if response.headers().contains_key(header::TRANSFER_ENCODING) {
                    // It says nothing beside chunks (RFC 9112, section 6.3), which hyper has gone by.
                    response.headers_mut().remove(header::CONTENT_LENGTH);
                }
                strip_hop_by_hop(response.headers_mut());
                if upgraded {
                    set_websocket(response.headers_mut());
                }
                record.set_status(response.status().as_u16());
                response.map(|body| ResponseBody::passed(body, lease, record, silence))
            }
            Err((status, why)) => own(status, why, is_head, record),
        };
        *response.version_mut() = version;
        // HTTP/2 has its own way to say that a connection ends.
        if *self.stopping.borrow()
            && version != Version::HTTP_2
            && response.status() != StatusCode::SWITCHING_PROTOCOLS
        {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Finds an endpoint and its answer.
    async fn pass(
        &self,
        request: Request<Incoming>,
        client: Client,
        record: &mut Record,
    ) -> Result<(Response<Incoming>, Lease, Duration), Failure> {
        if request.method() == Method::CONNECT {
            return Err((StatusCode::NOT_IMPLEMENTED, "an ingress makes no tunnels"));
        }
        if !has_plain_host(&request) {
            return Err((StatusCode::BAD_REQUEST, "what it names is no host"));
        }
        let backend = self.table.load().find(host(&request), request.uri().path()).map(Arc::clone);
        let backend = backend.ok_or((StatusCode::NOT_FOUND, "no rule for this host and path"))?;
        if backend.endpoints.is_empty() {
            return Err((StatusCode::SERVICE_UNAVAILABLE, "the service has no ready endpoints"));
        }
        let silence =
            backend.read_timeout_seconds.map_or(READ_TIMEOUT, |seconds| Duration::from_secs(seconds.into()));
        let (mut head, body) = request.into_parts();
        let websocket = is_websocket(head.version, &head.headers);
        forward(&mut head, &client.address, client.tls);
        if !body.is_end_stream() && body.size_hint().exact().is_none() {
            // Of a GET hyper would otherwise leave the body out.
            head.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let (response, lease) = self.send(head, body, &backend, silence, record).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS && !websocket {
            return Err((
                StatusCode::BAD_GATEWAY,
                "the endpoint changed to a protocol that nobody asked for",
            ));
        }
        Ok((response, lease, silence))
    }

    /// Sends it, once more where that cannot do harm: on another connection when the one
    /// that was kept turns out closed, if nothing was sent or the request can be repeated.
    async fn send(
        &self,
        head: request::Parts,
        body: Incoming,
        backend: &Backend,
        silence: Duration,
        record: &mut Record,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let mut turn = Turn { drawn: rand::rng().random::<u32>() as usize, tries: 0 };
        let mut lease = self.lease(backend, false, &mut turn, record).await?;
        let empty = body.is_end_stream();
        let again = (empty && lease.used && head.method.is_idempotent()).then(|| head.clone());
        let body = if empty { RequestBody::empty() } else { RequestBody::of(body) };
        let upload = body.upload();
        lease.wait_for(&upload);
        let request = Request::from_parts(head, body);
        let sent = answered(silence, &upload, lease.sender.try_send_request(request)).await?;
        let mut failed = match sent {
            Ok(response) => return Ok((response, lease)),
            Err(failed) => failed,
        };
        let unsent = failed.take_message();
        let repeated = unsent.or_else(|| again.map(|head| Request::from_parts(head, RequestBody::empty())));
        let Some(request) = repeated.filter(|_| lease.used) else { return Err(explain(failed.error())) };
        let mut lease = self.lease(backend, true, &mut turn, record).await?;
        let upload = request.body().upload();
        lease.wait_for(&upload);
        match answered(silence, &upload, lease.sender.try_send_request(request)).await? {
            Ok(response) => Ok((response, lease)),
            Err(failed) => Err(explain(failed.error())),
        }
    }

    /// A connection to an endpoint (a new one, when it is asked for); to another endpoint when
    /// it takes none.
    async fn lease(
        &self,
        backend: &Backend,
        new: bool,
        turn: &mut Turn,
        record: &mut Record,
    ) -> Result<Lease, Failure> {
        let mut failure = (StatusCode::SERVICE_UNAVAILABLE, "the service has no ready endpoints");
        for _ in 0..backend.endpoints.len().min(TRIES) {
            let chosen = self.suspects.choose(&backend.endpoints, turn.drawn, turn.tries, Instant::now());
            let Some(endpoint) = chosen else { break };
            turn.tries += 1;
            record.set_endpoint(endpoint);
            let lease =
                if new { self.upstream.connect(endpoint).await } else { self.upstream.lease(endpoint).await };
            match lease {
                Ok(lease) => return Ok(lease),
                Err(ConnectError::Full) => return Err(FULL),
                Err(error) => {
                    tracing::debug!(%endpoint, %error, "cannot connect");
                    self.suspects.add(endpoint, Instant::now());
                    failure = match error {
                        ConnectError::Timeout => TOO_SLOW,
                        _ => (StatusCode::BAD_GATEWAY, "the endpoint takes no connection"),
                    };
                }
            }
        }
        Err(failure)
    }
}

/// Waits for an answer. Silence counts from when the endpoint has all of the request, or takes
/// no more of it; while the client owes some it does not count.
async fn answered<T>(
    silence: Duration,
    upload: &Upload,
    answer: impl Future<Output = T>,
) -> Result<T, Failure> {
    let mut answer = std::pin::pin!(answer);
    loop {
        let (complete, parts) = (upload.is_sent(), upload.parts());
        match timeout(silence, answer.as_mut()).await {
            Ok(answer) => return Ok(answer),
            Err(_) if complete || upload.is_stuck(parts) => return Err(TOO_SLOW),
            Err(_) => {}
        }
    }
}

/// Which endpoint is tried next.
struct Turn {
    drawn: usize,
    tries: usize,
}

/// An error on the way to an endpoint, or in the client's body, which hyper only passes on.
fn explain(error: &hyper::Error) -> Failure {
    match error.source().and_then(|source| source.downcast_ref()) {
        Some(BodyError::Silent(_)) => (StatusCode::REQUEST_TIMEOUT, "the body took too long"),
        Some(BodyError::Http(_)) => (StatusCode::BAD_REQUEST, "the body broke off, or is not well formed"),
        None => ENDPOINT_BROKE_OFF,
    }
}

fn asked<'a>(request: &'a Request<Incoming>, client: &'a Client) -> Asked<'a> {
    Asked {
        client: client.text(),
        method: request.method().as_str(),
        scheme: if client.tls { "https" } else { "http" },
        host: host(request),
        path: request.uri().path_and_query().map_or("", |path| path.as_str()),
        version: match request.version() {
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2.0",
            _ => "HTTP/1.1",
        },
    }
}

/// An answer of our own: a line of text for whoever gets none from an endpoint; to a HEAD only
/// how long it is. hyper leaves the text out in HTTP/1, but not in HTTP/2.
fn own(status: StatusCode, why: &'static str, is_head: bool, mut record: Record) -> Response<ResponseBody> {
    record.set_status(status.as_u16());
    record.set_why(why);
    let text = text(status, why);
    let length = HeaderValue::from(text.len());
    let body = if is_head { String::new() } else { text };
    let mut response = Response::new(ResponseBody::own(body, record));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if matches!(status, StatusCode::BAD_REQUEST | StatusCode::REQUEST_TIMEOUT) {
        // Nobody knows where the next request would begin.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// `404 Not Found: why`.
pub(crate) fn text(status: StatusCode, why: &str) -> String {
    format!("{} {}: {why}\n", status.as_u16(), status.canonical_reason().unwrap_or("Error"))
}
