//! Building, finding, and the order of tries.

use std::collections::HashSet;

use expect_test::expect;

use super::*;

fn address(text: &str) -> SocketAddrV4 {
    text.parse().expect("an address")
}

fn port(service: &str, node_port: Option<u16>, endpoints: &[&str]) -> ServicePort {
    let endpoints: Vec<_> =
        endpoints.iter().map(|text| Endpoint { address: address(text), local: false }).collect();
    let node_port_endpoints = endpoints.clone();
    ServicePort {
        addresses: vec![address(service)],
        node_port,
        sticky: false,
        endpoints,
        node_port_endpoints,
    }
}

#[test]
fn addresses_and_node_ports_lead_to_endpoints() {
    let ports = [
        port("10.43.0.5:80", Some(30080), &["10.42.0.2:8080", "10.42.1.2:8080"]),
        port("10.43.0.6:80", None, &[]),
    ];
    let routes = Routes::build(&Routes::default(), &ports);
    expect![[r#"
        Elements {
            services: {
                10.43.0.5:80,
            },
            node_ports: {
                30080,
            },
        }
    "#]]
    .assert_debug_eq(&routes.elements());
    let found = ["10.43.0.5:80", "10.99.0.1:30080", "10.43.0.6:80", "10.43.0.5:81"]
        .map(|text| routes.find(address(text)).map_or(0, |route| route.backends.len()));
    assert_eq!(found, [2, 2, 0, 0]);
}

#[test]
fn endpoints_that_stay_keep_what_is_known_of_them() {
    let ports = [port("10.43.0.5:80", None, &["10.42.0.2:1", "10.42.0.3:1"])];
    let old = Routes::build(&Routes::default(), &ports);
    let backend = Arc::clone(&old.find(address("10.43.0.5:80")).expect("a route").backends[0]);
    let guard = Arc::clone(&backend).count();
    let new = Routes::build(&old, &[port("10.43.0.9:80", None, &["10.42.0.2:1"])]);
    let route = new.find(address("10.43.0.9:80")).expect("a route");
    assert_eq!(route.backends[0].connections(), 1);
    drop(guard);
    assert_eq!(backend.connections(), 0);
}

#[test]
fn the_order_balances_sticks_and_avoids() {
    let mut ports = [port("10.43.0.5:80", None, &["10.42.0.2:1", "10.42.0.3:1", "10.42.0.4:1"])];
    let route = |ports: &[ServicePort]| {
        Routes::build(&Routes::default(), ports).find(address("10.43.0.5:80")).expect("a route")
    };
    let plain = route(&ports);
    let first = |route: &Route, client: u8, seed: usize| {
        let mut number = seed;
        let mut draw = |limit: usize| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (number >> 33) % limit
        };
        order(route, Ipv4Addr::new(10, 0, 0, client), 100, &mut draw)[0].endpoint.address
    };
    let drawn: HashSet<_> = (0..64).map(|seed| first(&plain, 1, seed)).collect();
    assert_eq!(drawn.len(), 3);
    plain.backends[0].suspect(101);
    let busy = Arc::clone(&plain.backends[1]).count();
    let drawn: HashSet<_> = (0..64).map(|seed| first(&plain, 1, seed)).collect();
    assert!(!drawn.contains(&plain.backends[0].endpoint.address));
    drop(busy);
    ports[0].sticky = true;
    let sticky = route(&ports);
    let of_clients: HashSet<_> = (0..64).map(|client| first(&sticky, client, 0)).collect();
    assert_eq!(of_clients.len(), 3);
    assert!((0..64).all(|seed| first(&sticky, 7, seed) == first(&sticky, 7, 0)));
}
