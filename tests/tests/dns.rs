//! Names on a real cluster: every kind of record asked by dig on a node and by a pod's own
//! tools, over UDP and TCP, while a name server and then every master is gone.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use xebec_tests::demo::Demo;
use xebec_tests::processes::processes_of;
use xebec_tests::waiting::eventually;

const SOON: Duration = Duration::from_secs(30);
const SERVER: &str = "10.43.0.10";

const MANIFEST: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: default}
spec: {clusterIP: 10.43.7.7, selector: {app: peer}, ports: [{name: http, port: 80}, {name: ask, port: 53, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: peers, namespace: default}
spec: {clusterIP: None, selector: {app: peer}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: default}
spec: {type: ExternalName, externalName: shop.default.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: default}
spec: {type: ExternalName, externalName: www.example.com}
---
apiVersion: v1
kind: Pod
metadata: {name: box, namespace: default, labels: {app: peer}}
spec:
  hostname: first
  subdomain: peers
  terminationGracePeriodSeconds: 1
  containers:
    - name: box
      image: xebec.local/busybox:1
      command: [/bin/busybox, httpd, -f, -p, "8080", -h, /www]
"#;

#[test]
fn names_resolve_everywhere_and_outlive_servers_and_masters() {
    let Some(demo) = Demo::up() else { return };
    let file = demo.dir().join("names.yaml");
    fs::write(&file, MANIFEST).expect("the demo's folder is there");
    demo.xctl(&["apply", "-f", &file.display().to_string()]).expect("applies");
    eventually("two name servers", SOON, || two_servers(&demo));
    // A proxy learns of the name servers' endpoints a moment later than the API.
    eventually("the pod's own name, on both nodes", SOON, || {
        for host in ["n1", "n2"] {
            let found = dig(host, &["A", "first.peers.default.svc.cluster.local"])?;
            ensure!(!found.is_empty(), "no address on {host}");
        }
        Ok(())
    });
    every_kind_of_record_is_there(&demo);
    what_is_not_there_is_denied();
    names_of_others_are_asked_for_elsewhere(&demo);
    short_names_work_in_a_pod(&demo);
    a_name_server_is_killed(&demo);
    every_master_is_killed(&demo);
    demo.down();
}

fn every_kind_of_record_is_there(demo: &Demo) {
    let ip = demo.xctl_json(&["get", "pod", "box"]).expect("the pod")["status"]["podIP"].clone();
    let ip = ip.as_str().expect("an address");
    let mut parts: Vec<&str> = ip.split('.').collect();
    let dashed = format!("{}.default.pod.cluster.local", parts.join("-"));
    parts.reverse();
    let reverse = format!("{}.in-addr.arpa", parts.join("."));
    for (question, wanted) in [
        ("A shop.default.svc.cluster.local", "10.43.7.7"),
        ("A kubernetes.default.svc.cluster.local", "10.43.0.1"),
        ("AAAA shop.default.svc.cluster.local", ""),
        ("SRV _http._tcp.shop.default.svc.cluster.local", "0 10 80 shop.default.svc.cluster.local."),
        ("SRV _ask._udp.shop.default.svc.cluster.local", "0 10 53 shop.default.svc.cluster.local."),
        ("PTR 7.7.43.10.in-addr.arpa", "shop.default.svc.cluster.local."),
        ("A peers.default.svc.cluster.local", ip),
        ("A first.peers.default.svc.cluster.local", ip),
        (
            "SRV _http._tcp.peers.default.svc.cluster.local",
            "0 10 8080 first.peers.default.svc.cluster.local.",
        ),
        (&format!("PTR {reverse}"), "first.peers.default.svc.cluster.local."),
        (&format!("A {dashed}"), ip),
        ("CNAME outside.default.svc.cluster.local", "www.example.com."),
        ("A alias.default.svc.cluster.local", "shop.default.svc.cluster.local.\n10.43.7.7"),
        ("TXT dns-version.cluster.local", "\"1.1.0\""),
    ] {
        let (kind, name) = question.split_once(' ').expect("a kind and a name");
        for transport in ["+notcp", "+tcp"] {
            for host in ["n1", "n2"] {
                let found = dig(host, &[transport, kind, name]);
                let found = found.unwrap_or_else(|error| panic!("{question} {transport} on {host}: {error}"));
                assert_eq!(found, wanted, "{question} {transport} on {host}");
            }
        }
    }
}

fn what_is_not_there_is_denied() {
    let whole = |args: &[&str]| {
        dig("n1", &[&["+noshort", "+comments", "+authority"], args].concat()).expect("dig answers")
    };
    let answer = whole(&["A", "nobody.default.svc.cluster.local"]);
    assert!(answer.contains("status: NXDOMAIN") && answer.contains("aa"), "{answer}");
    assert!(
        answer.contains("cluster.local.\t\t5\tIN\tSOA\tkube-dns.kube-system.svc.cluster.local."),
        "{answer}"
    );
    let answer = whole(&["MX", "shop.default.svc.cluster.local"]);
    assert!(answer.contains("status: NOERROR") && answer.contains("ANSWER: 0"), "{answer}");
}

/// A name server of another domain, whose pod has the cluster's own as its resolver.
fn names_of_others_are_asked_for_elsewhere(demo: &Demo) {
    let ours = ["get", "deployment", "kube-dns", "-n", "kube-system"];
    let image =
        demo.xctl_json(&ours).expect("it is there")["spec"]["template"]["spec"]["containers"][0]["image"]
            .clone();
    let value = |name: &str, value: &str| json!({"name": name, "value": value});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other", "namespace": "kube-system"},
        "spec": {
            "serviceAccountName": "kube-dns", "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "dns", "image": image, "command": ["/xebec", "dns"],
                "env": [value("XEBEC_CLUSTER_DOMAIN", "other.test"),
                    value("XEBEC_SERVICE_CIDR", "10.44.0.0/16"), value("XEBEC_POD_CIDR", "10.45.0.0/16")],
            }],
        },
    });
    let file = demo.dir().join("other.json");
    fs::write(&file, pod.to_string()).expect("the demo's folder is there");
    demo.xctl(&["apply", "-f", &file.display().to_string()]).expect("applies");
    let own = ["A", "kubernetes.default.svc.other.test"];
    let address = eventually("the other server", SOON, || {
        let pod = demo.xctl_json(&["get", "pod", "other", "-n", "kube-system"])?;
        let address = pod["status"]["podIP"].as_str().context("no address yet")?.to_owned();
        ensure!(ask(&address, "n1", &own)? == "10.43.0.1", "another answer");
        Ok(address)
    });
    for transport in ["+notcp", "+tcp"] {
        for (question, wanted) in [
            (["A", "shop.default.svc.cluster.local"], "10.43.7.7"),
            (["SRV", "_http._tcp.shop.default.svc.cluster.local"], "0 10 80 shop.default.svc.cluster.local."),
            (["A", "alias.default.svc.cluster.local"], "shop.default.svc.cluster.local.\n10.43.7.7"),
        ] {
            let found = ask(&address, "n2", &[&[transport], &question[..]].concat()).expect("dig answers");
            assert_eq!(found, wanted, "{question:?} {transport}");
        }
        let nobody = ["+noshort", "+comments", transport, "A", "nobody.default.svc.cluster.local"];
        let found = ask(&address, "n2", &nobody).expect("dig answers");
        assert!(found.contains("status: NXDOMAIN"), "{found}");
    }
    demo.xctl(&["delete", "pod", "other", "-n", "kube-system"]).expect("deletes");
}

fn short_names_work_in_a_pod(demo: &Demo) {
    let run = |command: &str| demo.xctl(&["exec", "box", "--", "/bin/sh", "-c", command]);
    let file = run("cat /etc/resolv.conf").expect("runs");
    assert!(file.contains("search default.svc.cluster.local svc.cluster.local cluster.local"), "{file}");
    assert!(file.contains("nameserver 10.43.0.10\n") && file.contains("ndots:5"), "{file}");
    // This nslookup leaves names with a dot as they are.
    for name in ["shop", "shop.default.svc.cluster.local"] {
        let found = run(&format!("nslookup {name} 2>&1; true")).expect("runs");
        assert!(found.contains("10.43.7.7"), "{name}: {found}");
    }
}

/// The other one answers, and the killed one comes back.
fn a_name_server_is_killed(demo: &Demo) {
    let victim = *servers().first().expect("a name server runs");
    let queries = demo.dir().join("queries");
    fs::write(&queries, "shop.default.svc.cluster.local A\n").expect("the demo's folder is there");
    let load = {
        let mut dnsperf = Command::new("ip");
        dnsperf.args(["netns", "exec", "xeb-n2", "dnsperf", "-s", SERVER, "-d"]).arg(&queries);
        dnsperf.args(["-l", "4", "-Q", "250", "-t", "1"]);
        thread::spawn(move || dnsperf.output().context("dnsperf (package: dnsperf)"))
    };
    // The load runs for four seconds, of which the first are for its start.
    thread::park_timeout(Duration::from_secs(1));
    kill(Pid::from_raw(victim), Signal::SIGKILL).expect("a live process can be killed");
    for _ in 0..20 {
        let found = dig("n2", &["A", "shop.default.svc.cluster.local"]).expect("dig answers");
        assert_eq!(found, "10.43.7.7");
    }
    let output = load.join().expect("it did not panic").expect("dnsperf starts");
    let told = String::from_utf8_lossy(&output.stdout);
    let count = |label: &str| {
        let line = told.lines().find_map(|line| line.trim().strip_prefix(label)).unwrap_or_default();
        line.split_whitespace()
            .next()
            .and_then(|word| word.parse::<u32>().ok())
            .unwrap_or_else(|| panic!("{told}"))
    };
    let (sent, lost) = (count("Queries sent:"), count("Queries lost:"));
    // Those that were on their way, and those of the moment until every proxy knows.
    assert!(sent > 500 && lost * 10 < sent, "{told}");
    assert!(told.contains("NOERROR") && !told.contains("SERVFAIL"), "{told}");
    eventually("two name servers again", SOON, || {
        ensure!(!servers().contains(&victim), "it still lives");
        two_servers(demo)
    });
}

fn every_master_is_killed(demo: &Demo) {
    let running = |demo: &Demo| {
        let pods = demo.xctl_json(&["get", "pods", "-A"]).expect("pods");
        let all = pods["items"].as_array().into_iter().flatten();
        all.map(|pod| pod["status"]["containerStatuses"].to_string()).collect::<Vec<_>>()
    };
    let before = running(demo);
    for host in ["m1", "m2", "m3"] {
        demo.kill_component(host);
    }
    for transport in ["+notcp", "+tcp"] {
        for host in ["n1", "n2"] {
            let found = dig(host, &[transport, "A", "shop.default.svc.cluster.local"]).expect("dig answers");
            assert_eq!(found, "10.43.7.7", "{transport} on {host} without any master");
        }
    }
    demo.bring_up();
    assert_eq!(running(demo), before, "no pod notices that every master is gone");
    demo.xctl(&["delete", "service", "shop"]).expect("deletes");
    eventually("a name that is gone", SOON, || {
        let found = dig("n1", &["A", "shop.default.svc.cluster.local"])?;
        ensure!(found.is_empty(), "{found}");
        Ok(())
    });
}

fn two_servers(demo: &Demo) -> Result<()> {
    let set = demo.xctl_json(&["get", "deployment", "kube-dns", "-n", "kube-system"])?;
    ensure!(set["status"]["readyReplicas"] == 2, "{:#}", set["status"]);
    let ours = "kubernetes.io/service-name=kube-dns";
    let slices = demo.xctl_json(&["get", "endpointslices", "-n", "kube-system", "-l", ours])?;
    let endpoints =
        slices["items"].as_array().into_iter().flatten().filter_map(|slice| slice["endpoints"].as_array());
    let ready = endpoints.flatten().filter(|it: &&Value| it["conditions"]["ready"] == true).count();
    ensure!(ready == 2, "{ready} endpoints are ready");
    Ok(())
}

/// The pids of the name servers.
fn servers() -> Vec<i32> {
    processes_of(b"/xebec\0dns\0")
}

/// What dig prints on a host when it asks the cluster's name servers.
fn dig(host: &str, args: &[&str]) -> Result<String> {
    ask(SERVER, host, args)
}

/// What dig prints on a host when it asks a server, without the newline at its end.
fn ask(server: &str, host: &str, args: &[&str]) -> Result<String> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &format!("xeb-{host}"), "dig", &format!("@{server}")]);
    command.args(["+short", "+time=1", "+tries=5"]).args(args);
    let output = command.output().context("dig (package: dnsutils)")?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{text}");
    // A try that the next one made good is told of, too.
    let lines = text.lines().filter(|line| !line.starts_with(";; communications error"));
    Ok(lines.collect::<Vec<_>>().join("\n").trim_end().to_owned())
}
