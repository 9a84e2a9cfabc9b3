//! IPv4 networks in prefix notation.

use std::net::Ipv4Addr;
use std::str::FromStr;

/// Such as `10.43.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Network {
    base: u32,
    prefix: u8,
}

/// Text that is no network.
#[derive(Debug, thiserror::Error)]
#[error("expected an IPv4 network such as 10.43.0.0/16, not {0:?}")]
pub struct NotANetwork(String);

impl Ipv4Network {
    /// Its first address.
    pub(crate) fn base(self) -> Ipv4Addr {
        Ipv4Addr::from(self.base)
    }

    /// The length of its prefix.
    pub(crate) fn prefix(self) -> u8 {
        self.prefix
    }

    /// Its mask.
    pub(crate) fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from(mask(self.prefix))
    }

    /// Whether an address is in it.
    pub(crate) fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.base
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or_default()
}

impl FromStr for Ipv4Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
            let address: Ipv4Addr = address.parse().ok()?;
            Some(Self { base: u32::from(address) & mask(prefix), prefix })
        };
        parse().ok_or_else(|| NotANetwork(text.to_owned()))
    }
}
