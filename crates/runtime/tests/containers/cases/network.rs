//! Addresses and routes.

use std::process::Command;

use expect_test::expect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use xebec_runtime::{NodeNetwork, Runtime};

use crate::world::{World, eventually};

pub(super) async fn containers_share_an_address() {
    let world = World::new().await;
    let one = world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    let two = world.node.run_sandbox(world.sandbox("u2")).await.expect("runs");
    let serve = "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 80 -h /w";
    let serve = serve.replace("mkdir", "busybox mkdir");
    world.node.start_container("u1", world.container("web-0", &serve)).await.expect("starts");
    world.node.start_container("u1", world.container("side-0", "exec sleep 1000")).await.expect("starts");
    world.node.start_container("u2", world.container("far-0", "exec sleep 1000")).await.expect("starts");
    let ask = |host: &str| format!("wget -q -O - http://{host}/");
    let answers = async |uid, id, host: &str| {
        eventually(async || Some(world.exec(uid, id, &ask(host)).await).filter(|(code, _)| *code == 0))
            .await
            .1
    };
    let ip = one.ips[0].to_string();
    assert_eq!(answers("u1", "side-0", "127.0.0.1").await, "hello\n");
    assert_eq!(answers("u1", "side-0", "host-u1").await, "hello\n");
    // Between pods of one node the packets are routed, by the host.
    assert_eq!(answers("u2", "far-0", &ip).await, "hello\n");
    assert_ne!(one.ips, two.ips);
    // From the host, by the address that the test's network namespace has.
    let stream = tokio::net::TcpStream::connect((one.ips[0], 80)).await;
    assert!(stream.is_ok(), "{stream:?}");
    world.node.remove_sandbox("u1").await.expect("removes");
    world.node.remove_sandbox("u2").await.expect("removes");
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

pub(super) async fn routes() {
    let world = World::new().await;
    let ip = |line: &str| {
        let output = Command::new("ip").args(line.split(' ')).output().expect("iproute2 is installed");
        assert!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    ip("link add up0 type veth peer name up1");
    ip("address add 10.88.1.1/24 dev up0");
    ip("link set up0 up");
    ip("link set up1 up");
    let set = async |peers: &[(&str, &str)]| {
        let peers = peers.iter().map(|(range, via)| ((*range).to_owned(), via.parse().expect("an address")));
        let network = NodeNetwork { pod_cidrs: vec!["10.77.1.0/24".into()], peers: peers.collect() };
        let result = world.node.set_network(network).await;
        let shown = ip("route show proto 118").lines().map(|line| format!("{}\n", line.trim_end())).collect();
        (result.map_err(|error| error.to_string()), shown)
    };
    let mut text: Vec<(Result<(), String>, String)> = Vec::new();
    text.push(set(&[("10.77.2.0/24", "10.88.1.2"), ("10.77.3.0/24", "10.88.1.3")]).await);
    text.push(set(&[("10.77.2.0/24", "10.88.1.4"), ("10.77.1.0/24", "10.88.1.2")]).await);
    text.push(set(&[("10.77.2.0/24", "192.0.2.1"), ("10.77.4.0/24", "10.88.1.4")]).await);
    text.push(set(&[("nonsense", "10.88.1.4")]).await);
    text.push(set(&[]).await);
    ip("link del up0");
    expect![[r#"
        [
            (
                Ok(
                    (),
                ),
                "unreachable 10.77.1.0/24\n10.77.2.0/24 via 10.88.1.2 dev up0\n10.77.3.0/24 via 10.88.1.3 dev up0\n",
            ),
            (
                Ok(
                    (),
                ),
                "unreachable 10.77.1.0/24\n10.77.2.0/24 via 10.88.1.4 dev up0\n",
            ),
            (
                Err(
                    "pod network: adding the route to 10.77.2.0/24 (Via(192.0.2.1)): Received a netlink error message Network is unreachable (os error 101)",
                ),
                "unreachable 10.77.1.0/24\n10.77.4.0/24 via 10.88.1.4 dev up0\n",
            ),
            (
                Err(
                    "pod network: \"nonsense\" is not an IPv4 range such as 10.42.1.0/24",
                ),
                "unreachable 10.77.1.0/24\n10.77.4.0/24 via 10.88.1.4 dev up0\n",
            ),
            (
                Ok(
                    (),
                ),
                "unreachable 10.77.1.0/24\n",
            ),
        ]
    "#]].assert_debug_eq(&text);
}

pub(super) async fn connect() {
    let world = World::new().await;
    world.node.run_sandbox(world.sandbox("u1")).await.expect("runs");
    let server = world.container("a-0", "exec httpd -f -p 127.0.0.1:8080 -h /etc");
    world.node.start_container("u1", server).await.expect("starts");
    let mut stream = eventually(async || world.node.connect("u1", 8080).await.ok()).await;
    stream.write_all(b"GET /passwd HTTP/1.0\r\n\r\n").await.expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("reads");
    assert!(answer.ends_with("web:x:33:34::/var/www:/bin/sh\n"), "{answer}");
    let error = world.node.connect("u1", 8081).await.expect_err("nobody listens");
    assert_eq!(error.to_string(), "connecting to port 8081 in the pod: Connection refused (os error 111)");
    let error = world.node.connect("u2", 8080).await.expect_err("no pod");
    assert_eq!(error.to_string(), "no sandbox for pod u2");
    world.node.remove_sandbox("u1").await.expect("removes");
}
