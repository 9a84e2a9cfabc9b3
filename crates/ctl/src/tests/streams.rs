//! Streams to pods: which pod is meant, where several have had its name.

use std::time::Duration;

use futures::stream::{self, Empty};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};
use xebec_client::Patch;
use xebec_rpc::v1::pods_server::Pods;
use xebec_rpc::v1::{self, attach_request, exec_request, port_forward_request};

use super::real::cluster_with;
use super::{Sink, object, typed, typed_to};
use crate::asked;

/// Tells which pod was asked for, and ends every stream at once.
#[derive(Clone)]
pub(super) struct Agent(mpsc::UnboundedSender<String>);

type Answers<T> = Empty<Result<T, Status>>;

impl Agent {
    fn hear<T>(&self, uid: Option<String>) -> Result<Response<Answers<T>>, Status> {
        let uid = uid.ok_or_else(|| Status::invalid_argument("no start"))?;
        self.0.send(uid).expect("the test listens");
        Ok(Response::new(stream::empty()))
    }
}

#[tonic::async_trait]
impl Pods for Agent {
    type LogsStream = Answers<v1::LogsResponse>;
    type ExecStream = Answers<v1::ExecResponse>;
    type AttachStream = Answers<v1::ExecResponse>;
    type PortForwardStream = Answers<v1::PortForwardResponse>;

    async fn logs(&self, request: Request<v1::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        self.hear(Some(request.into_inner().pod_uid))
    }

    async fn exec(
        &self,
        request: Request<Streaming<v1::ExecRequest>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        let first = request.into_inner().message().await?.and_then(|it| it.message);
        self.hear(match first {
            Some(exec_request::Message::Start(start)) => Some(start.pod_uid),
            _ => None,
        })
    }

    async fn attach(
        &self,
        request: Request<Streaming<v1::AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let first = request.into_inner().message().await?.and_then(|it| it.message);
        self.hear(match first {
            Some(attach_request::Message::Start(start)) => Some(start.pod_uid),
            _ => None,
        })
    }

    async fn port_forward(
        &self,
        request: Request<Streaming<v1::PortForwardRequest>>,
    ) -> Result<Response<Self::PortForwardStream>, Status> {
        let first = request.into_inner().message().await?.and_then(|it| it.message);
        self.hear(match first {
            Some(port_forward_request::Message::Start(start)) => Some(start.pod_uid),
            _ => None,
        })
    }
}

#[tokio::test]
async fn logs_are_asked_for_of_those_that_are_meant() {
    let (agent, mut heard) = mpsc::unbounded_channel();
    let client = cluster_with(Some(Agent(agent))).await;
    let container = |name: &str| json!({"name": name, "image": "web:1"});
    let spec =
        json!({"containers": [container("a"), container("b")], "initContainers": [container("first")]});
    let labels = json!({"app": "web"});
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}}});
    client.create(asked::row("deployments").expect("a kind"), &object(&web)).await.expect("created");
    let mut uids = Vec::new();
    for name in ["web-1", "web-2"] {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": labels}, "spec": spec});
        let made = client.create(asked::row("pods").expect("a kind"), &object(&pod)).await.expect("created");
        uids.push(made.uid().to_owned());
    }
    let mut asked = async |words: &str| {
        let told = typed(client.clone(), words).await;
        let mut pods = Vec::new();
        while let Ok(uid) = heard.try_recv() {
            pods.push(uids.iter().position(|known| *known == uid).map_or(0, |at| at + 1));
        }
        format!("{told}{pods:?}")
    };
    let defaulted = "Defaulted container \"a\" out of: a, b\n";
    assert_eq!(asked("logs deploy/web").await, format!("Found 2 pods, using pod/web-1\n{defaulted}[1]"));
    assert_eq!(asked("logs deploy/web --all-pods -c b").await, "[1, 2]");
    assert_eq!(asked("logs web-2 b").await, "[2]");
    assert_eq!(asked("logs web-2 --all-containers=true").await, "[2, 2, 2]");
    assert_eq!(asked("logs -l app=web --all-containers").await, "[1, 1, 1, 2, 2, 2]");
    let many = "error: that is 6 containers, more than 5: narrow the selector, or allow more by --max-log-requests\n";
    assert_eq!(
        asked("logs -l app=web --all-containers --max-log-requests 5").await,
        format!("{many}[failed]\n[]")
    );
}

#[tokio::test]
async fn what_a_short_run_printed_is_asked_for_before_it_is_deleted() {
    let (agent, mut heard) = mpsc::unbounded_channel();
    let client = cluster_with(Some(Agent(agent))).await;
    let pods = asked::row("pods").expect("a kind");
    let ending = async {
        let pod = loop {
            match client.find(pods, "default", "short").await.expect("answered") {
                Some(pod) => break pod,
                None => tokio::task::yield_now().await,
            }
        };
        let ended = Patch::Merge(json!({"status": {"phase": "Succeeded"}}));
        client.patch_subresource(pods, "default", "short", "status", &ended).await.expect("it has ended");
        pod.uid().to_owned()
    };
    let words = "run short --image web:1 --restart Never --rm --attach -- true";
    let (told, uid) = tokio::join!(typed(client.clone(), words), ending);
    assert_eq!(told, "pod \"short\" deleted from default namespace\n");
    assert_eq!(heard.try_recv().ok(), Some(uid));
}

#[tokio::test]
async fn the_pod_that_was_found_is_the_one_that_is_asked_for() {
    let (agent, mut heard) = mpsc::unbounded_channel();
    let client = cluster_with(Some(Agent(agent))).await;
    let (metadata, containers) = (
        json!({"name": "web", "namespace": "default"}),
        json!([{"name": "a", "image": "example.com/web:1"}]),
    );
    let pod = object(
        &json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}}),
    );
    let made = client.create(asked::row("pods").expect("a kind"), &pod).await.expect("created");
    for words in ["logs web", "logs -f web", "attach web", "exec web -- ls"] {
        typed(client.clone(), words).await;
        assert_eq!(heard.try_recv().ok().as_deref(), Some(made.uid()), "{words}");
    }
    let ended = json!({"exitCode": 2, "reason": "Error"});
    let status = json!([{"name": "a", "image": "example.com/web:1", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"terminated": ended}}]);
    let failed = Patch::Merge(json!({"status": {"phase": "Failed", "containerStatuses": status}}));
    let pods = asked::row("pods").expect("a kind");
    client.patch_subresource(pods, "default", "web", "status", &failed).await.expect("it has failed");
    let why = typed(client.clone(), "why pod/web").await;
    assert!(why.contains("its last run ended with exit code 2. It printed nothing."), "{why}");
    assert_eq!(heard.try_recv().ok().as_deref(), Some(made.uid()), "why");
    let sink = Sink::default();
    let connected = async {
        let port = loop {
            let text = sink.text();
            let address = text.split_whitespace().find_map(|word| word.strip_prefix("127.0.0.1:"));
            if let Some(port) = address.and_then(|port| port.parse::<u16>().ok()) {
                break port;
            }
            tokio::task::yield_now().await;
        };
        let _stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
        heard.recv().await
    };
    tokio::select! {
        text = typed_to(&sink, client, "port-forward web :80 --address 127.0.0.1") => panic!("it ended: {text}"),
        uid = timeout(Duration::from_secs(10), connected) => {
            assert_eq!(uid.expect("in time").as_deref(), Some(made.uid()));
        }
    }
}
