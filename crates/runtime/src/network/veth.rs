//! One pod's veth pair, its address, its routes and its neighbour entries, inside and outside.
//!
//! Both ends have hardware addresses that are known beforehand and both sides have permanent entries for the other, so
//! that no ARP is ever needed.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_route::link::{InfoData, InfoVeth, LinkMessage};
use netlink_packet_route::route::RouteScope;
use nix::sched::{CloneFlags, setns};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

use super::routes::PROTOCOL;
use super::{connect, errno, failed};
use crate::RuntimeError;
use crate::image::Digest;

/// The host end of every pair: a link of its own each, so one address serves all.
const HOST_MAC: [u8; 6] = [0xee; 6];
/// Every pod's gateway. It is nobody's address.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// The pod's end, inside.
const POD_NAME: &str = "eth0";

/// The host end's name, at most 15 bytes, the same for the same pod.
pub(super) fn host_name(pod_uid: &str) -> String {
    format!("xbc{}", &Digest::of(pod_uid.as_bytes()).hex()[..11])
}

/// The pod end's hardware address, made from its address as CNI plugins do.
fn pod_mac(ip: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = ip.octets();
    [0x0a, 0x58, a, b, c, d]
}

/// Makes the pair, one end in the process's network namespace, and both sides' addresses and routes.
pub(super) async fn attach(name: &str, pid: i32, ip: Ipv4Addr) -> Result<(), RuntimeError> {
    detach(name).await?;
    let (handle, connection) = connect()?;
    let made = async {
        handle.link().add(pair(name, pid, ip)).execute().await.map_err(failed("making the veth pair"))?;
        // A link of ours in our own namespace: the name is its only holder's.
        let index = nix::net::if_::if_nametoindex(name)
            .map_err(|error| RuntimeError::Network(format!("finding {name}: {error}")))?;
        handle
            .neighbours()
            .add(index, IpAddr::V4(ip))
            .link_layer_address(&pod_mac(ip))
            .replace()
            .execute()
            .await
            .map_err(failed("adding the host's neighbour entry"))?;
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(ip, 32)
            .output_interface(index)
            .scope(RouteScope::Link)
            .protocol(PROTOCOL)
            .build();
        handle.route().add(route).replace().execute().await.map_err(failed("adding the pod's route"))
    };
    let made = made.await;
    connection.abort();
    made?;
    inside(pid, ip).await
}

fn pair(name: &str, pid: i32, ip: Ipv4Addr) -> LinkMessage {
    let peer = LinkMessageBuilder::<LinkUnspec>::new()
        .name(POD_NAME)
        .address(pod_mac(ip).to_vec())
        .setns_by_pid(pid as u32)
        .build();
    LinkVeth::new(name, POD_NAME)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
        .address(HOST_MAC.to_vec())
        .up()
        .build()
}

/// Takes the pair away; the kernel takes its routes and neighbours with it. Not there is done.
pub(super) async fn detach(name: &str) -> Result<(), RuntimeError> {
    let Ok(index) = nix::net::if_::if_nametoindex(name) else { return Ok(()) };
    let (handle, connection) = connect()?;
    let deleted = handle.link().del(index).execute().await;
    connection.abort();
    match deleted {
        Err(error) if errno(&error) != Some(libc::ENODEV) => Err(failed("removing the veth pair")(error)),
        _ => Ok(()),
    }
}

/// Sets up the pod's end, on a thread of its own that enters the pod's network and never comes back.
async fn inside(pid: i32, ip: Ipv4Addr) -> Result<(), RuntimeError> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("pod-network".into()).spawn(move || {
        // A caller that is gone has given the pod up.
        let _ = sender.send(enter_and_set_up(pid, ip));
    });
    thread.map_err(|error| RuntimeError::io("starting a thread", error))?;
    receiver.await.unwrap_or_else(|_| Err(RuntimeError::Network("its thread died".into())))
}

fn enter_and_set_up(pid: i32, ip: Ipv4Addr) -> Result<(), RuntimeError> {
    let fail = |error: std::io::Error| RuntimeError::Network(format!("entering the pod's network: {error}"));
    let namespace = std::fs::File::open(format!("/proc/{pid}/ns/net")).map_err(fail)?;
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| fail(errno.into()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(fail)?;
    runtime.block_on(set_up(ip))
}

async fn set_up(ip: Ipv4Addr) -> Result<(), RuntimeError> {
    let (handle, connection) = connect()?;
    let index = nix::net::if_::if_nametoindex(POD_NAME)
        .map_err(|error| RuntimeError::Network(format!("finding {POD_NAME}: {error}")))?;
    let add = handle.address().add(index, IpAddr::V4(ip), 32).execute();
    add.await.map_err(failed("adding the pod's address"))?;
    let up = LinkUnspec::new_with_index(index).up().build();
    handle.link().set(up).execute().await.map_err(failed("bringing the pod's link up"))?;
    handle
        .neighbours()
        .add(index, IpAddr::V4(GATEWAY))
        .link_layer_address(&HOST_MAC)
        .execute()
        .await
        .map_err(failed("adding the pod's neighbour entry"))?;
    let to_gateway = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(GATEWAY, 32)
        .output_interface(index)
        .scope(RouteScope::Link)
        .build();
    handle.route().add(to_gateway).execute().await.map_err(failed("adding the pod's route"))?;
    let default = RouteMessageBuilder::<Ipv4Addr>::new().gateway(GATEWAY).output_interface(index).build();
    handle.route().add(default).execute().await.map_err(failed("adding the pod's default route"))?;
    connection.abort();
    Ok(())
}
