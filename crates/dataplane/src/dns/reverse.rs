//! Names that stand for addresses: `5.1.42.10.in-addr.arpa`, `….ip6.arpa`, and the dashed
//! ones of pods. And the networks of the cluster, whose reverse zones nobody else knows.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::Ipv4Net;

use super::name::{Labels, Name};

/// The reverse zone of a network whose addresses are the cluster's own.
#[derive(Debug)]
pub(super) struct ReverseZone {
    network: Ipv4Net,
    /// That of the network's whole octets: its addresses' names are in it.
    pub(super) name: Name,
}

impl ReverseZone {
    pub(super) fn of(network: Ipv4Net) -> Self {
        let octets = network.addr().octets();
        let whole = octets[..usize::from(network.prefix_len() / 8)].iter().rev();
        let labels: Vec<String> = whole.map(ToString::to_string).collect();
        let labels = labels.iter().map(String::as_bytes).chain([&b"in-addr"[..], b"arpa"]);
        let name = Name::of_labels(labels).expect("six short labels at most");
        Self { network, name }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        matches!(address, IpAddr::V4(address) if self.network.contains(&address))
    }
}

/// The address that a reverse name stands for, when it is a whole one.
pub(super) fn address(labels: &Labels<'_>) -> Option<IpAddr> {
    let zone = labels.count().checked_sub(2)?;
    match (labels.get(zone), labels.get(zone + 1), zone) {
        (b"in-addr", b"arpa", 4) => {
            let mut octets = [0; 4];
            for (index, octet) in octets.iter_mut().rev().enumerate() {
                *octet = octet_of(labels.get(index))?;
            }
            Some(IpAddr::from(octets))
        }
        (b"ip6", b"arpa", 32) => {
            let mut bits = 0_u128;
            for index in (0..32).rev() {
                let &[digit] = labels.get(index) else { return None };
                bits = bits << 4 | u128::from(char::from(digit).to_digit(16)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bits)))
        }
        _ => None,
    }
}

/// A number as a reverse name or a pod's has it: without leading zeros.
fn octet_of(label: &[u8]) -> Option<u8> {
    let plain = label.first().is_some_and(u8::is_ascii_digit) && (label.len() == 1 || label[0] != b'0');
    std::str::from_utf8(label).ok().filter(|_| plain)?.parse().ok()
}

/// The address that a pod's name says: `10-42-1-5`, `fd00--5`.
pub(super) fn dashed(label: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(label).ok()?;
    let v4 = || text.replace('-', ".").parse().map(IpAddr::V4).ok();
    let v6 = || text.replace('-', ":").parse().map(IpAddr::V6).ok();
    v4().or_else(v6)
}

/// How an address is spelled as a label.
pub(super) fn to_dashed(address: IpAddr) -> String {
    address.to_string().replace(['.', ':'], "-")
}
