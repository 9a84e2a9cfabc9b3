//! Those who use an endpoint: whether they do now, found by asking as their clients do.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::hosts::enter;

/// The Service before the proxies, in its network.
pub(super) const SERVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 43, 0, 50), 80);
pub(super) const DNS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5300);
pub(super) const INGRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8081);
/// The Ingress's host.
pub(super) const HOST: &str = "bench.example";
/// The headless Service, `bench-pods.default.svc.cluster.local`, as labels.
const NAME: &[u8] = b"\x0abench-pods\x07default\x03svc\x07cluster\x05local\x00";
/// Nobody takes so long to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) name: &'static str,
    /// The host to look from; the bench's own when there is none.
    host: Option<&'static str>,
    look: fn() -> Result<bool>,
}

/// All of them.
pub(super) const LOOKS: [Look; 4] = [
    Look { name: "proxy of node 1", host: Some("node-1"), look: connects },
    Look { name: "proxy of node 2", host: Some("node-2"), look: connects },
    Look { name: "DNS", host: None, look: has_address },
    Look { name: "ingress", host: None, look: answers },
];

impl Look {
    /// Takes this thread to where it looks from.
    pub(super) fn enter(&self) -> Result<()> {
        self.host.map_or(Ok(()), enter)
    }

    /// Whether the endpoint is used now.
    pub(super) fn is_served(&self) -> Result<bool> {
        (self.look)()
    }
}

/// The endpoint says `ok` to a connection to the Service's address.
fn connects() -> Result<bool> {
    Ok(http(SERVICE.into()).is_ok_and(|text| text.starts_with("HTTP/1.1 200")))
}

fn answers() -> Result<bool> {
    let text = http(INGRESS.into())?;
    ensure!(text.starts_with("HTTP/1.1 "), "the ingress said {text}");
    Ok(text.starts_with("HTTP/1.1 200"))
}

fn http(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// The headless Service's name has an address.
fn has_address() -> Result<bool> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(DNS)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    // One question, recursion desired: type A, class IN.
    let query =
        [&b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"[..], NAME, b"\x00\x01\x00\x01"].concat();
    socket.send(&query)?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    ensure!(length >= 12 && answer[..2] == query[..2], "no answer of DNS");
    Ok(answer[6..8] != [0, 0])
}
