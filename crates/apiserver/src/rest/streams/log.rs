//! `log`: what a container printed, as plain text, in chunks as it comes.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt;
use http::header::{CONTENT_TYPE, HeaderValue};
use xebec_api::error::ApiError;
use xebec_rpc::v1;

use super::{StreamRequest, bad};
use crate::ApiServer;
use crate::options::invalid;

pub(super) async fn serve(server: &Arc<ApiServer>, stream: StreamRequest) -> Result<Response, ApiError> {
    if stream.request.method() != http::Method::GET {
        return Err(bad("a log is read by GET"));
    }
    let logs = server.pod_logs(&stream.context, options(&stream)?).await?;
    // What breaks on the way cuts the body short: the code was sent long ago.
    let pieces = logs.map(|piece| piece.map_err(|error| std::io::Error::other(error.message)));
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

fn options(stream: &StreamRequest) -> Result<v1::LogsRequest, ApiError> {
    let query = &stream.query;
    let small = |name: &str| -> Result<Option<u32>, ApiError> {
        Ok(query.number(name)?.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
    };
    if query.has("sinceSeconds") && query.has("sinceTime") {
        return Err(invalid(
            "sinceSeconds",
            "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
        ));
    }
    let limit_bytes = query.number("limitBytes")?;
    let since_seconds = small("sinceSeconds")?;
    for (name, value) in [("limitBytes", limit_bytes), ("sinceSeconds", since_seconds.map(u64::from))] {
        if value == Some(0) {
            return Err(invalid(name, "Invalid value: 0: must be greater than 0"));
        }
    }
    Ok(v1::LogsRequest {
        namespace: stream.target.namespace.clone(),
        pod: stream.target.name.clone(),
        container: query.get("container").to_owned(),
        follow: query.flag("follow"),
        previous: query.flag("previous"),
        tail_lines: small("tailLines")?,
        since_seconds,
        timestamps: query.flag("timestamps"),
        limit_bytes,
        since_time: query.get("sinceTime").to_owned(),
        ..v1::LogsRequest::default()
    })
}
