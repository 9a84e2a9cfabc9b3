//! Which endpoint a client met last, for Services with `sessionAffinity: ClientIP`.
//!
//! A client that comes back within the Service's time meets the same endpoint, and its
//! time begins anew. The memory is bounded: when it is full, whoever came longest ago is
//! forgotten, and is then a new client.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;

/// Clients that are remembered, some 100 bytes each.
const CLIENTS: NonZeroUsize = NonZeroUsize::new(1 << 16).expect("it is not zero");

/// A client of one Service port.
pub(crate) type Client = (Ipv4Addr, Arc<str>);

/// See the module.
pub(crate) struct Affinities {
    met: LruCache<Client, Met>,
}

struct Met {
    endpoint: SocketAddrV4,
    at_ms: u64,
}

impl Default for Affinities {
    fn default() -> Self {
        let mut met = LruCache::unbounded();
        met.resize(CLIENTS);
        Self { met }
    }
}

impl Affinities {
    /// The endpoint that a client met less than `timeout` ago.
    pub(crate) fn held(&mut self, client: &Client, timeout: Duration, now_ms: u64) -> Option<SocketAddrV4> {
        let met = self.met.get(client)?;
        let away = u128::from(now_ms.saturating_sub(met.at_ms));
        (away < timeout.as_millis()).then_some(met.endpoint)
    }

    /// Remembers whom a client meets now.
    pub(crate) fn hold(&mut self, client: Client, endpoint: SocketAddrV4, now_ms: u64) {
        self.met.put(client, Met { endpoint, at_ms: now_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u32) -> Client {
        (Ipv4Addr::from(number), "default/web:".into())
    }

    #[test]
    fn a_client_is_held_until_it_has_stayed_away_for_long() {
        let endpoint = "10.42.0.2:80".parse().expect("an address");
        let (mut affinities, timeout) = (Affinities::default(), Duration::from_secs(3));
        assert_eq!(affinities.held(&client(1), timeout, 0), None);
        affinities.hold(client(1), endpoint, 1000);
        assert_eq!(affinities.held(&client(1), timeout, 3999), Some(endpoint));
        assert_eq!(affinities.held(&client(1), timeout, 4000), None, "three seconds have passed");
        affinities.hold(client(1), endpoint, 3999);
        assert_eq!(affinities.held(&client(1), timeout, 6998), Some(endpoint), "the time began anew");
        let elsewhere = (Ipv4Addr::from(1), "default/other:".into());
        assert_eq!(affinities.held(&elsewhere, timeout, 3999), None, "another Service, another memory");
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let endpoint = "10.42.0.2:80".parse().expect("an address");
        let mut affinities = Affinities::default();
        let clients = u32::try_from(CLIENTS.get()).expect("it fits");
        (0..=clients).for_each(|number| affinities.hold(client(number), endpoint, 0));
        assert_eq!(affinities.met.len(), CLIENTS.get());
        let hour = Duration::from_secs(3600);
        assert_eq!(affinities.held(&client(0), hour, 0), None);
        assert_eq!(affinities.held(&client(1), hour, 0), Some(endpoint));
    }
}
