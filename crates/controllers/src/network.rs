//! IPv4 networks in prefix notation, as far as controllers reckon with them.

use std::net::Ipv4Addr;

/// Such as `10.42.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ipv4Network {
    base: u32,
    prefix: u8,
}

impl Ipv4Network {
    /// Reads `ADDRESS/PREFIX`; host bits are dropped.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
        let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or_default();
        Some(Self { base: address & mask, prefix })
    }

    /// The first address for a host.
    pub(crate) fn first(self) -> Ipv4Addr {
        self.at(1)
    }

    /// The address at a distance from the network's own.
    pub(crate) fn at(self, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.base.wrapping_add(offset))
    }

    /// Its networks of a longer prefix, in order; none when the prefix is not longer.
    pub(crate) fn slices(self, prefix: u8) -> impl Iterator<Item = String> {
        let bits = prefix.checked_sub(self.prefix).filter(|bits| *bits < 32 && prefix <= 32);
        let count = bits.map_or(0, |bits| 1_u32 << bits);
        (0..count).map(move |index| {
            let offset = index.checked_shl(32 - u32::from(prefix)).unwrap_or_default();
            format!("{}/{prefix}", Ipv4Addr::from(self.base + offset))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_lie_side_by_side() {
        let network = Ipv4Network::parse("10.42.7.9/22").expect("a network");
        let slices: Vec<String> = network.slices(24).collect();
        assert_eq!(slices, ["10.42.4.0/24", "10.42.5.0/24", "10.42.6.0/24", "10.42.7.0/24"]);
        assert_eq!(network.first(), Ipv4Addr::new(10, 42, 4, 1));
        assert_eq!(network.slices(16).count(), 0);
        assert_eq!(["10.0.0.0/33", "10.0.0/8", "x/8", "10.0.0.0"].map(Ipv4Network::parse), [None; 4]);
    }
}
