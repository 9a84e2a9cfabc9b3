//! Two nodes with a router between them: their pods reach each other through the tunnel.

use std::process::Command;
use std::sync::mpsc;
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, unshare};
use tokio::sync::oneshot;
use xebec_runtime::{NodeNetwork, Runtime};

use crate::world::{World, eventually};

/// More than fits into one packet, or into the first window.
const BODY_BYTES: usize = 300_000;

fn ip(line: &str) -> String {
    let output = Command::new("ip").args(line.split(' ')).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The router between both nodes, a network namespace. Dropping it takes it away.
struct Router(String);

impl Router {
    fn new() -> Router {
        let router = Router(format!("xbrt-router-{}", std::process::id()));
        ip(&format!("netns add {}", router.0));
        ip(&format!("netns exec {} sysctl -qw net.ipv4.ip_forward=1", router.0));
        router
    }

    /// Links the caller's network namespace to it, as node `number`.
    fn link(&self, number: u8) {
        let router = &self.0;
        ip(&format!("link add up{number} type veth peer name r{number} netns {router}"));
        ip(&format!("address add 10.88.{number}.1/24 dev up{number}"));
        ip(&format!("link set up{number} up"));
        ip(&format!("-n {router} address add 10.88.{number}.254/24 dev r{number}"));
        ip(&format!("-n {router} link set r{number} up"));
        ip(&format!("route add 10.88.0.0/16 via 10.88.{number}.254"));
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        // Its links go with it, the nodes' ends too.
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

fn network(own: u8, peer: u8) -> NodeNetwork {
    let peers = vec![(format!("10.77.{peer}.0/24"), format!("10.88.{peer}.1").parse().expect("an address"))];
    NodeNetwork { pod_cidrs: vec![format!("10.77.{own}.0/24")], peers }
}

/// Node 2, on a thread in a network namespace of its own, with a pod that serves a file.
/// Gives the pod's address, and ends when told to.
fn far_node(router: String) -> (JoinHandle<()>, String, oneshot::Sender<()>) {
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
        ip("link set lo up");
        // Not this thread's to remove.
        let router = std::mem::ManuallyDrop::new(Router(router));
        router.link(2);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let world = World::new().await;
            world.node.set_network(network(2, 1)).await.expect("sets the network");
            let pod = world.node.run_sandbox(world.sandbox("far")).await.expect("runs");
            let serve = format!(
                "busybox mkdir /w; busybox head -c {BODY_BYTES} /dev/zero > /w/index.html; exec httpd -f -p 80 -h /w"
            );
            world.node.start_container("far", world.container("web-0", &serve)).await.expect("starts");
            tell.send(pod.ips[0].to_string()).expect("the test waits");
            // It ends with the test when the test failed.
            let _ = stopped.await;
            world.node.remove_sandbox("far").await.expect("removes");
        });
    });
    let address = told.recv().expect("node 2 runs a pod");
    (thread, address, stop)
}

pub(super) async fn pods_behind_a_router() {
    let router = Router::new();
    router.link(1);
    let (thread, address, stop) = far_node(router.0.clone());
    let world = World::new().await;
    world.node.set_network(network(1, 2)).await.expect("sets the network");
    assert_eq!(
        ip("route show proto 118").replace(' ', ""),
        "unreachable10.77.1.0/24\n10.77.2.0/24via10.77.2.0devxebec.vxlanonlink\n"
    );
    world.node.run_sandbox(world.sandbox("near")).await.expect("runs");
    world.node.start_container("near", world.container("ask-0", "exec sleep 1000")).await.expect("starts");
    let ask = format!("wget -q -O - http://{address}/ | busybox wc -c");
    let body = eventually(async || {
        let (_, output) = world.exec("near", "ask-0", &ask).await;
        output.trim().parse::<usize>().ok().filter(|bytes| *bytes > 0)
    });
    assert_eq!(body.await, BODY_BYTES);
    world.node.remove_sandbox("near").await.expect("removes");
    stop.send(()).expect("node 2 waits");
    thread.join().expect("node 2 ends well");
    // Nobody is left at the other end: neither is the tunnel.
    let alone = NodeNetwork { pod_cidrs: vec!["10.77.1.0/24".into()], peers: Vec::new() };
    world.node.set_network(alone).await.expect("sets the network");
    assert!(!ip("-o link").contains("vxlan"));
    assert_eq!(world.left_behind(), Vec::<String>::new());
}
