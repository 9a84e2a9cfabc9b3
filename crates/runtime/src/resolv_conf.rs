//! Which of the host's files names resolvers that pods can reach.

use std::fs;
use std::net::IpAddr;

/// What the host itself reads.
const OWN: &str = "/etc/resolv.conf";
/// What systemd-resolved knows beside it, where the first names only its own stub: on the
/// host's loopback, where no pod reaches it.
const UPLINKS: &str = "/run/systemd/resolve/resolv.conf";

/// The text of the host's resolv.conf as pods get it; empty where there is none.
pub fn of_host() -> String {
    let own = fs::read_to_string(OWN).unwrap_or_default();
    choose(own, || fs::read_to_string(UPLINKS).ok())
}

fn choose(own: String, uplinks: impl FnOnce() -> Option<String>) -> String {
    let loopback_only = |text: &str| {
        let mut found = nameservers(text).peekable();
        found.peek().is_some() && found.all(|address| address.is_loopback())
    };
    if !loopback_only(&own) {
        return own;
    }
    let uplinks = uplinks().filter(|text| nameservers(text).any(|address| !address.is_loopback()));
    uplinks.unwrap_or(own)
}

fn nameservers(text: &str) -> impl Iterator<Item = IpAddr> + '_ {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        // An address may name its link: fe80::1%eth0.
        address.split('%').next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_on_loopback_gives_way_to_what_it_asks() {
        let stub = "# by systemd-resolved\nnameserver 127.0.0.53\noptions edns0\nsearch a.test\n";
        let uplinks = "nameserver 192.0.2.53\nnameserver fe80::1%eth0\nsearch a.test\n";
        let chosen = |own: &str, other: Option<&str>| choose(own.to_owned(), || other.map(str::to_owned));
        assert_eq!(chosen(stub, Some(uplinks)), uplinks);
        for useless in [None, Some(""), Some("nameserver ::1\n")] {
            assert_eq!(chosen(stub, useless), stub);
        }
        for own in ["nameserver 127.0.0.1\nnameserver 192.0.2.1\n", "search a.test\n", "nameserver x\n", ""] {
            assert_eq!(choose(own.to_owned(), || panic!("it is not asked for")), own);
        }
    }
}
