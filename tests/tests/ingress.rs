//! The webshop through the ingress, as its users and their attackers meet it: every host by
//! every node, TLS that changes, WebSockets, endpoints that fail, rules that change under
//! load, and requests that are two things at once.

mod ingress_client;
mod ingress_sockets;

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ingress_client::{Kept, raw};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use xebec_tests::demo::Demo;
use xebec_tests::processes::processes_of;
use xebec_tests::waiting::eventually;

const NODES: [&str; 2] = ["10.99.0.21", "10.99.0.22"];
const HTTP: u16 = 30880;
const HTTPS: u16 = 30443;
const SOON: Duration = Duration::from_secs(40);

#[test]
fn the_webshop_is_reached_by_every_nodes_ingress() {
    let Some(demo) = Demo::up() else { return };
    every_host_answers_by_every_node(&demo);
    its_owner_sees_where_it_is(&demo);
    endpoints_that_fail_are_told_by_status(&demo);
    a_websocket_goes_through(&demo);
    ingress_sockets::two_ends_that_know_the_protocol_meet(&demo);
    certificates_go_by_name_and_follow_their_secret(&demo);
    http2_is_spoken(&demo);
    a_rule_changes_under_load(&demo);
    a_pod_of_the_ingress_is_killed(&demo);
    a_broken_ingress_hurts_no_other(&demo);
    smuggled_requests_are_refused(&demo);
    demo.down();
}

fn every_host_answers_by_every_node(demo: &Demo) {
    let pages = [
        ("www.mywebshop.com", "/", "A website served by busybox"),
        ("www.mywebshop.com", "/api", "\"canvas\""),
        ("www.mywebshop.com", "/api/products/tar", "Stockholm tar"),
        ("shop.mywebshop.com", "/", "<h1>Webshop</h1>"),
        ("guestbook.mywebshop.com", "/", "Welcome aboard the Xebec"),
    ];
    for node in NODES {
        for (host, path, part) in pages {
            eventually(&format!("{host}{path} by {node}"), SOON, || {
                let (status, body) = get(node, host, path)?;
                ensure!(status == 200 && body.contains(part), "{status} {body}");
                Ok(())
            });
        }
        assert_eq!(get(node, "nobody.mywebshop.com", "/").expect("an answer").0, 404);
        let headers = get(node, "www.mywebshop.com", "/api/headers").expect("an answer").1;
        for part in
            ["\"x-forwarded-proto\":\"http\"", "\"x-forwarded-host\":\"www.mywebshop.com\"", "\"x-real-ip\":"]
        {
            assert!(headers.contains(part), "{part} is not in {headers}");
        }
    }
    eventually("the access log", SOON, || {
        let pods = demo.xctl_json(&["get", "pods", "-n", "kube-system", "-l", "k8s-app=ingress"])?;
        let names =
            pods["items"].as_array().into_iter().flatten().filter_map(|pod| pod["metadata"]["name"].as_str());
        let logs: Vec<String> =
            names.map(|name| demo.xctl(&["logs", "-n", "kube-system", name])).collect::<Result<_>>()?;
        ensure!(logs.len() == 2, "two pods");
        let logs = logs.concat();
        ensure!(logs.contains("\"GET http://www.mywebshop.com/api/products/tar HTTP/1.1\" 200 "), "{logs}");
        Ok(())
    });
}

fn its_owner_sees_where_it_is(demo: &Demo) {
    eventually("both nodes in the status", SOON, || {
        let table = demo.xctl(&["get", "ingress", "webshop"])?;
        ensure!(table.contains("www.mywebshop.com,shop.mywebshop.com,guestbook.mywebshop.com"), "{table}");
        ensure!(table.contains("10.99.0.21,10.99.0.22"), "{table}");
        Ok(())
    });
    let page = demo.xctl(&["describe", "ingress", "webshop"]).expect("describes");
    assert!(page.contains("api:http (10.42."), "{page}");
}

/// Endpoints that hang up, say nothing, and are not there.
const FAILING: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: hangs-up, labels: {app: hangs-up}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: one, image: "xebec.local/busybox:1", command: [/bin/busybox, nc, -ll, -p, "8080", -e, /bin/sh, -c, "read line"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: silent, labels: {app: silent}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: one, image: "xebec.local/busybox:1", command: [/bin/busybox, nc, -ll, -p, "8080", -e, /bin/sleep, "1000"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: socket, labels: {app: socket}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: one
      image: xebec.local/busybox:1
      command:
        - /bin/busybox
        - nc
        - -ll
        - -p
        - "8080"
        - -e
        - /bin/sh
        - -c
        - |
          while read -r line && [ "${#line}" -gt 1 ]; do :; done
          printf 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'
          exec cat
---
apiVersion: v1
kind: Service
metadata: {name: hangs-up}
spec: {selector: {app: hangs-up}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: silent}
spec: {selector: {app: silent}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: socket}
spec: {selector: {app: socket}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty}
spec: {selector: {app: empty}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: failing, annotations: {ingress.xebec.io/read-timeout-seconds: "1"}}
spec:
  ingressClassName: xebec
  rules:
    - host: failing.test
      http:
        paths:
          - {path: /502, pathType: Prefix, backend: {service: {name: hangs-up, port: {number: 80}}}}
          - {path: /503, pathType: Prefix, backend: {service: {name: empty, port: {number: 80}}}}
          - {path: /504, pathType: Prefix, backend: {service: {name: silent, port: {number: 80}}}}
          - {path: /socket, pathType: Exact, backend: {service: {name: socket, port: {number: 80}}}}
"#;

fn endpoints_that_fail_are_told_by_status(demo: &Demo) {
    apply(demo, FAILING);
    for wanted in [502, 503, 504] {
        eventually(&format!("a {wanted}"), SOON, || {
            let (status, body) = get(NODES[0], "failing.test", &format!("/{wanted}"))?;
            ensure!(status == wanted, "{status} {body}");
            Ok(())
        });
    }
}

fn a_websocket_goes_through(_demo: &Demo) {
    let handshake = "GET /socket HTTP/1.1\r\nHost: failing.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let frame = "\u{1}\u{2}a frame";
    eventually("a WebSocket", SOON, || {
        let mut kept = Kept::connect(NODES[1], HTTP)?;
        let head = kept.exchange(handshake)?.0;
        ensure!(head.starts_with("HTTP/1.1 101") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        for _ in 0..3 {
            ensure!(kept.echo(frame)? == frame, "another frame came back");
        }
        Ok(())
    });
}

fn certificates_go_by_name_and_follow_their_secret(demo: &Demo) {
    let tls = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: secure}\nspec:\n  ingressClassName: xebec\n  \
        tls: [{hosts: [secure.test], secretName: secure}]\n  rules: [{host: secure.test, http: {paths: [{path: /, pathType: Prefix, \
        backend: {service: {name: website, port: {name: http}}}}]}}]\n";
    apply(demo, &format!("{}---\n{tls}", secret("first.secure.test")));
    let subject = |name: &str| subject(NODES[0], name);
    let shows = |wanted: &str| {
        eventually(&format!("the certificate of {wanted}"), SOON, || {
            let shown = subject("secure.test")?;
            ensure!(shown.contains(wanted), "{shown}");
            Ok(())
        });
    };
    shows("first.secure.test");
    assert!(
        !subject("other.test").expect("the default").contains("secure.test"),
        "others get the default certificate"
    );
    let page = curl(&[
        "-k",
        "--resolve",
        &format!("secure.test:{HTTPS}:{}", NODES[1]),
        &format!("https://secure.test:{HTTPS}/"),
    ]);
    assert!(page.expect("answers").contains("A website served by busybox"));
    apply(demo, &secret("second.secure.test"));
    shows("second.secure.test");
}

fn http2_is_spoken(_demo: &Demo) {
    let version = ["-o", "/dev/null", "-w", "%{http_code} %{http_version}"];
    let plain = format!("http://{}:{HTTP}/", NODES[0]);
    let host = ["-H", "Host: www.mywebshop.com"];
    let with = |more: &[&str]| curl(&[&version[..], &host[..], more].concat()).expect("answers");
    assert_eq!(with(&["--http2-prior-knowledge", &plain]), "200 2");
    assert_eq!(with(&["-k", "--http2", &format!("https://{}:{HTTPS}/", NODES[0])]), "200 2");
    assert_eq!(with(&["-k", "--http1.1", &format!("https://{}:{HTTPS}/", NODES[0])]), "200 1.1");
}

fn a_rule_changes_under_load(demo: &Demo) {
    let rule = |service: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: moves}}\nspec:\n  ingressClassName: xebec\n  rules: \
             [{{host: moves.test, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: {service}, port: {{name: http}}}}}}}}]}}}}]\n"
        )
    };
    let get = "GET / HTTP/1.1\r\nHost: moves.test\r\n\r\n";
    apply(demo, &rule("website"));
    eventually("the first rule", SOON, || {
        let (status, body) = self::get(NODES[0], "moves.test", "/")?;
        ensure!(status == 200, "{status} {body}");
        Ok(())
    });
    let done = Arc::new(AtomicBool::new(false));
    let load = {
        let done = Arc::clone(&done);
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                for protocol in ["h2c", "http/1.1"] {
                    loaded(protocol, "guestbook.mywebshop.com")?;
                }
            }
            anyhow::Ok(())
        })
    };
    // One connection for all of it: if it were dropped, an exchange would fail.
    let mut kept = Kept::connect(NODES[0], HTTP).expect("connects");
    for (service, part) in
        [("webshop", "<h1>Webshop</h1>"), ("website", "A website"), ("webshop", "<h1>Webshop</h1>")]
    {
        apply(demo, &rule(service));
        eventually(&format!("the rule to {service}"), SOON, || {
            let (head, body) = kept.exchange(get).expect("the connection stays");
            assert!(head.starts_with("HTTP/1.1 200"), "no request fails: {head}");
            ensure!(body.contains(part), "{body}");
            Ok(())
        });
    }
    done.store(true, Ordering::Relaxed);
    load.join().expect("it did not panic").expect("no request of others fails");
}

/// A thousand requests of h2load on eight connections, all of which must be answered with 200.
fn loaded(protocol: &str, host: &str) -> Result<()> {
    let mut command = Command::new("timeout");
    command.args(["30", "h2load", "-n", "1000", "-c", "8", "-m", "4", "-p", protocol]);
    let to = format!("--connect-to={}:{HTTP}", NODES[0]);
    let output = command.arg(to).arg(format!("http://{host}/")).output();
    let text = String::from_utf8(output.context("h2load (package: nghttp2-client)")?.stdout)?;
    let whole = text.contains("1000 succeeded, 0 failed, 0 errored, 0 timeout") && text.contains("1000 2xx");
    ensure!(whole, "{protocol}: {text}");
    Ok(())
}

/// Requests go on by the other pod, and by its successor.
fn a_pod_of_the_ingress_is_killed(demo: &Demo) {
    let victims: Vec<i32> = processes_of(b"/xebec\0ingress\0");
    assert_eq!(victims.len(), 2, "one on each node");
    kill(Pid::from_raw(victims[0]), Signal::SIGKILL).expect("a live process can be killed");
    eventually("both pods again, and a load without an error", SOON, || {
        let pods = demo.xctl_json(&["get", "deployment", "ingress", "-n", "kube-system"])?;
        ensure!(pods["status"]["readyReplicas"] == 2, "{:#}", pods["status"]);
        ensure!(!processes_of(b"/xebec\0ingress\0").contains(&victims[0]), "it still lives");
        loaded("h2c", "guestbook.mywebshop.com")
    });
}

fn a_broken_ingress_hurts_no_other(demo: &Demo) {
    let broken = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: broken}\nspec:\n  ingressClassName: xebec\n  rules:\n  \
        - {host: www.mywebshop.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: webshop, port: {name: http}}}}, \
        {path: /gone, pathType: Prefix, backend: {service: {name: gone, port: {number: 80}}}}]}}\n";
    apply(demo, broken);
    eventually("the events of the broken one", SOON, || {
        let page = demo.xctl(&["describe", "ingress", "broken"])?;
        ensure!(
            page.contains("ServiceNotFound") && page.contains("service \"gone\" does not exist"),
            "{page}"
        );
        ensure!(
            page.contains("Conflict")
                && page.contains("ingress default/webshop has the same rule and is older"),
            "{page}"
        );
        Ok(())
    });
    for node in NODES {
        assert!(
            get(node, "www.mywebshop.com", "/").expect("answers").1.contains("A website"),
            "the older rule stays"
        );
        assert_eq!(get(node, "www.mywebshop.com", "/gone").expect("answers").0, 503);
    }
    let good = demo.xctl(&["describe", "ingress", "webshop"]).expect("describes");
    assert!(!good.contains("Conflict"), "{good}");
}

fn smuggled_requests_are_refused(_demo: &Demo) {
    for fields in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "X: y\r\n folded",
        "Content-Length: 6\r\nContent-Length: 7",
    ] {
        let attack = format!(
            "POST / HTTP/1.1\r\nHost: www.mywebshop.com\r\n{fields}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: www.mywebshop.com\r\n\r\n"
        );
        let all = raw(NODES[0], HTTP, &attack).expect("an answer, and an end");
        assert!(
            all.starts_with("HTTP/1.1 400") && all.matches("HTTP/1.1 ").count() == 1,
            "{fields:?}: {all}"
        );
    }
    let long = format!("GET / HTTP/1.1\r\nHost: www.mywebshop.com\r\nX: {}\r\n\r\n", "a".repeat(40_000));
    assert!(raw(NODES[0], HTTP, &long).expect("an answer").starts_with("HTTP/1.1 431"));
}

fn apply(demo: &Demo, manifest: &str) {
    let path = demo.dir().join("manifest.yaml");
    fs::write(&path, manifest).expect("the demo's folder is ours");
    let path = path.display().to_string();
    eventually("apply", SOON, || demo.xctl(&["apply", "-f", &path]));
}

/// A Secret with a certificate that openssl signed for a name.
fn secret(name: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |file: &str| folder.path().join(file).display().to_string();
    let args =
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", &format!("/CN={name}")];
    let output =
        Command::new("openssl").args(args).args(["-keyout", &path("key"), "-out", &path("crt")]).output();
    assert!(output.expect("openssl is needed").status.success());
    let block = |file: &str| {
        let text = fs::read_to_string(path(file)).expect("openssl wrote it");
        text.lines().map(|line| format!("    {line}\n")).collect::<String>()
    };
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: secure}}\ntype: kubernetes.io/tls\nstringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
        block("crt"),
        block("key")
    )
}

/// Whom the certificate is for that a name gets.
fn subject(node: &str, name: &str) -> Result<String> {
    let shake = format!(
        "openssl s_client -connect {node}:{HTTPS} -servername {name} </dev/null 2>/dev/null | openssl x509 -noout -subject"
    );
    let output = Command::new("timeout").args(["10", "sh", "-c", &shake]).output().context("openssl")?;
    ensure!(output.status.success(), "no handshake: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// The status and the body of one GET by a node.
fn get(node: &str, host: &str, path: &str) -> Result<(u16, String)> {
    let host = format!("Host: {host}");
    let url = format!("http://{node}:{HTTP}{path}");
    let all = curl(&["-H", &host, "-w", "\n%{http_code}", &url])?;
    let (body, status) = all.rsplit_once('\n').context("a status")?;
    Ok((status.parse()?, body.to_owned()))
}

fn curl(args: &[&str]) -> Result<String> {
    let output = Command::new("curl").args(["-sS", "--max-time", "5"]).args(args).output().context("curl")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
