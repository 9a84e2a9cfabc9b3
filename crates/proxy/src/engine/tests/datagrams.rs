//! UDP through the whole data path: who answers whom, from which address, and where a
//! flow goes when its endpoint does.

use std::net::UdpSocket;
use std::time::Duration;

use xebec_dataplane::Protocol;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

/// The Service 10.43.0.10:53, at node port 30053, with these endpoints.
fn dns(endpoints: &[(&str, bool)]) -> ServicePort {
    ServicePort {
        name: "kube-system/kube-dns:dns".to_owned(),
        protocol: Protocol::Udp,
        addresses: vec![address("10.43.0.10:53")],
        node_port: Some(30053),
        ..web(endpoints)
    }
}

const BOTH: [(&str, bool); 2] = [("10.42.0.2:5353", true), ("10.42.1.2:5353", false)];

/// A client with a connected socket: it takes answers only from the address that it asked.
fn client(lab: &Lab, from: &str, to: &str) -> UdpSocket {
    lab.within(from, || {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("bound");
        socket.connect(to).expect("connected");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    })
}

fn say(client: &UdpSocket, question: &str) -> String {
    client.send(question.as_bytes()).expect("sent");
    hear(client).expect("answered in time")
}

fn hear(client: &UdpSocket) -> std::io::Result<String> {
    let mut answer = [0; 2048];
    let length = client.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

fn ask(lab: &Lab, from: &str, to: &str) -> String {
    say(&client(lab, from, to), "who?")
}

/// Every way in. The answer comes from where the question went, and an endpoint of this
/// node sees its client's address.
#[test]
fn questions_are_answered_from_the_address_that_was_asked() {
    let Some(lab) = Lab::new() else { return };
    let (near, far) = (lab.echo("pod1", "10.42.0.2:5353"), lab.echo("pod3", "10.42.1.2:5353"));
    let engine = lab.engine();
    engine.apply(&[dns(&BOTH[..1])]);
    for (from, to, seen) in [
        ("pod2", "10.43.0.10:53", "10.42.0.3"),
        ("pod1", "10.43.0.10:53", "10.99.0.1"),
        ("node", "10.43.0.10:53", "10.99.0.1"),
        ("node", "127.0.0.1:30053", "10.99.0.1"),
        ("node", "10.99.0.1:30053", "10.99.0.1"),
        ("outside", "10.99.0.1:30053", "10.99.0.9"),
        ("pod2", "10.99.0.1:30053", "10.42.0.3"),
        ("pod3", "10.43.0.10:53", "10.42.1.2"),
    ] {
        assert_eq!(ask(&lab, from, to), format!("who? 10.42.0.2:5353 from {seen}"), "{from} to {to}");
    }
    engine.apply(&[dns(&BOTH[1..])]);
    assert_eq!(ask(&lab, "pod2", "10.43.0.10:53"), "who? 10.42.1.2:5353 from 10.99.0.1");
    assert_eq!(ask(&lab, "outside", "10.99.0.1:30053"), "who? 10.42.1.2:5353 from 10.99.0.1");
    engine.stop();
    drop((near, far));
}

/// Many datagrams at once arrive whole and in order, small ones and full ones.
#[test]
fn a_burst_arrives_whole() {
    let Some(lab) = Lab::new() else { return };
    let near = lab.echo("pod1", "10.42.0.2:5353");
    let engine = lab.engine();
    engine.apply(&[dns(&BOTH[..1])]);
    let client = client(&lab, "pod2", "10.43.0.10:53");
    for length in [4, 64, 1200, 1800] {
        let questions: Vec<String> = (0..50).map(|number| format!("{number:0length$}")).collect();
        for question in &questions {
            client.send(question.as_bytes()).expect("sent");
        }
        for question in &questions {
            assert_eq!(hear(&client).expect("answered"), format!("{question} 10.42.0.2:5353 from 10.42.0.3"));
        }
    }
    engine.stop();
    drop(near);
}

/// A flow keeps its endpoint, is moved as soon as that is not used any more, and is told
/// when there is none at all.
#[test]
fn a_flow_stays_until_its_endpoint_goes() {
    let Some(lab) = Lab::new() else { return };
    let (near, far) = (lab.echo("pod1", "10.42.0.2:5353"), lab.echo("pod3", "10.42.1.2:5353"));
    let engine = lab.engine();
    engine.apply(&[dns(&BOTH)]);
    let client = client(&lab, "pod2", "10.43.0.10:53");
    let first = say(&client, "who?");
    for _ in 0..20 {
        assert_eq!(say(&client, "who?"), first);
    }
    let (stays, seen) = match first.contains("10.42.0.2") {
        true => (&BOTH[1..], "who? 10.42.1.2:5353 from 10.99.0.1"),
        false => (&BOTH[..1], "who? 10.42.0.2:5353 from 10.42.0.3"),
    };
    engine.apply(&[dns(stays)]);
    assert_eq!(say(&client, "who?"), seen);
    engine.apply(&[dns(&[])]);
    // The refusal of the first one is told with the second one, or when its answer is awaited.
    client.send(b"who?").expect("sent");
    assert_eq!(hear(&client).expect_err("nobody is there").kind(), ErrorKind::ConnectionRefused);
    engine.apply(&[dns(stays)]);
    assert_eq!(say(&client, "who?"), seen, "and back again");
    engine.stop();
    drop((near, far));
}

/// An endpoint at which nobody listens costs a client one question.
#[test]
fn an_endpoint_that_refuses_is_left() {
    let Some(lab) = Lab::new() else { return };
    let near = lab.echo("pod1", "10.42.0.2:5353");
    let engine = lab.engine();
    engine.apply(&[dns(&[BOTH[0], ("10.42.0.2:9", true)])]);
    let client = client(&lab, "pod2", "10.43.0.10:53");
    client.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    let mut lost = 0;
    loop {
        client.send(b"who?").expect("sent");
        match hear(&client) {
            Ok(answer) => break assert_eq!(answer, "who? 10.42.0.2:5353 from 10.42.0.3"),
            Err(_) => lost += 1,
        }
        assert!(lost < 3, "the flow was not moved");
    }
    engine.stop();
    drop(near);
}

/// Every question of a thousand clients, each with a flow of its own, is answered, and both
/// endpoints have their share.
#[test]
fn a_thousand_flows_spread_over_the_endpoints() {
    let Some(lab) = Lab::new() else { return };
    let (near, far) = (lab.echo("pod1", "10.42.0.2:5353"), lab.echo("pod3", "10.42.1.2:5353"));
    let engine = lab.engine();
    engine.apply(&[dns(&BOTH)]);
    let answers: Vec<String> = (0..1000).map(|_| ask(&lab, "pod2", "10.43.0.10:53")).collect();
    let near_ones = answers.iter().filter(|answer| answer.contains("10.42.0.2")).count();
    assert!((400..600).contains(&near_ones), "{near_ones} of 1000");
    engine.stop();
    drop((near, far));
}
