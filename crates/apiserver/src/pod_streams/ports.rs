//! Connections to the ports of one pod, over one channel to its node.

use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::transport::Channel;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_rpc::error::from_status;
use xebec_rpc::node::v1::node_client::NodeClient;
use xebec_rpc::v1::{self, port_forward_request, port_forward_response};

use super::opened;
use super::requests::Requests;
use crate::RequestContext;

/// What comes from a pod's port: `connected` first.
pub type PortAnswers = BoxStream<'static, Result<port_forward_response::Message, ApiError>>;

/// A pod whose ports may be connected to.
#[derive(Clone)]
pub struct Ports {
    node: NodeClient<Channel>,
    ctx: RequestContext,
    namespace: String,
    pod: String,
    uid: String,
}

impl Ports {
    pub(super) fn new(node: NodeClient<Channel>, ctx: RequestContext, pod: &Object) -> Self {
        let [namespace, pod, uid] = [pod.namespace(), pod.name(), pod.uid()].map(str::to_owned);
        Self { node, ctx, namespace, pod, uid }
    }

    /// Whose ports they are, for a message.
    #[must_use]
    pub fn pod(&self) -> String {
        format!("pod {}, uid {}", self.pod, self.uid)
    }

    /// One connection; dropping what it gives closes it.
    ///
    /// # Errors
    /// Nothing in the pod takes it, or the number is none of a port.
    pub async fn connect(
        &self,
        port: u32,
        input: BoxStream<'static, port_forward_request::Message>,
    ) -> Result<PortAnswers, ApiError> {
        if !(1..=65535).contains(&port) {
            return Err(ApiError::new(Reason::BadRequest, format!("port: {port} must be 1 to 65535")));
        }
        let (namespace, pod, pod_uid) = (self.namespace.clone(), self.pod.clone(), self.uid.clone());
        let start = port_forward_request::Start { namespace, pod, port, pod_uid };
        let message = |message| v1::PortForwardRequest { message: Some(message) };
        let requests = Requests::of(port_forward_request::Message::Start(start), input, message);
        let answers = opened(&self.ctx, self.node.clone().port_forward(requests)).await?;
        let known = answers.filter_map(|answer| {
            let message = answer.map(|answer| answer.message).map_err(|status| from_status(&status));
            std::future::ready(message.transpose())
        });
        Ok(known.boxed())
    }
}
