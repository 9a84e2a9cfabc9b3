//! Building, finding, picking, and the end of what is gone.

use std::collections::HashSet;

use expect_test::expect;

use super::*;

fn address(text: &str) -> SocketAddrV4 {
    text.parse().expect("an address")
}

fn endpoints(list: &[&str]) -> Vec<Endpoint> {
    list.iter().map(|text| Endpoint { address: address(text), local: false }).collect()
}

fn port(service: &str, node_port: Option<u16>, list: &[&str]) -> ServicePort {
    ServicePort {
        name: format!("default/{service}"),
        addresses: vec![address(service)],
        node_port,
        endpoints: endpoints(list),
        node_port_endpoints: endpoints(list),
        ..ServicePort::default()
    }
}

fn build(ports: &[ServicePort]) -> Routes {
    Routes::build(&Routes::default(), ports)
}

fn from(text: &str, inside: bool) -> Origin {
    Origin { address: text.parse().expect("an address"), inside }
}

fn find(routes: &Routes, text: &str) -> Arc<Route> {
    Arc::clone(routes.find(Protocol::Tcp, address(text), from("192.0.2.1", false)).expect("a route"))
}

#[test]
fn addresses_and_node_ports_lead_to_endpoints_of_their_protocol() {
    let mut dns = port("10.43.0.10:53", Some(30080), &["10.42.0.2:53"]);
    dns.protocol = Protocol::Udp;
    let ports = [
        port("10.43.0.5:80", Some(30080), &["10.42.0.2:8080", "10.42.1.2:8080"]),
        port("10.43.0.6:80", None, &[]),
        dns,
    ];
    let routes = build(&ports);
    let elements = routes.elements();
    expect![[r#"{(Tcp, 10.43.0.5:80), (Udp, 10.43.0.10:53)} {(Tcp, 30080), (Udp, 30080)}"#]]
        .assert_eq(&format!("{:?} {:?}", elements.services, elements.node_ports));
    let origin = from("192.0.2.1", false);
    let count =
        |protocol, text| routes.find(protocol, address(text), origin).map_or(0, |route| route.backends.len());
    let of = |protocol| {
        ["10.43.0.5:80", "10.99.0.1:30080", "10.43.0.6:80", "10.43.0.5:81", "10.43.0.10:53"]
            .map(|text| count(protocol, text))
    };
    assert_eq!((of(Protocol::Tcp), of(Protocol::Udp)), ([2, 2, 0, 0, 0], [0, 1, 0, 0, 1]));
}

/// Who comes from outside is led by the policy for that, and let in only out of the ranges
/// that a load balancer's address is for.
#[test]
fn external_addresses_lead_by_where_a_client_comes_from() {
    let (one, all) = (&["10.42.0.2:1"][..], &["10.42.0.2:1", "10.42.1.2:1"][..]);
    let web = ServicePort {
        external_addresses: vec![address("203.0.113.1:80")],
        balanced_addresses: vec![address("203.0.113.2:80")],
        source_ranges: vec!["192.0.2.0/24".parse().expect("a network")],
        node_port_endpoints: endpoints(one),
        inside_endpoints: endpoints(all),
        ..port("10.43.0.5:80", Some(30080), &all[1..])
    };
    let count = |routes: &Routes, to: &str, origin| {
        routes.find(Protocol::Tcp, address(to), origin).map_or(0, |route| route.backends.len())
    };
    let all_of = |routes: &Routes| {
        ["10.43.0.5:80", "203.0.113.1:80", "203.0.113.2:80", "203.0.113.1:30080"].map(|to| {
            let origins = [from("192.0.2.1", false), from("198.51.100.1", false), from("10.42.0.9", true)];
            origins.map(|origin| count(routes, to, origin))
        })
    };
    assert_eq!(all_of(&build(&[web.clone()])), [[1, 1, 1], [1, 1, 2], [1, 0, 0], [1, 1, 1]]);
    // The kernel is to redirect it for those inside, though nobody here is for the others.
    let routes = build(&[ServicePort { node_port_endpoints: Vec::new(), ..web }]);
    assert_eq!(all_of(&routes), [[1, 1, 1], [0, 0, 2], [0, 0, 0], [0, 0, 0]]);
    assert!(routes.elements().services.contains(&(Protocol::Tcp, address("203.0.113.1:80"))));
    assert!(routes.serves(Protocol::Tcp, address("203.0.113.1:80")));
}

#[test]
fn endpoints_that_stay_keep_what_is_known_of_them() {
    let old = build(&[port("10.43.0.5:80", None, &["10.42.0.2:1", "10.42.0.3:1"])]);
    let backend = Arc::clone(&find(&old, "10.43.0.5:80").backends[0]);
    let guard = Arc::clone(&backend).count();
    let new = Routes::build(&old, &[port("10.43.0.9:80", None, &["10.42.0.2:1"])]);
    assert_eq!(find(&new, "10.43.0.9:80").backends[0].connections(), 1);
    drop(guard);
    assert_eq!(backend.connections(), 0);
}

/// What stands to an endpoint goes on while any slice names its address, also on another
/// port, and when the whole Service is gone; else it ends.
#[test]
fn only_what_is_gone_ends() {
    let of = |list: &[&str]| port("10.43.0.5:80", None, list);
    let retired = ServicePort { retired: endpoints(&["10.42.0.2:1"]), ..of(&["10.42.0.3:1"]) };
    let other_port = of(&["10.42.0.2:9"]);
    let cases: [(&str, Vec<ServicePort>, bool); 4] = [
        ("it gets nothing new", vec![retired], false),
        ("its Service changed its port", vec![other_port], false),
        ("its Service is gone", vec![], false),
        ("its pod is gone", vec![of(&["10.42.0.3:1"])], true),
    ];
    for (what, next, ends) in cases {
        let old = build(&[of(&["10.42.0.2:1", "10.42.0.3:1"])]);
        let backend = Arc::clone(&find(&old, "10.43.0.5:80").backends[0]);
        let next = Routes::build(&old, &next);
        old.end_what_is_gone(&next);
        assert_eq!(backend.is_gone(), ends, "{what}");
        // One that was retired first, and goes then.
        let last = Routes::build(&next, &[of(&["10.42.0.4:1"])]);
        next.end_what_is_gone(&last);
        assert_eq!(backend.is_gone(), ends || what == "it gets nothing new", "{what}, then gone");
    }
}

fn drawing(seed: usize) -> impl FnMut(usize) -> usize {
    let mut number = seed;
    move |limit| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 33) % limit
    }
}

#[test]
fn picking_spreads_evenly_and_avoids_the_busy_the_failed_and_the_tried() {
    let routes = build(&[port("10.43.0.5:80", None, &["10.42.0.2:1", "10.42.0.3:1", "10.42.0.4:1"])]);
    let route = find(&routes, "10.43.0.5:80");
    let addresses: Vec<SocketAddrV4> =
        route.backends.iter().map(|backend| backend.endpoint.address).collect();
    let pick = |held, tried: &[SocketAddrV4], seed| {
        route.pick(held, tried, 100, &mut drawing(seed)).map(|backend| backend.endpoint.address)
    };
    let picked = |held, tried: &[SocketAddrV4]| -> HashSet<Option<SocketAddrV4>> {
        (0..64).map(|seed| pick(held, tried, seed)).collect()
    };
    let mut draw = drawing(1);
    let mut counts = [0_i32; 3];
    for _ in 0..9000 {
        let backend = route.pick(None, &[], 100, &mut draw).expect("one of three");
        counts[addresses.iter().position(|a| *a == backend.endpoint.address).expect("one of them")] += 1;
    }
    assert!(counts.iter().all(|count| (count - 3000).abs() < 200), "{counts:?}");
    assert_eq!(picked(Some(addresses[1]), &[]), [Some(addresses[1])].into());
    assert_eq!(picked(Some(addresses[1]), &addresses[1..]), [Some(addresses[0])].into());
    assert_eq!(picked(None, &addresses), [None].into());
    let busy = Arc::clone(&route.backends[1]).count();
    assert!((0..64).filter(|seed| pick(None, &[], *seed) == Some(addresses[1])).count() < 16);
    drop(busy);
    route.backends[0].suspect(101);
    assert!(!picked(None, &[]).contains(&Some(addresses[0])));
    assert!(!picked(Some(addresses[0]), &[]).contains(&Some(addresses[0])), "nor when it is held");
    assert_eq!(picked(None, &addresses[1..]), [Some(addresses[0])].into(), "rather than none");
}
