//! `/version`: what clients compare themselves with.

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::Reply;

/// The minor version of Kubernetes whose kinds the table holds.
const MINOR: &str = "35";

pub(super) async fn answer(request: Request) -> Response {
    let version = json!({
        "major": "1",
        "minor": MINOR,
        "gitVersion": format!("v1.{MINOR}.0+xebec.{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": "rustc",
        "platform": "linux/amd64",
    });
    Reply::to(&request).send(StatusCode::OK, &version)
}
