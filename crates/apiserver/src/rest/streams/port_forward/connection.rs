//! One connection to a port of the pod, between its two streams: bytes, and at the end an error or none.

use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use xebec_api::error::ApiError;
use xebec_rpc::v1::port_forward_request::Message as Outgoing;
use xebec_rpc::v1::port_forward_response::Message as Incoming;

use super::super::spdy;
use crate::pod_streams::Ports;

pub(super) struct Connection {
    pub(super) data: u32,
    pub(super) errors: u32,
    pub(super) port: u16,
    pub(super) outgoing: mpsc::Sender<Bytes>,
}

/// Serves it to its end: its two streams, which are over then.
pub(super) async fn serve(connection: Connection, ports: Ports, input: mpsc::Receiver<Outgoing>) -> [u32; 2] {
    let Connection { data, errors, port, outgoing } = &connection;
    let why = match relay(&connection, &ports, input).await {
        Ok(()) => String::new(),
        Err(error) => format!("error forwarding port {port} to {}: {}", ports.pod(), error.message),
    };
    // A client that is gone needs no end.
    let _ = outgoing.send(spdy::data(*errors, why.as_bytes(), true)).await;
    let _ = outgoing.send(spdy::data(*data, &[], true)).await;
    [*data, *errors]
}

async fn relay(
    connection: &Connection,
    ports: &Ports,
    input: mpsc::Receiver<Outgoing>,
) -> Result<(), ApiError> {
    let mut answers = ports.connect(connection.port.into(), ReceiverStream::new(input).boxed()).await?;
    while let Some(answer) = answers.next().await {
        let frame = match answer? {
            Incoming::Data(bytes) => spdy::data(connection.data, &bytes, false),
            // Its clients take the end of the bytes for the end of the connection.
            Incoming::Closed(_) => return Ok(()),
            Incoming::Connected(_) => continue,
        };
        if connection.outgoing.send(frame).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
