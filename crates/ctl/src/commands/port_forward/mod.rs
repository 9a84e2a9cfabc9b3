//! `port-forward`: ports of ours that lead into a pod, until we are ended.
//!
//! Every connection asks for a master anew, so that the command outlives the one that served it first.

mod ports;
mod relay;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::relay::Way;
use crate::output::Out;
use crate::session::Session;

/// Connections at once; more wait in the kernel.
const MOST_CONNECTIONS: usize = 1000;

/// Which ports to where.
#[derive(Args)]
pub(crate) struct PortForwardArgs {
    /// POD or TYPE/NAME, such as service/web
    pub(crate) target: String,
    /// LOCAL:REMOTE, PORT for both, or :REMOTE for any free one; REMOTE may be a port's name
    #[arg(required = true, value_name = "[LOCAL:]REMOTE")]
    pub(crate) ports: Vec<String>,
    /// Our addresses to listen at: IPs or localhost
    #[arg(long, value_delimiter = ',', default_value = "localhost")]
    pub(crate) address: Vec<String>,
}

/// Forwards until we are ended.
pub(crate) async fn run(session: &Session, args: &PortForwardArgs, out: &mut Out) -> Result<()> {
    let (pod, forwarded) = ports::resolve(session, &args.target, &args.ports).await?;
    let way = Way::new(session, &pod);
    let (accepted, mut connections) = mpsc::channel(1);
    // Ends with us.
    let mut tasks = JoinSet::new();
    for port in &forwarded {
        for listener in listen(&args.address, port.local).await? {
            let from = listener.local_addr()?;
            out.line(format!("Forwarding from {from} -> {}", port.remote))?;
            tasks.spawn(accept(listener, port.remote, accepted.clone()));
        }
    }
    let mut relays = JoinSet::new();
    loop {
        tokio::select! {
            connection = connections.recv(), if relays.len() < MOST_CONNECTIONS => {
                let Some((stream, port)) = connection else { return Ok(()) };
                out.line(format!("Handling connection for {}", local_port(&stream)))?;
                relays.spawn(relay::relay(session.client.clone(), way.clone(), port, stream));
            }
            Some(ended) = relays.join_next() => {
                if let Ok(Err(why)) = ended {
                    out.note(format!("error: {why:#}"))?;
                }
            }
        }
    }
}

fn local_port(stream: &TcpStream) -> u16 {
    stream.local_addr().map_or(0, |address| address.port())
}

/// Hands connections on, until nobody takes them.
async fn accept(listener: TcpListener, port: u16, accepted: mpsc::Sender<(TcpStream, u16)>) {
    while let Ok((stream, _)) = listener.accept().await {
        if accepted.send((stream, port)).await.is_err() {
            return;
        }
    }
}

/// Listens at every address. Of the two that localhost is, one is enough.
async fn listen(addresses: &[String], port: u16) -> Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for address in addresses {
        if address == "localhost" {
            let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
            let also = first.as_ref().ok().and_then(|first| Some(first.local_addr().ok()?.port()));
            let second = TcpListener::bind((Ipv6Addr::LOCALHOST, also.unwrap_or(port))).await;
            match (first, second) {
                (Err(why), Err(_)) => bail!(unable(port, &why)),
                (first, second) => listeners.extend(first.into_iter().chain(second)),
            }
            continue;
        }
        let ip: IpAddr = address.parse().with_context(|| format!("--address {address}: not an IP"))?;
        let listener = TcpListener::bind(SocketAddr::new(ip, port)).await;
        listeners.push(listener.map_err(|why| anyhow::anyhow!(unable(port, &why)))?);
    }
    Ok(listeners)
}

fn unable(port: u16, why: &std::io::Error) -> String {
    format!("unable to listen on port {port}: {why}: take another one, or :REMOTE for any")
}
