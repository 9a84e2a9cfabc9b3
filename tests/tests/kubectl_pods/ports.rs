//! `port-forward`: to a pod and to a Service, with several connections at once over one
//! WebSocket, and to ports that nobody listens at.

use std::net::TcpStream;
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, ensure};
use xebec_tests::demo::Demo;
use xebec_tests::forward::Forward;
use xebec_tests::kubectl::Kubectl;
use xebec_tests::xctl::Xctl;

/// Connections at once.
const AT_ONCE: usize = 8;

pub(super) fn check(demo: &Demo, kubectl: &Kubectl) {
    let wanted = kubectl.run(&["exec", "box", "-c", "server", "--", "md5sum", "/www/some"]).expect("a sum");
    let wanted = wanted.split_whitespace().next().expect("a sum").to_owned();
    for target in [&["pod/box", ":web"], &["box", ":8080"], &["service/box", ":http"], &["svc/box", ":80"]] {
        several_are_served_at_once(kubectl, target, &wanted);
    }
    a_refused_port_says_so(kubectl);
    a_refused_port_of_xctl_leaves_the_others(demo);
    let refused = kubectl.refusal(&["port-forward", "pod/placeless", ":80"]);
    assert_eq!(refused, "error: unable to forward port because pod is not running. Current status=Pending");
}

fn several_are_served_at_once(kubectl: &Kubectl, target: &[&str; 2], wanted: &str) {
    let forward = Forward::open(kubectl.command(&["port-forward", target[0], target[1]])).expect("forwards");
    let port = forward.port();
    // One that says nothing is in nobody's way.
    let silent = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    let sums: Vec<_> = (0..AT_ONCE).map(|_| thread::spawn(move || sum_of(port))).collect();
    for sum in sums {
        assert_eq!(sum.join().expect("no panic").expect("an answer"), wanted, "{target:?}");
    }
    drop(silent);
    assert_eq!(sum_of(port).expect("an answer"), wanted, "it goes on: {target:?}");
}

fn a_refused_port_says_so(kubectl: &Kubectl) {
    let uid = kubectl.run(&["get", "pod", "box", "-o", "jsonpath={.metadata.uid}"]).expect("a uid");
    let mut forward =
        Forward::open(kubectl.command(&["port-forward", "pod/box", ":8080", ":9"])).expect("forwards");
    let refused = forward.next_port().expect("its other port");
    sum_of(forward.port()).expect("an answer");
    sum_of(refused).expect_err("nobody listens there");
    // kubectl takes it for the end of all: `pf.streamConn.Close()` in client-go's portforward.go.
    let (said, fine) = forward.ends().expect("it ends");
    let wanted = format!(
        "an error occurred forwarding {refused} -> 9: error forwarding port 9 to pod box, uid {uid}: connecting to \
         port 9 in the pod: Connection refused"
    );
    assert!(said.contains(&wanted) && !fine, "{wanted:?} in {said}");
    assert!(said.ends_with("error: lost connection to pod\n"), "{said}");
}

fn a_refused_port_of_xctl_leaves_the_others(demo: &Demo) {
    let xctl = Xctl::new(&demo.kubeconfig());
    let mut forward = Forward::open(xctl.command(&["port-forward", "box", ":8080", ":9"])).expect("forwards");
    let refused = forward.next_port().expect("its other port");
    sum_of(refused).expect_err("nobody listens there");
    sum_of(forward.port()).expect("the other port goes on");
}

/// The md5sum of what the pod serves.
fn sum_of(port: u16) -> Result<String> {
    let line = format!("set -o pipefail; curl -fsS --max-time 60 http://127.0.0.1:{port}/some | md5sum");
    let output = Command::new("bash").args(["-c", &line]).output().context("bash")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.split_whitespace().next().context("a sum")?.to_owned())
}
