//! Streams to pods: who may open one, which node it goes to, and what comes back. The node
//! is one of this process.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::json;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};
use xebec_api::error::{ApiError, Reason};
use xebec_rpc::error::to_status;
use xebec_rpc::node::v1::node_server::{Node, NodeServer};
use xebec_rpc::v1::{self, attach_request, exec_request, exec_response};
use xebec_rpc::v1::{port_forward_request, port_forward_response};

use super::{Api, admin, api, object, target, user};
use crate::RequestContext;
use crate::pod_streams::NodeDialer;

type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// An agent that notes what it is asked, and says back what it is told.
#[derive(Clone, Default)]
pub(super) struct Agent(Arc<Mutex<Vec<String>>>, Arc<Mutex<Vec<String>>>, Arc<Mutex<Option<Reason>>>);

impl Agent {
    fn note(&self, what: String) {
        self.0.lock().expect("not poisoned").push(what);
    }

    /// Which pod was meant.
    fn heard_uid(&self, uid: String) {
        self.1.lock().expect("not poisoned").push(uid);
    }

    fn take_uids(&self) -> Vec<String> {
        std::mem::take(&mut *self.1.lock().expect("not poisoned"))
    }
}

fn echo(requests: impl futures::Stream<Item = bytes::Bytes> + Send + 'static) -> Answers<v1::ExecResponse> {
    let answer = |message| Ok(v1::ExecResponse { message: Some(message) });
    let said = requests.map(move |bytes| answer(exec_response::Message::Stdout(bytes)));
    said.chain(stream::iter([answer(exec_response::Message::ExitCode(3))])).boxed()
}

#[tonic::async_trait]
impl Node for Agent {
    type LogsStream = Answers<v1::LogsResponse>;
    type ExecStream = Answers<v1::ExecResponse>;
    type AttachStream = Answers<v1::ExecResponse>;
    type PortForwardStream = Answers<v1::PortForwardResponse>;

    async fn logs(&self, request: Request<v1::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        let request = request.into_inner();
        self.note(format!("logs of {}/{} {}", request.namespace, request.pod, request.container));
        self.heard_uid(request.pod_uid);
        if let Some(reason) = *self.2.lock().expect("not poisoned") {
            return Err(to_status(&ApiError::new(reason, "no log")));
        }
        let line = Ok(v1::LogsResponse { data: "a line\n".into() });
        let broken = Err(to_status(&ApiError::new(Reason::InternalError, "the disk is gone")));
        Ok(Response::new(stream::iter([line, broken]).boxed()))
    }

    async fn exec(
        &self,
        request: Request<Streaming<v1::ExecRequest>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        let mut requests = request.into_inner();
        if let Some(exec_request::Message::Start(start)) = requests.message().await?.and_then(|it| it.message)
        {
            self.note(format!(
                "{:?} in {}/{} {}",
                start.command, start.namespace, start.pod, start.container
            ));
            self.heard_uid(start.pod_uid);
        }
        let bytes = requests.scan((), |(), request| {
            let bytes = match request.ok().and_then(|request| request.message) {
                Some(exec_request::Message::Stdin(bytes)) => Some(bytes),
                _ => None,
            };
            std::future::ready(bytes)
        });
        Ok(Response::new(echo(bytes)))
    }

    async fn attach(
        &self,
        request: Request<Streaming<v1::AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let mut requests = request.into_inner();
        if let Some(attach_request::Message::Start(start)) =
            requests.message().await?.and_then(|it| it.message)
        {
            self.note(format!("attach to {}/{} {}", start.namespace, start.pod, start.container));
            self.heard_uid(start.pod_uid);
        }
        let bytes = requests.filter_map(async |request| match request.ok()?.message? {
            attach_request::Message::Stdin(bytes) => Some(bytes),
            _ => None,
        });
        Ok(Response::new(echo(bytes)))
    }

    async fn port_forward(
        &self,
        request: Request<Streaming<v1::PortForwardRequest>>,
    ) -> Result<Response<Self::PortForwardStream>, Status> {
        let first = request.into_inner().message().await?.and_then(|it| it.message);
        let Some(port_forward_request::Message::Start(start)) = first else {
            return Err(Status::invalid_argument("no start"));
        };
        self.heard_uid(start.pod_uid.clone());
        if start.port == 81 {
            return Err(to_status(&ApiError::new(Reason::InternalError, "connection refused")));
        }
        let connected = port_forward_response::Message::Connected(true);
        Ok(Response::new(stream::iter([Ok(v1::PortForwardResponse { message: Some(connected) })]).boxed()))
    }
}

struct OneNode(Channel);

#[tonic::async_trait]
impl NodeDialer for OneNode {
    async fn dial(&self, node: &str) -> Result<Channel, String> {
        if node == "n1" { Ok(self.0.clone()) } else { Err(format!("node {node} has no session")) }
    }
}

/// An API with the node `n1`, and the pods `web` on it, `lost` elsewhere and `new` nowhere.
pub(super) async fn cluster() -> (Api, Agent) {
    let (api, agent) = (api().await, Agent::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let server = Server::builder().add_service(NodeServer::new(agent.clone()));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let channel = Endpoint::from_shared(address).expect("an address").connect_lazy();
    api.0.set_dialer(Arc::new(OneNode(channel)));
    for (name, node) in [("web", "n1"), ("lost", "n2"), ("new", "")] {
        let mut pod = object(json!({"metadata": {"name": name}, "spec": {"containers": [
            {"name": "a", "image": "b"}, {"name": "c", "image": "d"}]}}));
        if !node.is_empty() {
            pod.set(&["spec", "nodeName"], node);
        }
        api.create("pods", pod).await;
    }
    api.patch(&target("pods", "web").subresource("status"), json!({"status": {"phase": "Running"}})).await;
    (api, agent)
}

fn exec(pod: &str, container: &str) -> exec_request::Start {
    let (namespace, container) = ("default".into(), container.into());
    exec_request::Start {
        namespace,
        pod: pod.into(),
        container,
        command: vec!["ls".into()],
        ..Default::default()
    }
}

async fn refused(api: &Api, ctx: &RequestContext, start: exec_request::Start) -> String {
    let refused = api.0.pod_exec(ctx, start, stream::empty().boxed()).await;
    refused.err().expect("refused").message
}

#[tokio::test]
async fn a_stream_reaches_the_pods_node_and_comes_back() {
    let (api, agent) = cluster().await;
    let input = stream::iter([exec_request::Message::Stdin("text".into())]).boxed();
    let outputs = api.0.pod_exec(&admin(), exec("web", "a"), input).await.expect("opened");
    let outputs: Vec<_> = outputs.map(|output| output.expect("no error")).collect().await;
    let (text, code) = (exec_response::Message::Stdout("text".into()), exec_response::Message::ExitCode(3));
    assert_eq!(outputs, [text.clone(), code.clone()]);

    let (namespace, pod, container) = ("default".into(), "web".into(), "c".into());
    let start = attach_request::Start { namespace, pod, container, stdin: true, ..Default::default() };
    let input = stream::iter([attach_request::Message::Stdin("text".into())]).boxed();
    let outputs = api.0.pod_attach(&admin(), start, input).await.expect("opened");
    assert_eq!(outputs.map(|output| output.expect("no error")).collect::<Vec<_>>().await, [text, code]);

    let (namespace, pod, container) = ("default".into(), "web".into(), "a".into());
    let request = v1::LogsRequest { namespace, pod, container, ..v1::LogsRequest::default() };
    let pieces: Vec<_> = api.0.pod_logs(&admin(), request).await.expect("opened").collect().await;
    assert_eq!(pieces[0].as_deref(), Ok(&b"a line\n"[..]));
    assert_eq!(pieces[1].as_ref().expect_err("it broke").message, "the disk is gone");
    let asked = ["[\"ls\"] in default/web a", "attach to default/web c", "logs of default/web a"];
    assert_eq!(*agent.0.lock().expect("not poisoned"), asked);
    let uid = api.0.get(&admin(), &target("pods", "web")).await.expect("a pod").uid().to_owned();
    assert_eq!(
        agent.take_uids(),
        [uid.clone(), uid.clone(), uid],
        "the agent is told which pod of that name"
    );
}

#[tokio::test]
async fn ports_are_connected_to_one_at_a_time() {
    let (api, agent) = cluster().await;
    let pod_ports = async |name: &str, uid: &str| {
        let ctx = admin();
        api.0.pod_ports(&ctx, "default", name, uid).await
    };
    let ports = pod_ports("web", "").await.expect("a running pod");
    let connect = async |port| match ports.connect(port, stream::empty().boxed()).await {
        Ok(mut answers) => format!("{:?}", answers.next().await),
        Err(error) => error.message,
    };
    assert_eq!(connect(80).await, "Some(Ok(Connected(true)))");
    let uid = api.0.get(&admin(), &target("pods", "web")).await.expect("a pod").uid().to_owned();
    assert_eq!(agent.take_uids(), std::slice::from_ref(&uid));
    assert!(pod_ports("web", &uid).await.is_ok());
    let another = pod_ports("web", "another").await.err().expect("refused");
    assert_eq!(another.reason, Reason::Conflict, "{}", another.message);
    assert_eq!(connect(81).await, "connection refused");
    assert_eq!(connect(65536).await, "port: 65536 must be 1 to 65535");
    let not_running = pod_ports("new", "").await.err().expect("refused");
    let why = "unable to forward port because pod is not running. Current status=Pending";
    assert_eq!(not_running.message, why);
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_with_its_reason() {
    let (api, agent) = cluster().await;
    let (admin, nobody) = (admin(), user("eve", &[]));
    let forbidden = refused(&api, &nobody, exec("web", "a")).await;
    let words = "pods/exec \"web\" is forbidden: User \"eve\" cannot create resource \"pods/exec\" in API group \"\" in the \
                 namespace \"default\"";
    assert_eq!(forbidden, words);
    assert_eq!(refused(&api, &admin, exec("none", "")).await, "pods \"none\" not found");
    let choose = "a container name must be specified for pod web, choose one of: [a c]";
    assert_eq!(refused(&api, &admin, exec("web", "")).await, choose);
    assert_eq!(refused(&api, &admin, exec("web", "x")).await, "container x is not valid for pod web");
    assert_eq!(refused(&api, &admin, exec("lost", "a")).await, "node n2 has no session");
    let new = refused(&api, &admin, exec("new", "a")).await;
    assert_eq!(new, "pod \"new\" has no node yet: see `xctl describe pod new` for why");
    let start = exec_request::Start { command: Vec::new(), ..exec("web", "a") };
    let empty = refused(&api, &admin, start).await;
    assert_eq!(empty, "you must specify at least one command for the container");
    api.patch(&target("pods", "web").subresource("status"), json!({"status": {"phase": "Succeeded"}})).await;
    let over = refused(&api, &admin, exec("web", "a")).await;
    assert_eq!(over, "cannot exec into a container in a completed pod; current phase is Succeeded");
    let another = exec_request::Start { pod_uid: "another".into(), ..exec("lost", "a") };
    assert!(refused(&api, &admin, another).await.contains("another, uid "));
    assert!(agent.0.lock().expect("not poisoned").is_empty(), "no node was asked");
}

#[tokio::test]
async fn a_server_without_a_way_to_nodes_says_so() {
    let api = api().await;
    let mut pod = super::pod("web");
    pod.set(&["spec", "nodeName"], "n1");
    api.create("pods", pod).await;
    let why = refused(&api, &admin(), exec("web", "")).await;
    assert_eq!(why, "this server has no way to the nodes");
}

#[tokio::test]
async fn what_a_container_waits_for_explains_that_its_log_is_not_there_and_nothing_else() {
    let (api, agent) = cluster().await;
    let waiting = json!({"name": "a", "image": "b", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ContainerCreating"}}});
    let status = json!({"status": {"containerStatuses": [waiting]}});
    api.patch(&target("pods", "web").subresource("status"), status).await;
    let told = async |reason: Reason, since_time: &str, previous: bool| {
        *agent.2.lock().expect("not poisoned") = Some(reason);
        let (namespace, pod, container) = ("default".into(), "web".into(), "a".into());
        let since_time = since_time.to_owned();
        let request =
            v1::LogsRequest { namespace, pod, container, previous, since_time, ..v1::LogsRequest::default() };
        let refused = api.0.pod_logs(&admin(), request).await.err().expect("refused");
        (refused.reason, refused.message)
    };
    let waits = "container \"a\" in pod \"web\" is waiting to start: ContainerCreating".to_owned();
    assert_eq!(told(Reason::BadRequest, "", false).await, (Reason::BadRequest, waits.clone()));
    assert_eq!(told(Reason::BadRequest, "2026-11-24T10:00:00Z", false).await, (Reason::BadRequest, waits));
    for (reason, previous) in
        [(Reason::BadRequest, true), (Reason::Timeout, false), (Reason::ServiceUnavailable, false)]
    {
        assert_eq!(told(reason, "", previous).await, (reason, "no log".to_owned()));
    }
    let no_time = "sinceTime: \"yesterday\" is no time in RFC 3339".to_owned();
    assert_eq!(told(Reason::BadRequest, "yesterday", false).await, (Reason::BadRequest, no_time));
}
