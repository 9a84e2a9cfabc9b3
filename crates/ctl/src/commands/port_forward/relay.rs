//! One forwarded connection: bytes both ways, each direction to its own end.

use anyhow::{Context as _, Result};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tonic::Streaming;
use xebec_api::object::Object;
use xebec_client::{ApiError, Client};
use xebec_rpc::error::from_status;
use xebec_rpc::v1::pods_client::PodsClient;
use xebec_rpc::v1::port_forward_request::{Message as Outgoing, Start};
use xebec_rpc::v1::port_forward_response::Message as Incoming;
use xebec_rpc::v1::{PortForwardRequest, PortForwardResponse};

use crate::process;
use crate::session::Session;

/// What is read of a local connection at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Where connections go: to this one pod, not to another that gets its name.
#[derive(Clone)]
pub(super) struct Way {
    namespace: String,
    pod: String,
    uid: String,
}

impl Way {
    pub(super) fn new(session: &Session, pod: &Object) -> Self {
        let [pod, uid] = [pod.name(), pod.uid()].map(str::to_owned);
        Self { namespace: session.namespace.clone(), pod, uid }
    }
}

/// Relays one connection until both directions have ended.
///
/// # Errors
/// The pod is not reached, or the way to it breaks.
pub(super) async fn relay(client: Client, way: Way, port: u16, stream: TcpStream) -> Result<()> {
    let what = || format!("forwarding to port {port} of pod {}", way.pod);
    let start = Start {
        namespace: way.namespace.clone(),
        pod: way.pod.clone(),
        port: port.into(),
        pod_uid: way.uid.clone(),
    };
    let (sender, requests) = process::requests(request(Outgoing::Start(start)));
    let mut pods = PodsClient::new(client.channel().await?);
    let answers = pods.port_forward(requests).await.map_err(|status| from_status(&status));
    let answers = answers.with_context(what)?.into_inner();
    let (reader, writer) = stream.into_split();
    let sending = send(reader, sender);
    let receiving = receive(answers, writer);
    tokio::pin!(sending, receiving);
    tokio::select! {
        // The pod has ended the whole connection; nobody takes what else might come.
        received = &mut receiving => received.with_context(what),
        () = &mut sending => receiving.await.with_context(what),
    }
}

fn request(message: Outgoing) -> PortForwardRequest {
    PortForwardRequest { message: Some(message) }
}

async fn send(mut reader: OwnedReadHalf, sender: mpsc::Sender<PortForwardRequest>) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK_BYTES);
        let read = reader.read_buf(&mut buffer).await;
        let last = !matches!(read, Ok(1..));
        let message = if last { Outgoing::Closed(true) } else { Outgoing::Data(buffer.split().freeze()) };
        if sender.send(request(message)).await.is_err() || last {
            return;
        }
    }
}

async fn receive(
    mut answers: Streaming<PortForwardResponse>,
    mut writer: OwnedWriteHalf,
) -> Result<(), ApiError> {
    while let Some(answer) = answers.message().await.map_err(|status| from_status(&status))? {
        let written = match answer.message {
            Some(Incoming::Data(data)) => writer.write_all(&data).await,
            Some(Incoming::Closed(_)) => writer.shutdown().await,
            Some(Incoming::Connected(_)) | None => Ok(()),
        };
        // The local end is gone: dropping the call tells the pod.
        if written.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
