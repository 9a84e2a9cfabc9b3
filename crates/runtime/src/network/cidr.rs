//! An IPv4 range, `10.42.1.0/24`.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Cidr {
    pub(super) base: Ipv4Addr,
    pub(super) prefix: u8,
}

impl Cidr {
    /// The addresses that a pod may have: all but the first, the last, and the second, which is kept for the node.
    pub(super) fn hosts(self) -> impl Iterator<Item = Ipv4Addr> {
        let size = 1u64 << (32 - self.prefix);
        let base = u64::from(u32::from(self.base));
        (base + 2..(base + size).saturating_sub(1)).map(|bits| Ipv4Addr::from(bits as u32))
    }

    pub(super) fn contains(self, ip: Ipv4Addr) -> bool {
        let shift = 32 - u32::from(self.prefix);
        u64::from(u32::from(ip)) >> shift == u64::from(u32::from(self.base)) >> shift
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Cidr, String> {
        let fail = || format!("{text:?} is not an IPv4 range such as 10.42.1.0/24");
        let (base, prefix) = text.split_once('/').ok_or_else(fail)?;
        let cidr = Cidr {
            base: base.parse().map_err(|_| fail())?,
            prefix: prefix.parse().ok().filter(|prefix| *prefix <= 32).ok_or_else(fail)?,
        };
        let mask = u32::MAX.checked_shl(32 - u32::from(cidr.prefix)).unwrap_or(0);
        if u32::from(cidr.base) & mask != u32::from(cidr.base) {
            return Err(format!("{text:?} has bits beyond its prefix"));
        }
        Ok(cidr)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}
