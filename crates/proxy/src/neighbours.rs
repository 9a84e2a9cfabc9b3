//! The networks that the node itself is in. All addresses of Services become the node's own:
//! if the node's neighbours have theirs among them, a master maybe, it reaches nobody any more.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;

/// A network of an interface, by its name.
type Network = (String, Ipv4Net);

/// One that lies in the network of Services, with neighbours of the node in it. A wider one is
/// left to its keeper, who may have nobody there.
///
/// # Errors
/// The kernel does not say.
pub(crate) fn within(services: Ipv4Net) -> nix::Result<Option<Network>> {
    let near = getifaddrs()?.filter(|it| !it.flags.contains(InterfaceFlags::IFF_LOOPBACK));
    Ok(find(services, near.filter_map(|interface| network(&interface))))
}

fn find(services: Ipv4Net, mut networks: impl Iterator<Item = Network>) -> Option<Network> {
    let alone = Ipv4Addr::BITS as u8;
    networks.find(|(_, network)| network.prefix_len() < alone && services.contains(network))
}

fn network(interface: &InterfaceAddress) -> Option<Network> {
    let address = interface.address.as_ref()?.as_sockaddr_in()?.ip();
    let mask = interface.netmask.as_ref()?.as_sockaddr_in()?.ip();
    let network = Ipv4Net::with_netmask(address, mask).ok()?;
    Some((interface.interface_name.clone(), network.trunc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_neighbours_among_services_count() {
        let services = "10.43.0.0/16".parse().expect("a network");
        let found = |networks: &[&str]| {
            let networks = networks.iter().map(|text| ("eth0".to_owned(), text.parse().expect("a network")));
            find(services, networks).map(|(_, network)| network.to_string())
        };
        assert_eq!(found(&["192.0.2.0/24", "10.0.0.0/8", "10.42.0.0/16", "10.43.0.1/32"]), None);
        assert_eq!(found(&["192.0.2.0/24", "10.43.7.0/24"]), Some("10.43.7.0/24".to_owned()));
        assert_eq!(found(&["10.43.0.0/16"]), Some("10.43.0.0/16".to_owned()));
    }
}
