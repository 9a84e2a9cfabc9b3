//! Network namespaces for a test: `node` with the pods `pod1` (10.42.0.2) and `pod2`
//! (10.42.0.3) behind /32 routes, `pod3` (10.42.1.2) as if on another node, and `outside`
//! (10.99.0.9) beside the node (10.99.0.1). The names are unique, and go with the lab.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use xebec_dataplane::{Protocol, ServicePort};
use xebec_tests::skips::root_or_skip;

use crate::engine::Engine;

const PATIENCE: Duration = Duration::from_secs(10);
const HOST_MAC: &str = "ee:ee:ee:ee:ee:ee";
const HOSTS: [&str; 5] = ["node", "pod1", "pod2", "pod3", "outside"];

/// See the module.
pub(super) struct Lab {
    prefix: String,
}

impl Lab {
    /// `None`, and loudly so, without the rights to make namespaces.
    pub(super) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !root_or_skip("network namespaces") {
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let lab = Self { prefix: format!("xbp{}-{number}-", std::process::id()) };
        for host in HOSTS {
            lab.ip(&["netns", "add", &lab.name(host)]);
            lab.ip_in(host, "link set lo up");
        }
        lab.wire();
        Some(lab)
    }

    fn wire(&self) {
        self.within("node", || {
            for (key, value) in
                [("ip_forward", "1"), ("conf/all/rp_filter", "1"), ("conf/default/rp_filter", "1")]
            {
                std::fs::write(format!("/proc/sys/net/ipv4/{key}"), value).expect("a sysctl");
            }
        });
        self.link("outside");
        self.ip_in("node", "addr add 10.99.0.1/24 dev outside");
        self.ip_in("outside", "addr add 10.99.0.9/24 dev eth0");
        for (host, address) in [("pod1", "10.42.0.2"), ("pod2", "10.42.0.3"), ("pod3", "10.42.1.2")] {
            self.link(host);
            // As the agent's pod network has it.
            self.ip_in("node", &format!("route add {address}/32 dev {host} scope link"));
            self.ip_in(host, &format!("addr add {address}/32 dev eth0"));
            self.ip_in(host, &format!("neigh add 169.254.1.1 lladdr {HOST_MAC} dev eth0 nud permanent"));
            self.ip_in(host, "route add 169.254.1.1 dev eth0 scope link");
            self.ip_in(host, "route add default via 169.254.1.1");
        }
    }

    /// A veth pair: named as the host in the node, `eth0` in the host.
    fn link(&self, host: &str) {
        let peer = self.name(host);
        self.ip_in(
            "node",
            &format!("link add {host} address {HOST_MAC} type veth peer name eth0 netns {peer}"),
        );
        self.ip_in("node", &format!("link set {host} up"));
        self.ip_in(host, "link set eth0 up");
    }

    fn name(&self, host: &str) -> String {
        format!("{}{host}", self.prefix)
    }

    fn ip(&self, arguments: &[&str]) -> String {
        let output = Command::new("ip").args(arguments).output().expect("the ip tool");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "ip {arguments:?}: {complaint}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(super) fn ip_in(&self, host: &str, arguments: &str) -> String {
        let name = self.name(host);
        let words: Vec<&str> = ["-n", &name].into_iter().chain(arguments.split(' ')).collect();
        self.ip(&words)
    }

    /// Does something on a thread that is in a namespace.
    pub(super) fn within<T: Send>(&self, host: &str, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                enter(&self.name(host));
                work()
            });
            worker.join().expect("it did not panic")
        })
    }

    /// The node's rules and routes, and whether there is a table of ours.
    pub(super) fn state_of_node(&self) -> String {
        let routes = self.ip_in("node", "route show table all");
        let table = self.within("node", || {
            let change =
                crate::nft::Elements { node_ports: [(Protocol::Tcp, 1)].into(), ..Default::default() };
            crate::nft::change(&Default::default(), &change).is_ok()
        });
        format!("{}{routes}table: {table}", self.ip_in("node", "rule show"))
    }

    /// A server that reads to the end, then says who it is and who asked.
    pub(super) fn serve(&self, host: &str, address: &'static str) -> Server {
        let stop = Arc::new(AtomicBool::new(false));
        let listener = self.within(host, || TcpListener::bind(address).expect("bound"));
        let bound = listener.local_addr().expect("bound");
        let (stopping, name) = (Arc::clone(&stop), self.name(host));
        let thread = std::thread::spawn(move || {
            while let Ok((mut client, peer)) = listener.accept() {
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::spawn(move || {
                    let mut question = Vec::new();
                    let _ = client.read_to_end(&mut question);
                    let _ = write!(client, "{address} from {}", peer.ip());
                });
            }
        });
        Server { stop, bound, name, thread: Some(thread) }
    }

    /// A server that says each datagram again, with who it is and who asked.
    pub(super) fn echo(&self, host: &str, address: &'static str) -> Echo {
        let stop = Arc::new(AtomicBool::new(false));
        let socket = self.within(host, || UdpSocket::bind(address).expect("bound"));
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut question = [0; 2048];
            while !stopping.load(Ordering::Relaxed) {
                let Ok((length, peer)) = socket.recv_from(&mut question) else { continue };
                let mut answer = question[..length].to_vec();
                answer.extend(format!(" {address} from {}", peer.ip()).as_bytes());
                let _ = socket.send_to(&answer, peer);
            }
        });
        Echo { stop, thread: Some(thread) }
    }

    pub(super) fn connect(&self, from: &str, to: &str) -> io::Result<TcpStream> {
        self.within(from, || connect_here(to))
    }

    /// Sends a question and returns the answer.
    pub(super) fn try_ask(&self, from: &str, to: &str) -> io::Result<String> {
        self.within(from, || ask_here(to))
    }

    pub(super) fn ask(&self, from: &str, to: &str) -> String {
        self.try_ask(from, to).unwrap_or_else(|error| panic!("{from} to {to}: {error}"))
    }

    /// Runs something on the node, on a thread and a runtime of its own.
    pub(super) fn start_on_node<F: Future<Output = ()>>(
        &self,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> JoinHandle<()> {
        let name = self.name("node");
        std::thread::spawn(move || {
            enter(&name);
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(work());
        })
    }

    /// Asks again and again until the answer, or the error, is as expected; for a while.
    pub(super) fn ask_until(&self, from: &str, to: &str, good: impl Fn(&io::Result<String>) -> bool) {
        let start = std::time::Instant::now();
        loop {
            let answer = self.try_ask(from, to);
            if good(&answer) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{from} to {to}: still {answer:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The proxy's engine, on the node.
    pub(super) fn engine(&self) -> Handle {
        let (orders, mut inbox) = tokio::sync::mpsc::channel::<Order>(1);
        let (done, outbox) = mpsc::channel();
        let thread = self.start_on_node(move || async move {
            let network = |text: &str| text.parse().expect("a network");
            let start = Engine::start(network("10.43.0.0/16"), network("10.42.0.0/16"), 100);
            let mut engine = start.await.expect("started");
            done.send(()).expect("awaited");
            while let Some(order) = inbox.recv().await {
                match order {
                    Order::Apply(ports) => engine.apply(&ports).await.expect("applied"),
                    Order::LookAfter => engine.look_after().await.expect("looked after"),
                }
                done.send(()).expect("awaited");
            }
            engine.stop().await.expect("stopped");
        });
        outbox.recv_timeout(PATIENCE).expect("the engine started");
        Handle { orders, outbox, thread }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for host in HOSTS {
            let _ = Command::new("ip").args(["netns", "del", &self.name(host)]).status();
        }
    }
}

fn connect_here(to: &str) -> io::Result<TcpStream> {
    let to: SocketAddr = to.parse::<SocketAddrV4>().expect("an address").into();
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends a question and returns the answer, in the namespace that the thread is in.
pub(super) fn ask_here(to: &str) -> io::Result<String> {
    let mut stream = connect_here(to)?;
    stream.write_all(b"who?")?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn enter(name: &str) {
    let namespace = File::open(format!("/run/netns/{name}")).expect("a namespace");
    setns(namespace, CloneFlags::CLONE_NEWNET).expect("entered");
}

/// An engine on a thread of its own.
pub(super) struct Handle {
    orders: tokio::sync::mpsc::Sender<Order>,
    outbox: mpsc::Receiver<()>,
    thread: JoinHandle<()>,
}

enum Order {
    Apply(Vec<ServicePort>),
    LookAfter,
}

impl Handle {
    pub(super) fn apply(&self, ports: &[ServicePort]) {
        self.tell(Order::Apply(ports.to_vec()));
    }

    pub(super) fn look_after(&self) {
        self.tell(Order::LookAfter);
    }

    fn tell(&self, order: Order) {
        self.orders.blocking_send(order).expect("it runs");
        self.outbox.recv_timeout(PATIENCE).expect("done");
    }

    pub(super) fn stop(self) {
        drop(self.orders);
        self.thread.join().expect("it ended well");
    }
}

/// A server of datagrams until it is dropped.
pub(super) struct Echo {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// A server until it is dropped.
pub(super) struct Server {
    stop: Arc<AtomicBool>,
    bound: SocketAddr,
    name: String,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let (name, bound) = (self.name.clone(), self.bound);
        // One last connection wakes it up.
        let waking = std::thread::spawn(move || {
            enter(&name);
            drop(TcpStream::connect(bound));
        });
        drop(waking.join());
        drop(self.thread.take().map(JoinHandle::join));
    }
}
