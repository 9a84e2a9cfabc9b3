//! Streams to containers, through the service that masters call.

use std::time::Duration;

use futures::StreamExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Channel, Endpoint, Server};
use xebec_rpc::node::v1::node_client::NodeClient;
use xebec_rpc::node::v1::node_server::NodeServer;
use xebec_rpc::v1::exec_response::Message as Output;
use xebec_rpc::v1::{self, attach_request, exec_request, port_forward_request, port_forward_response};
use xebec_runtime::fake::Behaviour;

use super::world::{World, one};
use crate::node_service::NodeService;

async fn node(world: &World) -> NodeClient<Channel> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let service = NodeServer::new(NodeService::new(world.agent.clone()));
    tokio::spawn(
        Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)),
    );
    NodeClient::new(Endpoint::from_shared(address).expect("an address").connect_lazy())
}

fn exec(pod: &str, container: &str, words: &[&str]) -> v1::ExecRequest {
    let command = words.iter().map(|word| (*word).to_owned()).collect();
    let (namespace, pod, container) = ("default".into(), pod.into(), container.into());
    let start = exec_request::Start { namespace, pod, container, command, ..exec_request::Start::default() };
    v1::ExecRequest { message: Some(exec_request::Message::Start(start)) }
}

async fn outputs(mut node: NodeClient<Channel>, request: v1::ExecRequest) -> Result<Vec<Output>, String> {
    let answers = node.exec(futures::stream::iter([request])).await;
    let answers = answers.map_err(|status| status.message().to_owned())?.into_inner();
    Ok(answers.map(|answer| answer.expect("no error").message.expect("a message")).collect().await)
}

#[tokio::test(start_paused = true)]
async fn a_command_runs_in_the_container_that_is_meant() {
    let world = World::start().await;
    world.runtime.add_image("web", Behaviour::Run);
    world.runtime.on_exec("ls /", 2, "bin\n");
    world.bind("a", one("web", "Always"));
    let node = node(&world).await;
    let early = outputs(node.clone(), exec("b", "", &["ls", "/"])).await;
    assert_eq!(early, Err("pod \"b\" has not started on this node yet".into()));
    world.until_running("a").await;
    let found = outputs(node.clone(), exec("a", "", &["ls", "/"])).await;
    assert_eq!(found, Ok(vec![Output::Stdout("bin\n".into()), Output::ExitCode(2)]));
    let other = outputs(node.clone(), exec("a", "x", &["ls", "/"])).await;
    assert_eq!(other, Err("container \"x\" has not started: the pod has [\"web\"]".into()));
    world.stop().await;
}

/// A pod that was replaced stays for its grace, and its namesake starts beside it.
#[tokio::test(start_paused = true)]
async fn a_namesake_is_not_taken_for_the_pod_that_is_meant() {
    let world = World::start().await;
    world.runtime.add_image("web", Behaviour::Run);
    world.runtime.on_exec("ls /", 0, "bin\n");
    let uid = world.bind("a", one("web", "Always"));
    world.until_running("a").await;
    let node = node(&world).await;
    let of = |uid: &str| {
        let mut request = exec("a", "", &["ls", "/"]);
        if let Some(exec_request::Message::Start(start)) = &mut request.message {
            uid.clone_into(&mut start.pod_uid);
        }
        request
    };
    assert!(outputs(node.clone(), of(&uid)).await.is_ok());
    let gone = "pod \"a\" has not started on this node yet".to_owned();
    assert_eq!(outputs(node.clone(), of("another")).await, Err(gone.clone()));
    let (namespace, pod, pod_uid) = ("default".to_owned(), "a".to_owned(), "another".to_owned());
    let request = v1::LogsRequest {
        namespace: namespace.clone(),
        pod: pod.clone(),
        pod_uid: pod_uid.clone(),
        ..v1::LogsRequest::default()
    };
    assert_eq!(node.clone().logs(request).await.expect_err("another's").message(), gone);
    let start = port_forward_request::Start { namespace, pod, port: 80, pod_uid };
    let request = v1::PortForwardRequest { message: Some(port_forward_request::Message::Start(start)) };
    let refused = node.clone().port_forward(futures::stream::iter([request])).await.expect_err("another's");
    assert_eq!(refused.message(), gone);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_attaches_talks_to_the_container_itself() {
    let world = World::start().await;
    world.runtime.add_image("web", Behaviour::Run);
    let uid = world.bind("a", one("web", "Always"));
    world.until_running("a").await;
    world.runtime.take_calls();
    let (namespace, pod) = ("default".into(), "a".into());
    let start = attach_request::Start { namespace, pod, stdin: true, ..attach_request::Start::default() };
    let messages = [
        attach_request::Message::Start(start),
        attach_request::Message::Stdin("hello".into()),
        attach_request::Message::StdinClosed(true),
    ];
    let requests = messages.map(|message| v1::AttachRequest { message: Some(message) });
    let answers = node(&world).await.attach(futures::stream::iter(requests)).await.expect("attached");
    let said: Vec<_> = answers.into_inner().map(|answer| answer.expect("no error").message).collect().await;
    assert_eq!(said, [Some(Output::Stdout("hello".into())), Some(Output::ExitCode(0))]);
    assert_eq!(world.runtime.take_calls(), [format!("attach {uid} web.0, stdin true")]);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_followed_log_ends_with_its_run() {
    let world = World::start().await;
    world.runtime.add_image("web", Behaviour::Exit { code: 0, after: Duration::from_secs(60) });
    let uid = world.bind("a", one("web", "Never"));
    world.until_running("a").await;
    let folder = world.agent.config.data_dir.join("logs").join(&uid).join("web");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("0.log"), "2026-01-01T00:00:01.0Z stdout F one\n").expect("written");
    let (namespace, pod) = ("default".into(), "a".into());
    let request = v1::LogsRequest { namespace, pod, follow: true, ..v1::LogsRequest::default() };
    let mut pieces = node(&world).await.logs(request).await.expect("a log").into_inner();
    assert_eq!(pieces.message().await.expect("no error").expect("a piece").data, "one\n");
    assert_eq!(pieces.message().await.expect("no error"), None, "the container has ended");
    assert_eq!(world.container("a")["state"]["terminated"]["exitCode"], json!(0));
    world.stop().await;
}

#[tokio::test]
async fn a_forwarded_connection_ends_one_direction_at_a_time() {
    let world = World::start().await;
    world.runtime.add_image("web", Behaviour::Run);
    world.bind("a", one("web", "Always"));
    world.until_running("a").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = u32::from(listener.local_addr().expect("bound").port());
    let (sender, requests) = mpsc::channel(4);
    let send = async |message| {
        let request = v1::PortForwardRequest { message: Some(message) };
        sender.send(request).await.expect("taken");
    };
    let start = |port| port_forward_request::Start {
        namespace: "default".into(),
        pod: "a".into(),
        port,
        ..port_forward_request::Start::default()
    };
    send(port_forward_request::Message::Start(start(port))).await;
    let mut node = node(&world).await;
    let (answers, accepted) =
        tokio::join!(node.port_forward(ReceiverStream::new(requests)), listener.accept());
    let (mut answers, (mut pod, _)) =
        (answers.expect("forwarded").into_inner(), accepted.expect("connected"));
    let mut next = async || answers.message().await.expect("no error").and_then(|answer| answer.message);
    assert_eq!(next().await, Some(port_forward_response::Message::Connected(true)));
    pod.write_all(b"welcome").await.expect("written");
    pod.shutdown().await.expect("half closed");
    assert_eq!(next().await, Some(port_forward_response::Message::Data("welcome".into())));
    assert_eq!(next().await, Some(port_forward_response::Message::Closed(true)));
    send(port_forward_request::Message::Data("late".into())).await;
    send(port_forward_request::Message::Closed(true)).await;
    let mut said = String::new();
    pod.read_to_string(&mut said).await.expect("read");
    assert_eq!((said.as_str(), next().await), ("late", None));

    drop(listener);
    let refused = v1::PortForwardRequest { message: Some(port_forward_request::Message::Start(start(port))) };
    let refused = node.port_forward(futures::stream::iter([refused])).await.expect_err("nobody listens");
    assert!(refused.message().contains("Connection refused"), "{refused}");
    world.stop().await;
}
