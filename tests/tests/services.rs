//! Services as users rely on them, on the demo cluster: several and named ports, UDP to
//! endpoints of one's own, readiness, session affinity, headless ones, and a rolling
//! update of the backend under load.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use xebec_tests::demo::Demo;
use xebec_tests::processes::processes_of;
use xebec_tests::waiting::eventually;

const NODES: [&str; 2] = ["10.99.0.21", "10.99.0.22"];
const SOON: Duration = Duration::from_secs(30);

/// Two Deployments of the same label: each gives the named port `page` another number.
const PAGES: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: pages, namespace: default}
spec:
  type: NodePort
  selector: {app: pages}
  ports:
    - {name: one, port: 80, targetPort: page, nodePort: 31080}
    - {name: two, port: 81, targetPort: 9000, nodePort: 31081}
---
apiVersion: v1
kind: Service
metadata: {name: sticky, namespace: default}
spec:
  type: NodePort
  sessionAffinity: ClientIP
  selector: {app: pages}
  ports: [{port: 80, targetPort: page, nodePort: 31082}]
---
apiVersion: v1
kind: Service
metadata: {name: inner, namespace: default}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {app: pages}
  ports: [{name: one, port: 80, targetPort: page}]
---
apiVersion: v1
kind: Pod
metadata: {name: low, namespace: default, labels: {app: pages}}
spec:
  hostname: low
  subdomain: inner
  terminationGracePeriodSeconds: 1
  containers:
    - name: page
      image: xebec.local/busybox:1
      command: [/bin/sh, -c, "mkdir /tmp/www; hostname >/tmp/www/index.html; touch /tmp/ready; httpd -p 9000 -h /tmp/www; exec httpd -f -p 8080 -h /tmp/www"]
      ports: [{name: page, containerPort: 8080}]
      readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1, failureThreshold: 1}
---
apiVersion: v1
kind: Pod
metadata: {name: high, namespace: default, labels: {app: pages}}
spec:
  hostname: high
  subdomain: inner
  terminationGracePeriodSeconds: 1
  containers:
    - name: page
      image: xebec.local/busybox:1
      command: [/bin/sh, -c, "mkdir /tmp/www; hostname >/tmp/www/index.html; httpd -p 9000 -h /tmp/www; exec httpd -f -p 8088 -h /tmp/www"]
      ports: [{name: page, containerPort: 8088}]
---
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: default}
spec:
  type: NodePort
  ports: [{name: say, port: 7, protocol: UDP, nodePort: 31007}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: echo-of-my-own, namespace: default, labels: {kubernetes.io/service-name: echo}}
addressType: IPv4
ports: [{name: say, port: ECHO, protocol: UDP}]
endpoints: [{addresses: [10.99.0.1]}]
"#;

#[test]
fn services_lead_to_what_serves_and_lose_nothing() {
    let Some(demo) = Demo::up() else { return };
    let echo = Echo::start();
    apply(&demo, &PAGES.replace("ECHO", &echo.port.to_string()));
    named_ports_and_several_ports(&demo);
    one_client_meets_one_pod();
    headless_slices_have_hostnames(&demo);
    datagrams_reach_endpoints_of_ones_own(&demo);
    nobody_meets_a_pod_that_is_not_ready(&demo);
    a_pod_is_killed_under_load(&demo);
    a_rolling_update_loses_no_request(&demo);
    demo.xctl(&["delete", "pod", "low", "high"]).expect("deletes");
    demo.xctl(&["delete", "service", "pages", "sticky", "inner", "echo"]).expect("deletes");
    drop(echo);
    demo.down();
}

fn named_ports_and_several_ports(demo: &Demo) {
    let both = BTreeSet::from(["high".to_owned(), "low".to_owned()]);
    for port in [31080, 31081] {
        eventually("both pods behind both ports of both nodes", SOON, || {
            for node in NODES {
                let met: BTreeSet<String> = (0..24).map(|_| page(node, port)).collect::<Result<_>>()?;
                ensure!(met == both, "{node}:{port} leads to {met:?}");
            }
            Ok(())
        });
    }
    let slices = slices_of(demo, "pages").expect("slices");
    let mut numbers: Vec<u64> =
        slices.iter().filter_map(|slice| slice["ports"][0]["port"].as_u64()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [8080, 8088], "one slice for each number of the named port");
}

fn one_client_meets_one_pod() {
    for node in NODES {
        let first = page(node, 31082).expect("answers");
        let met: BTreeSet<String> = (0..30).map(|_| page(node, 31082).expect("answers")).collect();
        assert_eq!(met, BTreeSet::from([first]));
    }
}

fn headless_slices_have_hostnames(demo: &Demo) {
    let service = demo.xctl_json(&["get", "service", "inner"]).expect("the Service");
    assert_eq!(service["spec"]["clusterIP"], "None");
    let slices = slices_of(demo, "inner").expect("slices");
    let endpoints = slices.iter().flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
    let hostnames: BTreeSet<&str> = endpoints.filter_map(|endpoint| endpoint["hostname"].as_str()).collect();
    assert_eq!(hostnames, BTreeSet::from(["high", "low"]));
    let headless =
        |slice: &Value| slice["metadata"]["labels"].get("service.kubernetes.io/headless").is_some();
    assert!(slices.iter().all(headless));
}

/// A Service without a selector has the endpoints that its user gave it, and speaks UDP.
fn datagrams_reach_endpoints_of_ones_own(demo: &Demo) {
    for node in NODES {
        eventually("an echo", SOON, || echoes(&format!("{node}:31007")));
    }
    let address = demo.xctl_json(&["get", "service", "echo"]).expect("the Service");
    assert_eq!(address["spec"]["ports"][0]["protocol"], "UDP");
    assert_eq!(slices_of(demo, "echo").expect("slices").len(), 1, "nobody adds to them");
}

fn nobody_meets_a_pod_that_is_not_ready(demo: &Demo) {
    demo.xctl(&["exec", "low", "--", "rm", "/tmp/ready"]).expect("runs");
    eventually("the one pod that is ready, alone", SOON, || {
        for node in NODES {
            let met: BTreeSet<String> = (0..12).map(|_| page(node, 31080)).collect::<Result<_>>()?;
            ensure!(met == BTreeSet::from(["high".to_owned()]), "{met:?}");
        }
        Ok(())
    });
    let slices = slices_of(demo, "inner").expect("slices");
    let endpoints = slices.iter().flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
    let mut ready: Vec<(bool, bool)> = endpoints
        .filter_map(|e| Some((e["conditions"]["ready"].as_bool()?, e["conditions"]["serving"].as_bool()?)))
        .collect();
    ready.sort_unstable();
    assert_eq!(ready, [(true, false), (true, true)], "unready addresses are published as ready");
}

/// A pod's process is killed while both nodes are asked: a request fails that the pod had, and
/// none once its end is known.
fn a_pod_is_killed_under_load(demo: &Demo) {
    let victim = *processes_of(b"/guestbook\0").first().expect("a guestbook runs");
    let (done, start) = (AtomicBool::new(false), Instant::now());
    let ask = |node: &'static str| {
        let (mut failed, mut answered) = (Vec::new(), 0_u32);
        while !done.load(Ordering::Relaxed) {
            match request(node, 30080, "/entries") {
                Ok(answer) if answer.starts_with("HTTP/1.1 200") => answered += 1,
                _ => failed.push(start.elapsed()),
            }
        }
        (failed, answered)
    };
    thread::scope(|scope| {
        let clients = NODES.map(|node| scope.spawn(move || ask(node)));
        kill(Pid::from_raw(victim), Signal::SIGKILL).expect("a live process can be killed");
        let killed = start.elapsed();
        eventually("its successor", SOON, || {
            ensure!(
                processes_of(b"/guestbook\0").iter().filter(|pid| **pid != victim).count() == 2,
                "not yet"
            );
            let set = demo.xctl_json(&["get", "deployment", "guestbook"])?;
            ensure!(set["status"]["readyReplicas"] == 2, "{:#}", set["status"]);
            Ok(())
        });
        done.store(true, Ordering::Relaxed);
        for client in clients {
            let (failed, answered) = client.join().expect("it did not panic");
            assert!(answered > 10, "{answered} requests are no load");
            let late = failed.iter().filter(|at| **at > killed + Duration::from_secs(3)).count();
            assert!(late == 0 && failed.len() < 20, "killed after {killed:?}, refused after {failed:?}");
        }
    });
}

/// Requests by new connections and by kept ones, on both nodes, while all pods are replaced.
fn a_rolling_update_loses_no_request(demo: &Demo) {
    let (done, answered) = (AtomicBool::new(false), AtomicU32::new(0));
    let ask = |node: &'static str, kept: bool| {
        let mut stream = None;
        while !done.load(Ordering::Relaxed) {
            let answer =
                if kept { kept_request(node, &mut stream) } else { request(node, 30080, "/entries") };
            let answer = answer.with_context(|| format!("through {node}, kept: {kept}"))?;
            ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let clients: Vec<_> = NODES
            .into_iter()
            .flat_map(|node| [(node, false), (node, false), (node, true)])
            .map(|(node, kept)| scope.spawn(move || ask(node, kept)))
            .collect();
        for _ in 0..2 {
            demo.xctl(&["rollout", "restart", "deployment/guestbook"]).expect("restarts");
            demo.xctl(&["rollout", "status", "deployment/guestbook", "--timeout", "60s"]).expect("rolls out");
            eventually("the old pods are gone", SOON, || {
                let pods = demo.xctl_json(&["get", "pods", "-l", "app=guestbook"])?;
                let count = pods["items"].as_array().map_or(0, Vec::len);
                ensure!(count == 2, "{count} pods");
                Ok(())
            });
        }
        done.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("it did not panic").expect("every request is answered");
        }
    });
    let answered = answered.into_inner();
    assert!(answered > 500, "{answered} requests are no load");
}

fn apply(demo: &Demo, manifest: &str) {
    let file = demo.dir().join("services.yaml");
    fs::write(&file, manifest).expect("the demo's folder is there");
    demo.xctl(&["apply", "-f", &file.display().to_string()]).expect("applies");
}

fn slices_of(demo: &Demo, service: &str) -> Result<Vec<Value>> {
    let label = format!("kubernetes.io/service-name={service}");
    let list = demo.xctl_json(&["get", "endpointslices", "-l", &label])?;
    list["items"].as_array().cloned().context("a list")
}

/// The host name that a page consists of.
fn page(node: &str, port: u16) -> Result<String> {
    let answer = request(node, port, "/")?;
    ensure!(answer.contains(" 200 "), "{answer}");
    Ok(answer.lines().last().unwrap_or_default().to_owned())
}

fn connect(node: &str, port: u16) -> Result<TcpStream> {
    let address: SocketAddr = format!("{node}:{port}").parse()?;
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

/// One request on a connection of its own.
fn request(node: &str, port: u16, path: &str) -> Result<String> {
    let mut stream = connect(node, port)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// One request on a connection that is kept until the server closes it, as every client of
/// HTTP does it: a request on a connection that was closed before is asked again on a new one.
fn kept_request(node: &str, kept: &mut Option<TcpStream>) -> Result<String> {
    let (mut stream, used) = match kept.take() {
        Some(stream) => (stream, true),
        None => (connect(node, 30080)?, false),
    };
    let asked = stream.write_all(b"GET /entries HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut answer = Vec::new();
    match asked.map_err(Into::into).and_then(|()| read_answer(&mut stream, &mut answer)) {
        Ok(answer) => {
            if !answer.to_ascii_lowercase().contains("connection: close") {
                *kept = Some(stream);
            }
            Ok(answer)
        }
        // Closed before it could know of the request: nothing came back.
        Err(_) if used && answer.is_empty() => request(node, 30080, "/entries"),
        Err(error) => Err(error),
    }
}

/// Reads a head and as much as its Content-Length says.
fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<String> {
    let mut byte = [0; 4096];
    loop {
        let read = stream.read(&mut byte)?;
        ensure!(read > 0, "the connection was closed");
        answer.extend(&byte[..read]);
        let text = String::from_utf8_lossy(answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() >= length.context("no length")? {
            return Ok(text.into_owned());
        }
    }
}

fn echoes(address: &str) -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    socket.connect(address)?;
    for size in [1, 512, 1400] {
        let question = vec![b'x'; size];
        socket.send(&question)?;
        let mut answer = [0; 2048];
        let length = socket.recv(&mut answer)?;
        ensure!(answer[..length] == question[..], "{length} bytes for {size}");
    }
    Ok(())
}

/// Says every datagram again, on the machine that the nodes are guests of.
struct Echo {
    port: u16,
    stop: std::sync::Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Echo {
    fn start() -> Self {
        let socket = UdpSocket::bind("10.99.0.1:0").expect("the bridge's address");
        let port = socket.local_addr().expect("bound").port();
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let stopping = std::sync::Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut question = [0; 2048];
            while !stopping.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut question) {
                    let _ = socket.send_to(&question[..length], from);
                }
            }
        });
        Self { port, stop, thread: Some(thread) }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(thread::JoinHandle::join));
    }
}
