//! Connections that stand while their endpoint is on its way out, and when it is gone.

use std::net::TcpStream;

use super::*;

const FAR: Endpoint =
    Endpoint { address: SocketAddrV4::new(std::net::Ipv4Addr::new(10, 42, 1, 2), 8080), local: false };

/// A connection to `endpoint`, which has answered by the time that this returns.
fn standing(lab: &Lab) -> TcpStream {
    let mut stream = lab.connect("outside", "10.99.0.1:30080").expect("connected");
    stream.write_all(b"one").expect("sent");
    // Once a later connection was answered, this one has its endpoint.
    assert!(lab.ask("outside", "10.99.0.1:30080").starts_with("10.42.1.2:8080"));
    stream
}

#[test]
fn a_connection_to_a_leaving_endpoint_goes_on_and_ends_with_it() {
    let Some(lab) = Lab::new() else { return };
    let (near, far) = (lab.serve("pod1", "10.42.0.2:8080"), lab.serve("pod3", "10.42.1.2:8080"));
    let engine = lab.engine();
    engine.apply(&[web(&BOTH[1..])]);
    let (mut drained, mut cut) = (standing(&lab), standing(&lab));
    engine.apply(&[ServicePort { retired: vec![FAR], ..web(&BOTH[..1]) }]);
    assert!(lab.ask("outside", "10.99.0.1:30080").starts_with("10.42.0.2:8080"), "new ones go elsewhere");
    drained.write_all(b"two").expect("sent");
    drained.shutdown(Shutdown::Write).expect("half-closed");
    let mut answer = String::new();
    drained.read_to_string(&mut answer).expect("answered");
    assert_eq!(answer, "10.42.1.2:8080 from 10.99.0.1");
    engine.apply(&[web(&BOTH[..1])]);
    let error = cut.read(&mut [0; 8]).expect_err("the endpoint is gone, and the client is told");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    engine.stop();
    drop((near, far));
}

/// An endpoint that does not answer is left as soon as it is gone, for one that is there by then.
#[test]
fn a_client_that_waits_for_an_endpoint_is_led_on_when_that_goes() {
    let Some(lab) = Lab::new() else { return };
    let near = lab.serve("pod1", "10.42.0.2:8080");
    lab.ip_in("node", "route add 10.42.1.99/32 dev outside");
    let engine = lab.engine();
    engine.apply(&[web(&[("10.42.1.99:8080", false)])]);
    let mut waiting = lab.connect("outside", "10.99.0.1:30080").expect("connected");
    engine.apply(&[web(&BOTH[..1])]);
    waiting.write_all(b"one").expect("sent");
    waiting.shutdown(Shutdown::Write).expect("half-closed");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).expect("answered");
    assert_eq!(answer, "10.42.0.2:8080 from 10.99.0.9");
    engine.stop();
    drop(near);
}
