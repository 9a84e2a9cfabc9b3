//! The whole server on real sockets, from a master's objects to answers.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use xebec_client::fake::{Fake, client_of};

use super::*;
use crate::config::Config;
use crate::serve::serve;

const PATIENCE: Duration = Duration::from_secs(20);

/// Addresses of this process and test alone.
fn config(test: u8) -> Config {
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 53 + test, high, low);
    let config = Config::from_environment(|key| match key {
        "XEBEC_SERVERS" => Some("unused:1".to_owned()),
        "XEBEC_DNS_LISTEN" => Some(format!("{address}:5300")),
        "XEBEC_DNS_HEALTH" => Some(format!("{address}:5380")),
        "XEBEC_DNS_RESOLV_CONF" => Some("/nowhere".to_owned()),
        _ => None,
    });
    Config { drain: Duration::ZERO, ..config.expect("complete") }
}

fn service(name: &str, address: &str) -> Object {
    object(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": name},
        "spec": {"clusterIP": address, "ports": [{"port": 80}]}}))
}

fn by_udp(server: SocketAddrV4, question: &str) -> Option<String> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
    socket.send_to(&bytes(&query(question)), server).ok()?;
    let mut buffer = [0; 2048];
    let (length, from) = socket.recv_from(&mut buffer).ok()?;
    assert_eq!(from, server.into());
    Some(print(&buffer[..length]))
}

/// Several questions in one write, by one connection.
fn by_tcp(server: SocketAddrV4, questions: &[&str]) -> std::io::Result<Vec<String>> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut sent = Vec::new();
    for question in questions {
        let message = bytes(&query(question));
        sent.extend(u16::try_from(message.len()).expect("short").to_be_bytes());
        sent.extend(message);
    }
    stream.write_all(&sent)?;
    let mut answers = Vec::new();
    for _ in questions {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut answer)?;
        answers.push(print(&answer));
    }
    Ok(answers)
}

fn healthy(config: &Config, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(config.health) else { return false };
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer.starts_with("HTTP/1.1 200")
}

/// Polls from a thread of its own until the condition holds.
async fn until(what: &'static str, condition: impl Fn() -> bool + Send + 'static) {
    let poll = move || {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < PATIENCE, "gave up waiting: {what}");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    };
    tokio::task::spawn_blocking(poll).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_follows_the_master_and_goes_on_without_it() {
    let mut master = Fake::start().await;
    master.store.put(service("web", "10.43.0.5"));
    let (config, stop) = (config(0), CancellationToken::new());
    let server = tokio::spawn(serve(client_of(&[&master]), config.clone(), stop.clone()));
    let at = config.listen;
    let answers = move |name: &str, part: &'static str| {
        let question = format!("A {name}.default.svc.cluster.local.");
        move || by_udp(at, &question).is_some_and(|answer| answer.contains(part))
    };
    until("the first answer", answers("web", "10.43.0.5")).await;
    let seen = config.clone();
    until("ready", move || healthy(&seen, "/readyz") && healthy(&seen, "/healthz")).await;
    master.store.put(service("late", "10.43.0.6"));
    until("a new Service", answers("late", "10.43.0.6")).await;
    assert!(master.store.remove("services", "default", "web").is_some());
    until("a Service that is gone", answers("web", "Non-Existent Domain")).await;
    master.stop().await;
    until("an answer without a master", answers("late", "10.43.0.6")).await;
    let both = ["A late.default.svc.cluster.local.", "PTR 6.0.43.10.in-addr.arpa."];
    let answers = tokio::task::spawn_blocking(move || by_tcp(at, &both)).await.expect("asked");
    let answers = answers.expect("answered").concat();
    assert!(
        answers.contains("10.43.0.6") && answers.contains("late.default.svc.cluster.local."),
        "{answers}"
    );
    stop.cancel();
    server.await.expect("no panic").expect("it ended well");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_first_list_it_is_alive_and_not_ready() {
    let mut master = Fake::start().await;
    let client = client_of(&[&master]);
    master.stop().await;
    let (config, stop) = (config(1), CancellationToken::new());
    let server = tokio::spawn(serve(client, config.clone(), stop.clone()));
    let (seen, at) = (config.clone(), config.listen);
    until("alive", move || healthy(&seen, "/healthz")).await;
    let ready = tokio::task::spawn_blocking(move || {
        (healthy(&config, "/readyz"), by_udp(at, "A web.default.svc.cluster.local."), by_tcp(at, &[]).is_ok())
    });
    assert_eq!(ready.await.expect("asked"), (false, None, false));
    stop.cancel();
    server.await.expect("no panic").expect("it ended well");
}

/// What takes its time, sends noise, or comes in masses keeps nobody else from an answer.
#[tokio::test(flavor = "multi_thread")]
async fn bad_tcp_clients_are_closed() {
    let master = Fake::start().await;
    master.store.put(service("web", "10.43.0.5"));
    let (config, stop) = (config(2), CancellationToken::new());
    let server = tokio::spawn(serve(client_of(&[&master]), config.clone(), stop.clone()));
    let at = config.listen;
    let asks = move || {
        by_tcp(at, &["A web.default.svc.cluster.local."]).is_ok_and(|all| all[0].contains("10.43.0.5"))
    };
    until("the first answer", asks).await;
    let clients = tokio::task::spawn_blocking(move || {
        let closed = |sent: &[u8]| {
            let mut stream = TcpStream::connect(at).expect("connected");
            stream.set_read_timeout(Some(PATIENCE)).expect("set");
            stream.write_all(sent).expect("sent");
            // An end or a reset: both are closed.
            matches!(stream.read(&mut [0; 16]), Ok(0) | Err(_))
        };
        assert!(closed(b"\xff\xffGET / HTTP/1.1"), "a query that is too long");
        assert!(closed(b"\0\0"), "an empty one");
        let idle: Vec<_> = (0..crate::tcp::MOST_CONNECTIONS + 50).map(|_| TcpStream::connect(at)).collect();
        assert!(idle.iter().all(Result::is_ok), "the kernel takes them");
        idle
    });
    let idle = clients.await.expect("as said");
    until("an answer beside idle clients", asks).await;
    drop(idle);
    stop.cancel();
    server.await.expect("no panic").expect("it ended well");
}
