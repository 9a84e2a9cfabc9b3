//! Port-forward: one connection to a port inside a pod. Each direction ends on its own, as TCP's do.

use bytes::BytesMut;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use xebec_rpc::v1::port_forward_request::Message as Incoming;
use xebec_rpc::v1::port_forward_response::Message as Outgoing;
use xebec_rpc::v1::{PortForwardRequest, PortForwardResponse};

use super::{Answers, Meant, NodeService, WAITING, bad, refusal};

/// What is read from the pod at once.
const CHUNK_BYTES: usize = 64 << 10;

type Answer = Result<PortForwardResponse, Status>;

impl NodeService {
    pub(super) async fn forward(
        &self,
        mut requests: Streaming<PortForwardRequest>,
    ) -> Result<Answers<PortForwardResponse>, Status> {
        let first = requests.message().await?.and_then(|request| request.message);
        let Some(Incoming::Start(start)) = first else {
            return Err(bad("port-forward opens with start".to_owned()));
        };
        let port = u16::try_from(start.port).ok().filter(|port| *port > 0);
        let port =
            port.ok_or_else(|| bad(format!("port: {} is no port: it must be 1 to 65535", start.port)))?;
        let pod = Meant { namespace: &start.namespace, name: &start.pod, uid: &start.pod_uid };
        let sandbox = self.sandbox(pod).await?;
        let stream = self.0.runtime.connect(&sandbox.pod_uid, port).await;
        let (reader, writer) = stream.map_err(|error| refusal(&error))?.into_split();
        let (answers, receiver) = mpsc::channel(WAITING);
        answers.try_send(Ok(answer(Outgoing::Connected(true)))).expect("the channel is empty");
        tokio::spawn(from_pod(reader, answers.clone()));
        tokio::spawn(to_pod(requests, writer, answers));
        Ok(ReceiverStream::new(receiver).boxed())
    }
}

fn answer(message: Outgoing) -> PortForwardResponse {
    PortForwardResponse { message: Some(message) }
}

/// Ends with what the pod sends, or when nobody listens.
async fn from_pod(mut reader: OwnedReadHalf, answers: mpsc::Sender<Answer>) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK_BYTES);
        let read = tokio::select! {
            read = reader.read_buf(&mut buffer) => read,
            () = answers.closed() => return,
        };
        let last = !matches!(read, Ok(1..));
        let message = if last { Outgoing::Closed(true) } else { Outgoing::Data(buffer.split().freeze()) };
        if answers.send(Ok(answer(message))).await.is_err() || last {
            return;
        }
    }
}

/// Ends with what comes for the pod; while it lasts, the answers do, even where the pod has said all it has to say.
async fn to_pod(
    mut requests: Streaming<PortForwardRequest>,
    mut writer: OwnedWriteHalf,
    _answers: mpsc::Sender<Answer>,
) {
    while let Ok(Some(request)) = requests.message().await {
        match request.message {
            Some(Incoming::Data(data)) => {
                if writer.write_all(&data).await.is_err() {
                    return;
                }
            }
            Some(Incoming::Closed(_)) => break,
            Some(Incoming::Start(_)) | None => {}
        }
    }
    // A pod that has closed its end already needs not be told.
    let _ = writer.shutdown().await;
}
