//! The host's resolvers, as /etc/resolv.conf names them.

use std::net::{IpAddr, SocketAddr};

/// The C library asks no more than three.
const MOST_UPSTREAMS: usize = 3;
const DNS_PORT: u16 = 53;

/// The resolvers, in order. Left out are `own` addresses, which would send our questions
/// back to us, and those of loopback: in a pod nobody answers there.
pub(crate) fn upstreams(resolv_conf: &str, own: &[IpAddr]) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for line in resolv_conf.lines() {
        let mut words = line.split_whitespace();
        if words.next() != Some("nameserver") {
            continue;
        }
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        if own.contains(&address) || address.is_loopback() || address.is_unspecified() {
            tracing::warn!(%address, "left out of the resolvers: it is no other host's");
        } else if !found.contains(&SocketAddr::new(address, DNS_PORT)) {
            found.push(SocketAddr::new(address, DNS_PORT));
        }
    }
    found.truncate(MOST_UPSTREAMS);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_other_hosts_are_asked() {
        let text = "# by hand\nsearch a.test\nnameserver 10.43.0.10\nnameserver 127.0.0.53\nnameserver\n\
            nameserver 192.0.2.1 # first\nnameserver x\nnameserver 2001:db8::1\nnameserver 192.0.2.1\n\
            nameserver 192.0.2.2\nnameserver 192.0.2.3\n";
        let found = upstreams(text, &["10.43.0.10".parse().expect("an address")]);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.2:53"]);
    }
}
