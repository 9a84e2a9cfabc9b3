//! What an apiserver is told at start.

use std::fmt;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::{IpAdd as _, Ipv4Net};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Ids, RandomIds, SystemClock};
use crate::service_account::TokenKeys;

const DEFAULT_SERVICE_CIDR: ServiceRange = ServiceRange(Ipv4Net::new_assert(Ipv4Addr::new(10, 43, 0, 0), 16));

/// The cluster's constants and the injected clock and ids.
pub struct Settings {
    /// Such as `cluster.local`.
    pub cluster_domain: String,
    /// Where ClusterIPs come from.
    pub service_cidr: ServiceRange,
    /// Where NodePorts come from.
    pub node_ports: RangeInclusive<u16>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
    /// What signs and verifies ServiceAccount tokens, if it is known at start already.
    pub token_keys: Option<TokenKeys>,
    /// Reads (and, apart, writes, bodies that are on their way, and refusals that are decided again) that may be in
    /// work at once; more wait, then are refused.
    pub max_in_flight: usize,
    /// Ends every watch.
    pub shutdown: CancellationToken,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("cluster_domain", &self.cluster_domain)
            .field("service_cidr", &self.service_cidr)
            .field("node_ports", &self.node_ports)
            .finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cluster_domain: "cluster.local".into(),
            service_cidr: DEFAULT_SERVICE_CIDR,
            node_ports: 30_000..=32_767,
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            token_keys: None,
            max_in_flight: 400,
            shutdown: CancellationToken::new(),
        }
    }
}

/// An IPv4 network that ClusterIPs are given from: between /8 and /30, without bits beyond its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceRange(Ipv4Net);

/// Text that is no such range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no IPv4 range between /8 and /30 such as 10.43.0.0/16")]
pub struct ServiceRangeError {
    text: String,
}

impl std::str::FromStr for ServiceRange {
    type Err = ServiceRangeError;

    fn from_str(text: &str) -> Result<Self, ServiceRangeError> {
        let fits = |range: &Ipv4Net| (8..=30).contains(&range.prefix_len()) && *range == range.trunc();
        let range = text.parse::<Ipv4Net>().ok().filter(fits);
        range.map(Self).ok_or_else(|| ServiceRangeError { text: text.to_owned() })
    }
}

impl ServiceRange {
    /// How many addresses it has.
    #[must_use]
    pub fn size(self) -> u32 {
        1 << (32 - u32::from(self.0.prefix_len()))
    }

    /// The address at an offset from the first.
    #[must_use]
    pub fn at(self, offset: u32) -> Ipv4Addr {
        self.0.network().saturating_add(offset)
    }

    /// The offset of an address, if it lies in the range and is neither its first nor last.
    #[must_use]
    pub fn offset(self, address: Ipv4Addr) -> Option<u32> {
        let offset = u32::from(address).checked_sub(u32::from(self.0.network()))?;
        (offset > 0 && offset < self.size() - 1).then_some(offset)
    }
}

impl fmt::Display for ServiceRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked() {
        let range: ServiceRange = "10.43.0.0/16".parse().expect("a range");
        assert_eq!(range.at(10), Ipv4Addr::new(10, 43, 0, 10));
        assert_eq!(range.offset(Ipv4Addr::new(10, 43, 1, 0)), Some(256));
        assert_eq!(range.offset(Ipv4Addr::new(10, 43, 0, 0)), None);
        assert_eq!(range.offset(Ipv4Addr::new(10, 43, 255, 255)), None);
        assert_eq!(range.offset(Ipv4Addr::new(10, 44, 0, 1)), None);
        for text in ["10.43.0.1/16", "10.43.0.0", "10.43.0.0/33", "10.43.0.0/31", "x/16"] {
            assert!(text.parse::<ServiceRange>().is_err(), "{text}");
        }
    }
}
