//! The range of a node's pods, `10.42.1.0/24`: how it is read, and which of its addresses are for pods.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Reads a range. One with bits beyond its prefix is refused: the kernel would refuse its route.
pub(super) fn parse(text: &str) -> Result<Ipv4Net, String> {
    let range =
        text.parse::<Ipv4Net>().map_err(|_| format!("{text:?} is not an IPv4 range such as 10.42.1.0/24"))?;
    if range != range.trunc() {
        return Err(format!("{text:?} has bits beyond its prefix"));
    }
    Ok(range)
}

/// The addresses that a pod may have: all but the first, the last, and the second, which is kept for the node.
pub(super) fn pod_addresses(range: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    let (first, last) = (u32::from(range.network()), u32::from(range.broadcast()));
    (first.saturating_add(2)..last).map(Ipv4Addr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked() {
        let show = |text: &str| match parse(text) {
            Ok(range) => range.to_string(),
            Err(message) => message,
        };
        let shown = ["10.42.1.0/24", "0.0.0.0/0", "10.42.1.1/24", "10.42.1.0/33", "x"].map(show);
        expect_test::expect![[r#"
            10.42.1.0/24
            0.0.0.0/0
            "10.42.1.1/24" has bits beyond its prefix
            "10.42.1.0/33" is not an IPv4 range such as 10.42.1.0/24
            "x" is not an IPv4 range such as 10.42.1.0/24
        "#]]
        .assert_eq(&(shown.join("\n") + "\n"));
    }

    #[test]
    fn the_first_the_second_and_the_last_address_are_no_pods() {
        let addresses = |text: &str| -> Vec<String> {
            pod_addresses(parse(text).expect("a range")).map(|ip| ip.to_string()).collect()
        };
        assert_eq!(
            addresses("10.42.1.8/29"),
            ["10.42.1.10", "10.42.1.11", "10.42.1.12", "10.42.1.13", "10.42.1.14"]
        );
        assert_eq!(addresses("255.255.255.252/30"), ["255.255.255.254"]);
        let small = ["10.42.1.0/31", "10.42.1.0/32", "255.255.255.254/31", "255.255.255.255/32"];
        assert!(small.iter().all(|text| addresses(text).is_empty()));
    }
}
