//! The Service proxy beside its peers: a client, a node and a server in a row, routed, as
//! a pod's path is. Every path leads from the client through the node to the same server,
//! and is measured in turns with the others.

mod idle;
mod peers;
mod row;
mod service;
mod tcp;
mod tools;
mod udp;

use anyhow::Result;

use crate::Options;
use crate::process::Process;
use crate::report::Report;
use peers::Peers;
use row::Row;

/// A way from the client to the server's ports.
pub(crate) struct Path<'a> {
    pub(crate) name: &'static str,
    /// Where the client finds the server's port.
    pub(crate) address: fn(u16) -> String,
    /// The process on the node that the bytes go through, if there is one.
    pub(crate) process: Option<&'a Process>,
}

/// Measures everything and adds the tables.
///
/// # Errors
/// When something does not start: haproxy, nginx (with libnginx-mod-stream), iperf3, wrk, nft.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let row = Row::lay()?;
    let service = service::Service::run(options, &row).await?;
    let peers = Peers::start(&row)?;
    tcp::measure(options, report, &row, &tcp_paths(&service.proxy, &peers))?;
    report.print_last();
    udp::measure(options, report, &row, &udp_paths(&service.proxy, &peers))?;
    report.print_last();
    idle::measure(report, &row, &service.proxy)
}

fn tcp_paths<'a>(proxy: &'a Process, peers: &'a Peers) -> [Path<'a>; 5] {
    [
        Path { name: "xebec", address: service::address, process: Some(proxy) },
        Path { name: "haproxy", address: peers::haproxy_address, process: Some(&peers.haproxy) },
        Path { name: "haproxy, tuned", address: peers::tuned_address, process: Some(&peers.tuned) },
        Path { name: "DNAT", address: peers::dnat_address, process: None },
        Path { name: "direct", address: row::server_address, process: None },
    ]
}

fn udp_paths<'a>(proxy: &'a Process, peers: &'a Peers) -> [Path<'a>; 4] {
    [
        Path { name: "xebec", address: service::address, process: Some(proxy) },
        Path { name: "nginx stream", address: peers::nginx_address, process: Some(&peers.nginx) },
        Path { name: "DNAT", address: peers::dnat_address, process: None },
        Path { name: "direct", address: row::server_address, process: None },
    ]
}
