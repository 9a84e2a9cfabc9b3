//! Connects to a port as a process of the pod would, by the pod's own loopback: what listens on 127.0.0.1 there is
//! reached, and no policy of the pod network is asked.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use tokio::sync::oneshot;

use super::NodeRuntime;
use super::sandboxes::live_identity;
use crate::RuntimeError;

/// How many connections may be being made at once: each takes a thread for that long.
pub(super) const CONNECTING: usize = 32;
/// How long one may take. On a loopback the answer comes at once, unless a backlog is full.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl NodeRuntime {
    pub(super) async fn connect_inside(
        &self,
        uid: &str,
        port: u16,
    ) -> Result<tokio::net::TcpStream, RuntimeError> {
        let _permit = self.inner.connecting.acquire().await.expect("it is never closed");
        let dir = self.run_dir(uid);
        let (done, connected) = oneshot::channel();
        // A thread of its own, which ends at once: the namespace that it enters stays its own.
        let connect = move || drop(done.send(connect(&dir, port)));
        let thread = std::thread::Builder::new().name("pod-connect".into()).spawn(connect);
        thread.map_err(|error| RuntimeError::io("making a thread", error))?;
        let connected = connected.await.unwrap_or_else(|_| Err(io::Error::other("the thread died")));
        let stream = connected.and_then(|stream| {
            stream.set_nonblocking(true)?;
            tokio::net::TcpStream::from_std(stream)
        });
        stream.map_err(|source| RuntimeError::Connect { port, source })
    }
}

/// Enters the pod's network and connects, by IPv4 first.
fn connect(dir: &Path, port: u16) -> io::Result<TcpStream> {
    let gone = || io::Error::new(io::ErrorKind::NotFound, "the pod is gone");
    let shim = live_identity(dir).ok_or_else(gone)?;
    let namespace = File::open(format!("/proc/{}/ns/net", shim.pid))?;
    // Had another process got the shim's id in between, this would be its namespace.
    live_identity(dir).ok_or_else(gone)?;
    setns(&namespace, CloneFlags::CLONE_NEWNET)?;
    let to = |ip: IpAddr| TcpStream::connect_timeout(&SocketAddr::new(ip, port), CONNECT_TIMEOUT);
    // What IPv4 says is what people know.
    to(Ipv4Addr::LOCALHOST.into()).or_else(|error| to(Ipv6Addr::LOCALHOST.into()).map_err(|_| error))
}
