//! The tunnel to nodes that are not on-link: one VXLAN device, made when the first such node
//! appears and gone with the last.
//!
//! A node's end of the tunnel has the first address of its pods' range, which is no pod's,
//! and a hardware address made from it. So every node knows every other end beforehand:
//! permanent neighbour and forwarding entries say where it is, and nothing is ever asked
//! or learned on the wire.

use std::net::{IpAddr, Ipv4Addr};

use futures::TryStreamExt;
use ipnet::Ipv4Net;
use netlink_packet_route::link::{InfoVxlan, LinkAttribute};
use netlink_packet_route::neighbour::NeighbourFlags;
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use rtnetlink::{Handle, LinkVxlan, RouteMessageBuilder};

use super::{errno, failed};
use crate::RuntimeError;

/// The device. Not named like a pod's link.
const NAME: &str = "xebec.vxlan";
/// VXLAN's network identifier: "xb".
const NETWORK_ID: u32 = 0x7862;
/// The port that Linux used before there was a standard one, and that clusters keep to.
const PORT: u16 = 8472;
/// What is left of 1,500 bytes behind the outer headers.
const MTU: u32 = 1450;

/// The other ends: each range, and the node that has it.
pub(super) type Ends<'a> = &'a [(Ipv4Net, Ipv4Addr)];

/// Whether the kernel sends to this node through a router. One that it cannot reach at all
/// gets no tunnel: a route through it then fails and says so.
pub(super) async fn is_behind_a_router(handle: &Handle, node: Ipv4Addr) -> bool {
    let question = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(node, 32).build();
    let answer: Result<Vec<RouteMessage>, _> = handle.route().get(question).execute().try_collect().await;
    let attributes = answer.into_iter().flatten().flat_map(|route| route.attributes);
    attributes.into_iter().any(|attribute| matches!(attribute, RouteAttribute::Gateway(_)))
}

/// Makes the tunnel lead to these ends and no others, from the node that has `own`. Gives
/// the device's index; `None` when there is none, as nobody is at the other end.
pub(super) async fn set(
    handle: &Handle,
    own: Option<Ipv4Net>,
    ends: Ends<'_>,
) -> Result<Option<u32>, RuntimeError> {
    let (Some(own), false) = (own, ends.is_empty()) else {
        remove(handle).await?;
        return Ok(None);
    };
    let index = device(handle, own).await?;
    for (range, node) in ends {
        let end = IpAddr::V4(range.network());
        let entry = handle.neighbours().add(index, end).link_layer_address(&mac(*range));
        entry.replace().execute().await.map_err(failed("adding a tunnel's neighbour entry"))?;
        let entry = handle.neighbours().add_bridge(index, &mac(*range)).destination(IpAddr::V4(*node));
        let entry = entry.flags(NeighbourFlags::Own).replace().execute();
        entry.await.map_err(failed("adding a tunnel's forwarding entry"))?;
    }
    Ok(Some(index))
}

/// The device as it must be for this range; one that is there for another is replaced.
async fn device(handle: &Handle, own: Ipv4Net) -> Result<u32, RuntimeError> {
    if let Some((index, address)) = find(handle).await {
        if address == mac(own) {
            return Ok(index);
        }
        remove(handle).await?;
    }
    let link = LinkVxlan::new(NAME, NETWORK_ID)
        .port(PORT)
        .append_info_data(InfoVxlan::Learning(false))
        .address(mac(own).to_vec())
        .mtu(MTU)
        .up()
        .build();
    handle.link().add(link).execute().await.map_err(failed("making the tunnel"))?;
    let (index, _) = find(handle).await.ok_or_else(|| RuntimeError::Network(format!("finding {NAME}")))?;
    let address = handle.address().add(index, IpAddr::V4(own.network()), 32).execute();
    address.await.map_err(failed("adding the tunnel's address"))?;
    Ok(index)
}

async fn find(handle: &Handle) -> Option<(u32, Vec<u8>)> {
    // One that cannot be asked for is not there.
    let link = handle.link().get().match_name(NAME).execute().try_next().await.ok()??;
    let address = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Address(address) => Some(address.clone()),
        _ => None,
    });
    Some((link.header.index, address.unwrap_or_default()))
}

async fn remove(handle: &Handle) -> Result<(), RuntimeError> {
    let Some((index, _)) = find(handle).await else { return Ok(()) };
    match handle.link().del(index).execute().await {
        Err(error) if errno(&error) != Some(libc::ENODEV) => Err(failed("removing the tunnel")(error)),
        _ => Ok(()),
    }
}

/// An end's hardware address, locally administered, from its range.
fn mac(range: Ipv4Net) -> [u8; 6] {
    let [a, b, c, d] = range.network().octets();
    [0x0a, 0x59, a, b, c, d]
}
