//! The whole data path on a real kernel: a node, two pods on it, a pod on another node and
//! a client outside, each a network namespace of its own.

mod datagrams;
mod follow;
mod lab;
mod spread;
mod standing;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4};

use xebec_dataplane::Endpoint;

use super::*;
use lab::Lab;

fn address(text: &str) -> SocketAddrV4 {
    text.parse().expect("an address")
}

/// The Service 10.43.0.5:80, at node port 30080, with these endpoints.
fn web(endpoints: &[(&str, bool)]) -> ServicePort {
    let endpoints: Vec<_> =
        endpoints.iter().map(|(text, local)| Endpoint { address: address(text), local: *local }).collect();
    ServicePort {
        name: "default/web:".to_owned(),
        addresses: vec![address("10.43.0.5:80")],
        node_port: Some(30080),
        node_port_endpoints: endpoints.clone(),
        endpoints,
        ..ServicePort::default()
    }
}

const BOTH: [(&str, bool); 2] = [("10.42.0.2:8080", true), ("10.42.1.2:8080", false)];

/// Every way in, and what the endpoint sees as its client.
#[test]
fn connections_reach_endpoints_from_pods_the_host_and_outside() {
    let Some(lab) = Lab::new() else { return };
    let (near, far) = (lab.serve("pod1", "10.42.0.2:8080"), lab.serve("pod3", "10.42.1.2:8080"));
    let engine = lab.engine();
    engine.apply(&[web(&BOTH[..1])]);
    assert_eq!(lab.ask("pod2", "10.43.0.5:80"), "10.42.0.2:8080 from 10.42.0.3");
    assert_eq!(lab.ask("pod1", "10.43.0.5:80"), "10.42.0.2:8080 from 10.99.0.1", "a pod reaches itself");
    assert_eq!(lab.ask("node", "10.43.0.5:80"), "10.42.0.2:8080 from 10.99.0.1");
    assert_eq!(lab.ask("node", "127.0.0.1:30080"), "10.42.0.2:8080 from 10.99.0.1");
    assert_eq!(lab.ask("node", "10.99.0.1:30080"), "10.42.0.2:8080 from 10.99.0.1");
    assert_eq!(lab.ask("outside", "10.99.0.1:30080"), "10.42.0.2:8080 from 10.99.0.9", "its own address");
    assert_eq!(lab.ask("pod3", "10.99.0.1:30080"), "10.42.0.2:8080 from 10.42.1.2");
    assert_eq!(lab.ask("pod1", "10.99.0.1:30080"), "10.42.0.2:8080 from 10.99.0.1", "itself, the other way");
    assert_eq!(lab.ask("pod2", "10.99.0.1:30080"), "10.42.0.2:8080 from 10.42.0.3");
    engine.apply(&[web(&BOTH[1..])]);
    assert_eq!(lab.ask("pod2", "10.43.0.5:80"), "10.42.1.2:8080 from 10.99.0.1");
    assert_eq!(lab.ask("outside", "10.99.0.1:30080"), "10.42.1.2:8080 from 10.99.0.1");
    engine.stop();
    drop((near, far));
}

/// What the kernel's table of tracked connections would cost, and what its limit would
/// refuse, is no concern of a Service: only what is masqueraded stands there.
#[test]
fn the_kernel_tracks_no_connection_of_the_proxy() {
    let Some(lab) = Lab::new() else { return };
    let (near, far) = (lab.serve("pod1", "10.42.0.2:8080"), lab.serve("pod3", "10.42.1.2:8080"));
    let outside = lab.serve("outside", "10.99.0.9:7000");
    let engine = lab.engine();
    let tracked = || {
        let count = || std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count");
        lab.within("node", count).expect("the kernel tracks connections").trim().to_owned()
    };
    for endpoint in BOTH {
        engine.apply(&[web(&[endpoint])]);
        for (from, to) in [("pod2", "10.43.0.5:80"), ("outside", "10.99.0.1:30080")] {
            lab.ask(from, to);
            assert_eq!(tracked(), "0", "{from} to {to}, {endpoint:?}");
        }
    }
    lab.ask("pod2", "10.99.0.9:7000");
    assert_eq!(tracked(), "1", "a pod's own way out");
    engine.stop();
    drop((near, far, outside));
}

/// What is in the Service range and in no set is refused at once, whatever listens on the host.
#[test]
fn what_is_no_service_is_refused() {
    let Some(lab) = Lab::new() else { return };
    let daemon = lab.serve("node", "0.0.0.0:9100");
    let engine = lab.engine();
    engine.apply(&[web(&[])]);
    for from in ["pod2", "node"] {
        for to in ["10.43.0.5:80", "10.43.0.5:9100", "10.43.9.9:9100"] {
            assert_eq!(
                lab.try_ask(from, to).expect_err("refused").kind(),
                ErrorKind::ConnectionRefused,
                "{from} {to}"
            );
        }
    }
    assert_eq!(
        lab.try_ask("outside", "10.99.0.1:30080").expect_err("refused").kind(),
        ErrorKind::ConnectionRefused
    );
    assert!(lab.ask("outside", "10.99.0.1:9100").ends_with("from 10.99.0.9"), "the host's own ports stay");
    engine.stop();
    drop(daemon);
}

/// An endpoint that refuses, and one that never answers, cost a client nothing but time.
#[test]
fn a_dead_endpoint_is_passed_over() {
    let Some(lab) = Lab::new() else { return };
    let near = lab.serve("pod1", "10.42.0.2:8080");
    lab.ip_in("node", "route add 10.42.1.99/32 dev outside");
    let engine = lab.engine();
    engine.apply(&[web(&[BOTH[0], ("10.42.0.3:8080", true), ("10.42.1.99:8080", false)])]);
    for _ in 0..8 {
        assert!(lab.ask("outside", "10.99.0.1:30080").starts_with("10.42.0.2:8080"));
    }
    engine.stop();
    drop(near);
}

/// A connection that stands outlives its Service; a pod's way out is masqueraded; and when
/// the proxy ends it leaves nothing behind.
#[test]
fn standing_connections_stay_and_nothing_is_left_behind() {
    let Some(lab) = Lab::new() else { return };
    let near = lab.serve("pod1", "10.42.0.2:8080");
    let outside = lab.serve("outside", "10.99.0.9:7000");
    let before = lab.state_of_node();
    let engine = lab.engine();
    engine.apply(&[]);
    assert_eq!(lab.ask("pod2", "10.99.0.9:7000"), "10.99.0.9:7000 from 10.99.0.1");
    engine.apply(&[web(&BOTH[..1])]);
    let mut standing = lab.connect("pod2", "10.43.0.5:80").expect("connected");
    standing.write_all(b"one").expect("sent");
    // Once a later connection was answered, this one has its endpoint.
    assert_eq!(lab.ask("pod2", "10.43.0.5:80"), "10.42.0.2:8080 from 10.42.0.3");
    engine.apply(&[]);
    assert_eq!(lab.try_ask("pod2", "10.43.0.5:80").expect_err("gone").kind(), ErrorKind::ConnectionRefused);
    standing.write_all(b"two").expect("sent");
    standing.shutdown(Shutdown::Write).expect("half-closed");
    let mut answer = String::new();
    standing.read_to_string(&mut answer).expect("answered");
    assert_eq!(answer, "10.42.0.2:8080 from 10.42.0.3");
    engine.stop();
    assert_eq!(lab.state_of_node(), before);
    lab.within("node", || {
        remove_leftovers("10.43.0.0/16".parse().expect("a network")).expect("nothing is there")
    });
    drop((near, outside));
}

/// A table that somebody flushed is made anew at the next change.
#[test]
fn a_lost_table_is_made_anew() {
    let Some(lab) = Lab::new() else { return };
    let near = lab.serve("pod1", "10.42.0.2:8080");
    let engine = lab.engine();
    engine.apply(&[web(&BOTH[1..])]);
    lab.within("node", || nft::remove().expect("removed"));
    engine.apply(&[web(&BOTH[..1]), ServicePort { node_port: Some(30081), ..web(&BOTH[..1]) }]);
    assert_eq!(lab.ask("outside", "10.99.0.1:30081"), "10.42.0.2:8080 from 10.99.0.9");
    engine.stop();
    drop(near);
}

/// A client's own connections to an endpoint, beside its Service, are none of the proxy's, though
/// both come from its address: those here have every port that the node's kernel gives away.
#[test]
fn a_clients_own_connections_are_left_alone() {
    let Some(lab) = Lab::new() else { return };
    let near = lab.serve("pod1", "10.42.0.2:8080");
    let engine = lab.engine();
    engine.apply(&[web(&BOTH[..1])]);
    let give_away = |host: &str, ports: &'static str| {
        let path = "/proc/sys/net/ipv4/ip_local_port_range";
        lab.within(host, || std::fs::write(path, ports)).expect("a sysctl");
    };
    give_away("node", "40000 40001");
    give_away("pod2", "40000 40001");
    let own = [(); 2].map(|()| lab.connect("pod2", "10.42.0.2:8080").expect("connected"));
    give_away("pod2", "32768 60999");
    for _ in 0..4 {
        assert_eq!(lab.ask("pod2", "10.43.0.5:80"), "10.42.0.2:8080 from 10.42.0.3");
    }
    for mut stream in own {
        stream.write_all(b"who?").expect("it stands");
        stream.shutdown(Shutdown::Write).expect("half-closed");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        assert_eq!(answer, "10.42.0.2:8080 from 10.42.0.3");
    }
    engine.stop();
    drop(near);
}

/// A proxy that would cut its node off from others does not begin.
#[test]
fn a_network_of_the_node_is_not_taken_for_services() {
    let Some(lab) = Lab::new() else { return };
    lab.ip_in("node", "addr add 10.43.7.1/24 dev outside");
    let before = lab.state_of_node();
    let started = lab.start_on_node(|| async {
        let network = |text: &str| text.parse().expect("a network");
        let started = Engine::start(network("10.43.0.0/16"), network("10.42.0.0/16"), 100).await;
        let error = started.err().expect("it is refused").to_string();
        assert!(error.starts_with("10.43.7.0/24 of outside lies in 10.43.0.0/16"), "{error}");
    });
    started.join().expect("as said");
    assert_eq!(lab.state_of_node(), before);
}

/// A port that leads to an endpoint is good again long before its last connection is forgotten,
/// while there is a proxy, and unless the node's keeper wants it otherwise.
#[test]
fn ports_are_used_again_soon() {
    let Some(lab) = Lab::new() else { return };
    let path = "/proc/sys/net/ipv4/tcp_tw_reuse";
    for (before, meanwhile) in [("2", "1"), ("0", "0")] {
        lab.within("node", || std::fs::write(path, before).expect("a sysctl"));
        let now = || lab.within("node", || std::fs::read_to_string(path)).expect("a sysctl");
        let engine = lab.engine();
        assert_eq!(now().trim(), meanwhile);
        engine.stop();
        assert_eq!(now().trim(), before);
    }
    // One that was killed has left its table, and the setting.
    let services = "10.43.0.0/16".parse().expect("a network");
    lab.within("node", || std::fs::write(path, "1").expect("a sysctl"));
    let clean_up = || lab.within("node", || clean_up(services).expect("cleaned up"));
    let now = || lab.within("node", || std::fs::read_to_string(path)).expect("a sysctl");
    clean_up();
    assert_eq!(now().trim(), "1", "without a table no proxy was there");
    let engine = lab.engine();
    engine.apply(&[web(&BOTH[..1])]);
    clean_up();
    assert_eq!(now().trim(), "2");
    engine.stop();
}

/// Others flush every table, and drop rules and routes that they do not know.
#[test]
fn what_others_take_out_of_the_kernel_is_put_back_without_a_change() {
    let Some(lab) = Lab::new() else { return };
    let near = lab.serve("pod1", "10.42.0.2:8080");
    let engine = lab.engine();
    engine.apply(&[web(&BOTH[..1])]);
    let before = lab.state_of_node();
    engine.look_after();
    assert_eq!(lab.state_of_node(), before, "nothing was taken");
    let services = "10.43.0.0/16".parse().expect("a network");
    lab.within("node", || remove_leftovers(services).expect("taken out"));
    assert_ne!(lab.state_of_node(), before);
    engine.look_after();
    assert_eq!(lab.state_of_node(), before);
    assert_eq!(lab.ask("pod2", "10.43.0.5:80"), "10.42.0.2:8080 from 10.42.0.3");
    assert_eq!(lab.ask("outside", "10.99.0.1:30080"), "10.42.0.2:8080 from 10.99.0.9");
    engine.stop();
    drop(near);
}

/// Many Services are one batch, and one more is one element.
#[test]
fn ten_thousand_services_fit() {
    let Some(lab) = Lab::new() else { return };
    let near = lab.serve("pod1", "10.42.0.2:8080");
    let engine = lab.engine();
    let many: Vec<ServicePort> = (1..=10_000_u32)
        .map(|number| {
            let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 43, 64, 0)) + number);
            ServicePort { addresses: vec![SocketAddrV4::new(ip, 80)], node_port: None, ..web(&BOTH[..1]) }
        })
        .collect();
    engine.apply(&many);
    assert_eq!(lab.ask("pod2", "10.43.64.1:80"), "10.42.0.2:8080 from 10.42.0.3");
    let one_more = [many, vec![web(&BOTH[..1])]].concat();
    engine.apply(&one_more);
    assert_eq!(lab.ask("pod2", "10.43.0.5:80"), "10.42.0.2:8080 from 10.42.0.3");
    engine.apply(&one_more[10_000..]);
    let error = lab.try_ask("pod2", "10.43.64.1:80").expect_err("gone");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    engine.stop();
    drop(near);
}
