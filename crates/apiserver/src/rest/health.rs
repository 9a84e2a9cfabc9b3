//! `/livez`, `/readyz` and `/healthz`: whether this master lives, and whether it can
//! answer. Plain text; `?verbose` names the checks, `?exclude=` leaves some out, and each
//! stands below its own path as well.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::{Face, Query};
use crate::ApiServer;

/// How long a check may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// One question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// The process answers.
    Ping,
    /// There is a quorum to read from.
    Raft,
    /// Tokens can be made and checked.
    TokenKeys,
    /// It is not going down.
    Shutdown,
}

impl Check {
    fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Raft => "raft",
            Self::TokenKeys => "token-keys",
            Self::Shutdown => "shutdown",
        }
    }

    async fn holds(self, server: &ApiServer) -> bool {
        match self {
            Self::Ping => true,
            Self::Raft => matches!(tokio::time::timeout(PATIENCE, server.barrier()).await, Ok(Ok(()))),
            Self::TokenKeys => server.token_keys().is_some(),
            Self::Shutdown => !server.settings().shutdown.is_cancelled(),
        }
    }
}

/// A path and what it asks.
#[derive(Clone, Copy)]
struct Endpoint {
    name: &'static str,
    checks: &'static [Check],
}

const ENDPOINTS: [Endpoint; 3] = [
    Endpoint { name: "livez", checks: &[Check::Ping] },
    Endpoint { name: "readyz", checks: &[Check::Ping, Check::Raft, Check::TokenKeys, Check::Shutdown] },
    Endpoint { name: "healthz", checks: &[Check::Ping, Check::Raft] },
];

pub(super) fn routes() -> Router<Arc<Face>> {
    ENDPOINTS.into_iter().fold(Router::new(), |router, endpoint| {
        let all = move |State(face): State<Arc<Face>>, request: Request| async move {
            let query = Query::of(request.uri());
            let left_out = |check: &Check| query.all("exclude").any(|name| name == check.name());
            let checks: Vec<Check> =
                endpoint.checks.iter().copied().filter(|check| !left_out(check)).collect();
            answer(&face.server, endpoint.name, &checks, query.flag("verbose")).await
        };
        let one = move |State(face): State<Arc<Face>>, Path(name): Path<String>| async move {
            match endpoint.checks.iter().find(|check| check.name() == name) {
                Some(check) => answer(&face.server, endpoint.name, &[*check], false).await,
                None => text(StatusCode::NOT_FOUND, "404 page not found\n".into()),
            }
        };
        router
            .route(&format!("/{}", endpoint.name), get(all))
            .route(&format!("/{}/{{check}}", endpoint.name), get(one))
    })
}

async fn answer(server: &ApiServer, name: &str, checks: &[Check], verbose: bool) -> Response {
    let (mut lines, mut fine) = (String::new(), true);
    for check in checks {
        if check.holds(server).await {
            lines.push_str(&format!("[+]{} ok\n", check.name()));
        } else {
            lines.push_str(&format!("[-]{} failed: see this master's log\n", check.name()));
            fine = false;
        }
    }
    match (fine, verbose) {
        (true, false) => text(StatusCode::OK, "ok".into()),
        (true, true) => text(StatusCode::OK, format!("{lines}{name} check passed\n")),
        (false, _) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{lines}{name} check failed\n")),
    }
}

fn text(code: StatusCode, body: String) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
