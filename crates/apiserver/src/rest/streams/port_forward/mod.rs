//! `portforward` over a WebSocket: SPDY/3.1 inside its binary messages, in which a client opens two streams for each
//! connection: one for errors and one for the bytes, with the same `requestid`.
//!
//! SPDY's windows are not used by its clients in Kubernetes, so a pod that does not read holds up what comes after it on
//! the same WebSocket, once what may wait for it is there.

mod connection;
mod session;

use std::sync::Arc;

use axum::response::Response;
use xebec_api::error::ApiError;

use super::{StreamRequest, socket};
use crate::ApiServer;

const PROTOCOL: &str = "SPDY/3.1+portforward.k8s.io";

pub(super) async fn serve(server: &Arc<ApiServer>, stream: StreamRequest) -> Result<Response, ApiError> {
    let (ctx, target) = (&stream.context, &stream.target);
    let upgrade = socket::upgrade(stream.request, &[PROTOCOL]).await;
    let ports = server.pod_ports(ctx, &target.namespace, &target.name, "").await?;
    Ok(socket::open(upgrade?, move |incoming, outgoing| session::run(ports, incoming, outgoing)))
}
