//! The pod network of one node: routed, without a bridge.
//!
//! A pod has one /32 address on a veth pair and a default route through 169.254.1.1, which is nobody's address: a
//! permanent neighbour entry gives it the host end's hardware address. The host has a /32 route to each pod and a route
//! to each peer's range: through that node's address where it is on-link, else through a VXLAN tunnel. Everything is made by rtnetlink in the agent's own network
//! namespace, and everything is found again by its name or its routing protocol number.

mod addresses;
mod range;
mod routes;
mod tunnel;
mod veth;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Mutex;

use ipnet::Ipv4Net;

use self::addresses::Addresses;
use crate::{NodeNetwork, RuntimeError};

/// The node's network, and which pod has which address.
pub(crate) struct PodNetwork {
    addresses: Mutex<Addresses>,
}

impl PodNetwork {
    /// Reads the addresses given so far from `data_dir`.
    pub(crate) fn open(data_dir: &Path) -> Result<PodNetwork, RuntimeError> {
        Ok(PodNetwork { addresses: Mutex::new(Addresses::open(&data_dir.join("addresses.json"))?) })
    }

    /// Takes the node's ranges and its peers', and makes the routes so.
    pub(crate) async fn set(&self, network: &NodeNetwork) -> Result<(), RuntimeError> {
        let parse = |text: &String| range::parse(text).map_err(RuntimeError::Network);
        let own: Vec<Ipv4Net> = v4(network.pod_cidrs.iter()).map(parse).collect::<Result<_, _>>()?;
        let mut peers = Vec::new();
        for (range, via) in &network.peers {
            if let (false, IpAddr::V4(via)) = (range.contains(':'), via) {
                peers.push((parse(range)?, *via));
            }
        }
        self.lock().set_ranges(own.clone());
        routes::forward_packets();
        routes::set(&own, &peers).await
    }

    /// The pod's address: the one it has, or a new one.
    pub(crate) fn allocate(&self, pod_uid: &str) -> Result<Ipv4Addr, RuntimeError> {
        self.lock().allocate(pod_uid)
    }

    /// Connects a pod whose network namespace is the process's.
    pub(crate) async fn attach(&self, pod_uid: &str, pid: i32, ip: Ipv4Addr) -> Result<(), RuntimeError> {
        veth::attach(&veth::host_name(pod_uid), pid, ip).await
    }

    /// Disconnects a pod and gives its address back. Idempotent.
    pub(crate) async fn detach(&self, pod_uid: &str) -> Result<(), RuntimeError> {
        veth::detach(&veth::host_name(pod_uid)).await?;
        self.lock().release(pod_uid)
    }

    /// Gives back the addresses of pods that are not among these.
    pub(crate) fn retain(&self, pod_uids: &[String]) -> Result<(), RuntimeError> {
        self.lock().retain(pod_uids)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Addresses> {
        self.addresses.lock().expect("no holder of this lock panics")
    }
}

fn v4<'a>(ranges: impl Iterator<Item = &'a String>) -> impl Iterator<Item = &'a String> {
    ranges.filter(|range| !range.contains(':'))
}

/// Runs the connection beside the calls that use the handle.
fn connect() -> Result<(rtnetlink::Handle, tokio::task::JoinHandle<()>), RuntimeError> {
    let (connection, handle, _) = rtnetlink::new_connection()
        .map_err(|error| RuntimeError::Network(format!("opening rtnetlink: {error}")))?;
    Ok((handle, tokio::spawn(connection)))
}

/// Names what was being done.
fn failed(what: &str) -> impl Fn(rtnetlink::Error) -> RuntimeError + '_ {
    move |error| RuntimeError::Network(format!("{what}: {error}"))
}

/// The errno of a refusal by the kernel, as a positive number.
fn errno(error: &rtnetlink::Error) -> Option<i32> {
    match error {
        rtnetlink::Error::NetlinkError(message) => Some(message.raw_code().abs()),
        _ => None,
    }
}
