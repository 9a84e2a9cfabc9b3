//! Streams over REST: a log as a plain answer, a command over a WebSocket, and what is
//! refused before there is one.

use futures::SinkExt;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;
use crate::tests::streams::cluster;

const EXEC: &str = "/api/v1/namespaces/default/pods/web/exec?container=a&command=ls&stdin=true&stdout=true";

async fn rest() -> Rest {
    let (api, _) = cluster().await;
    let router = router(api.0.clone());
    Rest { api, router }
}

/// Opens a WebSocket as the administrator.
async fn open(rest: &Rest, path: &str, protocol: &str) -> WebSocketStream<TcpStream> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let router = rest.router.clone().layer(axum::Extension(certificate("admin", "system:masters")));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut request = format!("ws://{address}{path}").into_client_request().expect("a request");
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().expect("a header"));
    let stream = TcpStream::connect(address).await.expect("connects");
    let (socket, answer) = client_async(request, stream).await.expect("upgraded");
    assert_eq!(answer.headers()["sec-websocket-protocol"], protocol);
    socket
}

#[tokio::test]
async fn a_command_is_heard_over_its_channels_to_its_end() {
    let rest = rest().await;
    let mut socket = open(&rest, EXEC, "v5.channel.k8s.io").await;
    for message in [&b"\0text"[..], b"\xff\0"] {
        socket.send(Message::binary(message)).await.expect("sent");
    }
    let mut said = Vec::new();
    let end = loop {
        match socket.next().await {
            Some(Ok(Message::Binary(bytes))) => said.push(bytes),
            end => break end,
        }
    };
    // kubectl takes an end without a code for a failure.
    assert!(matches!(end, Some(Ok(Message::Close(Some(frame)))) if frame.code == 1000.into()));
    let status: Value = serde_json::from_slice(&said.pop().expect("a status")[1..]).expect("JSON");
    assert_eq!(status["details"]["causes"][0]["message"], "3");
    assert_eq!(said, [&b"\x01"[..], b"\x01text"]);
}

#[tokio::test]
async fn a_log_is_plain_text_and_breaks_where_it_breaks() {
    let rest = rest().await;
    let ask = Ask::new("GET", "/api/v1/namespaces/default/pods/web/log?container=a&tailLines=1");
    let response = rest.router.clone().oneshot(ask.request).await.expect("infallible");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"text/plain".parse().expect("a header"))
    );
    let mut body = response.into_body().into_data_stream();
    assert_eq!(body.next().await.expect("a piece").expect("whole"), "a line\n");
    body.next().await.expect("an end").expect_err("the disk is gone");
    let both = rest
        .get("/api/v1/namespaces/default/pods/web/log?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z")
        .await;
    assert_eq!(both.code, 422, "{}", both.text());
}

#[tokio::test]
async fn what_is_refused_has_its_code_before_any_upgrade() {
    let rest = rest().await;
    let refused = async |method: &str, path: &str| rest.get_as(method, path).await;
    let plain = refused("GET", EXEC).await;
    assert_eq!(plain, "400 BadRequest: Upgrade request required: ask for a WebSocket");
    // A client whose WebSocket failed tries another way, and is told what is wrong with the pod.
    let missing = refused("POST", &EXEC.replace("/web/", "/none/")).await;
    assert_eq!(missing, "404 NotFound: pods \"none\" not found");
    let ports = refused("POST", "/api/v1/namespaces/default/pods/new/portforward").await;
    let why = "400 BadRequest: unable to forward port because pod is not running. Current status=Pending";
    assert_eq!(ports, why);
    let nothing = refused("GET", "/api/v1/namespaces/default/pods/web/attach?container=a").await;
    assert_eq!(nothing, "400 BadRequest: you must specify at least 1 of stdin, stdout, stderr");
    let stranger = rest.ask(Ask::new("GET", EXEC).by("eve", "")).await;
    assert!(
        stranger.failure().starts_with(
            "403 Forbidden: pods/exec \"web\" is forbidden: User \"eve\" cannot create resource"
        )
    );
}

/// A WebSocket begins as a GET, which must not make it a read.
#[tokio::test]
async fn who_may_only_read_runs_nothing_and_who_may_create_does() {
    let rest = rest().await;
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    for (user, verb) in [("reader", "get"), ("runner", "create")] {
        let resources = ["pods/exec", "pods/attach", "pods/portforward"];
        let role = json!({"metadata": {"name": user}, "rules": [
            {"apiGroups": [""], "resources": resources, "verbs": [verb]}]});
        rest.send("POST", &format!("{roles}/roles"), &role).await;
        let group = "rbac.authorization.k8s.io";
        let binding = json!({"metadata": {"name": user},
            "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
            "roleRef": {"apiGroup": group, "kind": "Role", "name": user}});
        rest.send("POST", &format!("{roles}/rolebindings"), &binding).await;
    }
    let pod = "/api/v1/namespaces/default/pods/web";
    let attach = format!("{pod}/attach?container=a&stdout=true");
    for path in [EXEC.to_owned(), attach, format!("{pod}/portforward?ports=80")] {
        let told = async |user: &str| rest.ask(Ask::new("GET", &path).by(user, "people")).await.failure();
        let reader = told("reader").await;
        assert!(reader.contains("User \"reader\" cannot create resource \"pods/"), "{path}: {reader}");
        let runner = told("runner").await;
        assert_eq!(runner, "400 BadRequest: Upgrade request required: ask for a WebSocket", "{path}");
    }
}

impl Rest {
    /// How a request fails.
    async fn get_as(&self, method: &str, path: &str) -> String {
        self.ask(Ask::new(method, path)).await.failure()
    }
}
