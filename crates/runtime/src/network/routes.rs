//! The host's routes to other nodes' pods, and what it needs to pass packets on.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use futures::TryStreamExt;
use ipnet::Ipv4Net;
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteType};
use rtnetlink::RouteMessageBuilder;

use super::{connect, errno, failed, tunnel};
use crate::RuntimeError;

/// Marks the routes that are ours, as /etc/iproute2/rt_protos would name them.
pub(super) const PROTOCOL: RouteProtocol = RouteProtocol::Other(118);

/// Where a range goes: through a node, or nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Via(Ipv4Addr),
    /// Through the tunnel, to the end that has the range's first address.
    Tunnel,
    /// This node's own range: what is no pod's is refused at once, instead of leaving by the default route.
    Unreachable,
}

/// Lets packets through, and does not refuse those whose way back is another: the sysctls are the agent's own network
/// namespace's. A host that has them set already, read-only, loses nothing.
pub(super) fn forward_packets() {
    for (name, value) in [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv4/conf/all/rp_filter", "2"),
        ("net/ipv4/conf/default/rp_filter", "2"),
    ] {
        let path = format!("/proc/sys/{name}");
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        if known.trim() != value
            && let Err(error) = std::fs::write(&path, value)
        {
            tracing::warn!(name, value, %error, "cannot set a sysctl; pods may not reach other nodes");
        }
    }
}

/// Makes the routes so: adds what is missing, changes what differs, removes what is not wanted any more.
pub(super) async fn set(own: &[Ipv4Net], peers: &[(Ipv4Net, Ipv4Addr)]) -> Result<(), RuntimeError> {
    let (handle, connection) = connect()?;
    let set = set_with(&handle, own, peers).await;
    connection.abort();
    set
}

async fn set_with(
    handle: &rtnetlink::Handle,
    own: &[Ipv4Net],
    peers: &[(Ipv4Net, Ipv4Addr)],
) -> Result<(), RuntimeError> {
    let mut wanted: BTreeMap<Ipv4Net, Target> =
        own.iter().map(|range| (*range, Target::Unreachable)).collect();
    let mut far = Vec::new();
    for (range, node) in peers.iter().filter(|(range, _)| !own.contains(range)) {
        if !tunnel::is_behind_a_router(handle, *node).await {
            wanted.insert(*range, Target::Via(*node));
        } else if !own.is_empty() {
            // Without a range of its own a node has no end for the tunnel, and no pods to reach it by.
            far.push((*range, *node));
            wanted.insert(*range, Target::Tunnel);
        }
    }
    let device = tunnel::set(handle, own.first().copied(), &far).await?;
    apply(handle, &wanted, device).await
}

async fn apply(
    handle: &rtnetlink::Handle,
    wanted: &BTreeMap<Ipv4Net, Target>,
    tunnel: Option<u32>,
) -> Result<(), RuntimeError> {
    let filter = RouteMessageBuilder::<Ipv4Addr>::new().build();
    let routes: Vec<RouteMessage> =
        handle.route().get(filter).execute().try_collect().await.map_err(failed("listing routes"))?;
    let mut present = BTreeMap::new();
    for route in routes.into_iter().filter(|route| route.header.protocol == PROTOCOL) {
        match describe(&route) {
            // A pod's own route is not ours to judge.
            Some((range, _)) if range.prefix_len() == 32 => {}
            Some((range, target)) if wanted.get(&range) == Some(&target) => {
                present.insert(range, target);
            }
            _ => match handle.route().del(route).execute().await {
                Err(error) if errno(&error) != Some(libc::ESRCH) => {
                    return Err(failed("removing a route")(error));
                }
                _ => {}
            },
        }
    }
    let mut first_error = None;
    for (range, target) in wanted.iter().filter(|(range, _)| !present.contains_key(range)) {
        let added = handle.route().add(message(*range, *target, tunnel)).replace().execute().await;
        if let Err(error) = added {
            let what = format!("adding the route to {range} ({target:?})");
            first_error.get_or_insert(failed(&what)(error));
        }
    }
    first_error.map_or(Ok(()), Err)
}

fn message(range: Ipv4Net, target: Target, tunnel: Option<u32>) -> RouteMessage {
    let builder = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(range.network(), range.prefix_len())
        .protocol(PROTOCOL);
    match target {
        Target::Via(node) => builder.gateway(node).build(),
        Target::Tunnel => {
            let index = tunnel.expect("there is a tunnel when a range is behind a router");
            builder.gateway(range.network()).output_interface(index).onlink().build()
        }
        Target::Unreachable => builder.kind(RouteType::Unreachable).build(),
    }
}

fn describe(route: &RouteMessage) -> Option<(Ipv4Net, Target)> {
    let mut base = None;
    let mut target = (route.header.kind == RouteType::Unreachable).then_some(Target::Unreachable);
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) => base = Some(*address),
            RouteAttribute::Gateway(RouteAddress::Inet(node)) => target = Some(Target::Via(*node)),
            _ => {}
        }
    }
    let range = Ipv4Net::new(base?, route.header.destination_prefix_length).ok()?;
    if target == Some(Target::Via(range.network())) {
        target = Some(Target::Tunnel);
    }
    // A pod's route has neither: it goes through its link.
    Some((range, target.unwrap_or(Target::Unreachable)))
}
