//! Whom a real master lets in, and what it says to the others: everybody without the
//! right is refused in one line, the master logs it, and nothing has changed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use expect_test::expect;
use serde_json::{Value, json};
use xebec_tests::grpcurl;
use xebec_tests::masters::{Masters, write_private};
use xebec_tests::outcome::refusal;
use xebec_tests::programs;
use xebec_tests::waiting::eventually;
use xebec_tests::xctl::Xctl;

#[test]
fn a_joiner_without_the_right_token_is_refused() {
    let (masters, other) = (Masters::one(), Masters::one());
    let token = |masters: &Masters, args: &[&str]| {
        let made = masters.xctl().run(&[&["token", "create"], args].concat()).expect("a token");
        made.trim().to_owned()
    };
    let expired = [token(&masters, &["--ttl", "1s"]), token(&masters, &["--master", "--ttl", "1s"])];
    let node = token(&masters, &[]);
    let master = token(&masters, &["--master"]);
    let foreign = token(&other, &["--master"]);
    let made = Instant::now();
    let before = members(&masters);
    let cases = [
        ("a wrong secret", "node", with_another_secret(&node)),
        ("a wrong secret", "master", with_another_secret(&master)),
        ("a token for nodes", "master", node),
        ("a token for masters", "node", master),
        ("another cluster's", "node", foreign.clone()),
        ("another cluster's", "master", foreign),
        ("no token", "node", "please".to_owned()),
        ("no token", "master", "please".to_owned()),
        ("expired", "node", expired[0].clone()),
        ("expired", "master", expired[1].clone()),
    ];
    eventually("the expiry of two tokens", Duration::from_secs(3), || {
        ensure!(made.elapsed() > Duration::from_secs(1), "they are good for one second");
        Ok(())
    });
    let told: Vec<String> = cases
        .iter()
        .map(|(what, role, token)| format!("{what}, {role}: {}", join(&masters, role, token)))
        .collect();
    expect![[r#"
        a wrong secret, node: error: join: MASTER: the token is not known here: make a new one with `xctl token create`
        a wrong secret, master: error: join: MASTER: the token is not known here: make a new one with `xctl token create`
        a token for nodes, master: error: join: MASTER: this is a node token, but a master token is needed
        a token for masters, node: error: join: MASTER: this is a master token, but a node token is needed
        another cluster's, node: error: join: MASTER: this is another cluster than the token's: its CA has another hash
        another cluster's, master: error: join: MASTER: this is another cluster than the token's: its CA has another hash
        no token, node: error: join: DIR/token: a join token looks like xbc1<64 hex digits>.<id>.<secret>: copy the whole of it
        no token, master: error: join: DIR/token: a join token looks like xbc1<64 hex digits>.<id>.<secret>: copy the whole of it
        expired, node: error: join: MASTER: the token has expired: make a new one with `xctl token create`
        expired, master: error: join: MASTER: the token has expired: make a new one with `xctl token create`
    "#]].assert_eq(&told.concat());
    expect![[r#"
        refused a joining node: the token is not known here: make a new one with `xctl token create` from=Some(CLIENT node="x1"
        refused a joining master: the token is not known here: make a new one with `xctl token create` from=Some(CLIENT name="x1"
        refused a joining master: this is a node token, but a master token is needed from=Some(CLIENT name="x1"
        refused a joining node: this is a master token, but a node token is needed from=Some(CLIENT node="x1"
        refused: the TLS handshake failed from=CLIENT error=received fatal alert: HandshakeFailure
        refused a joining node: the token has expired: make a new one with `xctl token create` from=Some(CLIENT node="x1"
        refused a joining master: the token has expired: make a new one with `xctl token create` from=Some(CLIENT name="x1"
    "#]].assert_eq(&refusals_in_the_log(&masters));
    assert_eq!(members(&masters), before, "nobody came in, and nothing was written");
}

/// A token whose last digits are others.
fn with_another_secret(token: &str) -> String {
    let (kept, last) = token.split_at(token.len() - 4);
    format!("{kept}{}", if last == "0000" { "1111" } else { "0000" })
}

/// What a component says that tries to join with this token.
fn join(masters: &Masters, role: &str, token: &str) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let (config, file) = (dir.path().join("config.toml"), dir.path().join("token"));
    write_private(&file, token);
    let address = masters.client_address("m1");
    let own = match role {
        "master" => format!(
            "client_address = \"127.0.0.1:16443\"\npeer_address = \"127.0.0.1:16444\"\njoin = [{address:?}]\n"
        ),
        _ => format!("address = \"127.0.0.1\"\nmasters = [{address:?}]\n"),
    };
    let data = dir.path().join("data");
    fs::write(&config, format!("name = \"x1\"\ndata_dir = {data:?}\ntoken_file = {file:?}\n{own}"))
        .expect("a configuration");
    let told = refusal(Command::new(programs::xebec()).args([role, "--config"]).arg(&config));
    told.replace(&dir.path().display().to_string(), "DIR").replace(&address, "MASTER")
}

/// What the cluster knows that a joiner would change.
fn members(masters: &Masters) -> (Value, Value, Value) {
    let status = masters.xctl().json(&["cluster", "status"]).expect("a status");
    let read = |what: &str| masters.xctl().json(&["get", what]).expect("a list")["items"].clone();
    (status["masters"][0]["name"].clone(), read("nodes"), read("certificatesigningrequests"))
}

#[test]
fn a_client_that_the_cluster_does_not_know_is_refused() {
    let (masters, other) = (Masters::one(), Masters::one());
    let strangers = [
        ("another CA's certificate", other.admin()["users"][0]["user"].clone()),
        ("no certificate", json!({})),
        ("no token of ours", json!({"token": "rubbish"})),
        ("another cluster's token", json!({"token": token_of_a_service_account(&other)})),
    ];
    let told: Vec<String> = strangers
        .into_iter()
        .map(|(what, user)| {
            let told = acting_as(&masters, user).refusal(&["create", "configmap", "stranger"]);
            format!("{what}: {}\n", told.replace(&masters.client_address("m1"), "MASTER"))
        })
        .collect();
    expect![[r#"
        another CA's certificate: error: the server turned this client's certificate down: connection error: received fatal alert: UnknownCA; use a kubeconfig of this cluster, with a certificate or token that is still valid
        no certificate: error: Unauthorized: no credentials: present a client certificate of this cluster's CA, or a bearer token; use a kubeconfig of this cluster, with a certificate or token that is still valid
        no token of ours: error: Unauthorized: the bearer token was refused: it is no JWT; use a kubeconfig of this cluster, with a certificate or token that is still valid
        another cluster's token: error: Unauthorized: the bearer token was refused: it was not signed by this cluster; use a kubeconfig of this cluster, with a certificate or token that is still valid
    "#]].assert_eq(&told.concat());
    let log = refusals_in_the_log(&masters);
    for line in [
        "refused: the TLS handshake failed from=CLIENT error=invalid peer certificate: UnknownIssuer\n",
        "refused: not authenticated peer=\"CLIENT error=Unauthorized: no credentials: ",
        "refused: not authenticated peer=\"CLIENT error=Unauthorized: the bearer token was refused: it is no JWT\n",
        "the bearer token was refused: it was not signed by this cluster\n",
    ] {
        assert!(log.contains(line), "{line}is not in:\n{log}");
    }
    not_made(&masters, "stranger");
}

#[test]
fn a_user_without_the_right_is_refused_in_kubernetes_words() {
    let masters = Masters::one();
    let poor = acting_as(&masters, json!({"token": token_of_a_service_account(&masters)}));
    let told: Vec<String> = [
        &["get", "pods"][..],
        &["get", "secrets", "-A"],
        &["create", "configmap", "mine"],
        &["delete", "namespace", "default"],
        &["token", "create", "--master"],
    ]
    .into_iter()
    .map(|args| format!("{}\n", poor.refusal(args)))
    .collect();
    expect![[r#"
        error: pods is forbidden: User "system:serviceaccount:default:poor" cannot list resource "pods" in API group "" in the namespace "default"; ask who administers the cluster for a role binding, or use --kubeconfig of another user
        error: secrets is forbidden: User "system:serviceaccount:default:poor" cannot list resource "secrets" in API group "" at the cluster scope; ask who administers the cluster for a role binding, or use --kubeconfig of another user
        error: configmaps is forbidden: User "system:serviceaccount:default:poor" cannot create resource "configmaps" in API group "" in the namespace "default"; ask who administers the cluster for a role binding, or use --kubeconfig of another user
        error: namespaces "default" is forbidden: User "system:serviceaccount:default:poor" cannot delete resource "namespaces" in API group "" in the namespace "default"; ask who administers the cluster for a role binding, or use --kubeconfig of another user
        error: User "system:serviceaccount:default:poor" may not make join tokens: only members of system:masters may; ask who administers the cluster for a role binding, or use --kubeconfig of another user
    "#]].assert_eq(&told.concat());
    expect![[r#"
        refused: not authorised audit_id=ID user="system:serviceaccount:default:poor" pods is forbidden: User "system:serviceaccount:default:poor" cannot list resource "pods" in API group "" in the namespace "default"
        refused: not authorised audit_id=ID user="system:serviceaccount:default:poor" secrets is forbidden: User "system:serviceaccount:default:poor" cannot list resource "secrets" in API group "" at the cluster scope
        refused: not authorised audit_id=ID user="system:serviceaccount:default:poor" configmaps is forbidden: User "system:serviceaccount:default:poor" cannot create resource "configmaps" in API group "" in the namespace "default"
        refused: not authorised audit_id=ID user="system:serviceaccount:default:poor" namespaces "default" is forbidden: User "system:serviceaccount:default:poor" cannot delete resource "namespaces" in API group "" in the namespace "default"
        refused: User "system:serviceaccount:default:poor" may not make join tokens: only members of system:masters may
    "#]].assert_eq(&refusals_in_the_log(&masters));
    not_made(&masters, "mine");
}

#[test]
fn only_masters_are_let_in_on_the_peers_port() {
    let masters = Masters::one();
    write_admins_files(&masters);
    let pki = masters.dir_of("m1").join("data/pki");
    let term = || masters.xctl().json(&["cluster", "status"]).expect("a status")["term"].clone();
    let before = term();

    let mut nobody = masters.admin();
    nobody["clusters"][0]["cluster"]["server"] = format!("https://{}", masters.peer_address("m1")).into();
    nobody["clusters"][0]["cluster"]["extensions"] = json!([]);
    nobody["users"][0]["user"] = json!({});
    let path = masters.dir().join("nobody.kubeconfig");
    write_private(&path, &nobody.to_string());
    let told = Xctl::new(&path).refusal(&["get", "pods"]);
    assert!(told.contains("received fatal alert: CertificateRequired"), "{told}");

    let (certificate, key) = (masters.dir().join("admin.crt"), masters.dir().join("admin.key"));
    for method in ["Raft/Vote", "Peer/ChangeMembership", "Sessions/ReportSessions", "Host/IssueAdmin"] {
        let told = ask_a_peer(&masters, method, &certificate, &key);
        assert!(told.contains("Code: PermissionDenied"), "{method}: {told}");
        assert!(told.contains("Message: only masters talk here"), "{method}: {told}");
    }
    // The rule lets masters through: what this one says is wrong for another reason.
    let told = ask_a_peer(&masters, "Raft/Vote", &pki.join("peer.crt"), &pki.join("peer.key"));
    assert!(told.contains("Message: envelope: missing"), "{told}");

    let log = refusals_in_the_log(&masters);
    for line in [
        "refused: the TLS handshake failed from=CLIENT error=peer sent no certificates\n",
        "refused on the peers' port: not a master from=Some(CLIENT user=\"xebec-admin\"\n",
    ] {
        assert!(log.contains(line), "{line}is not in:\n{log}");
    }
    assert_eq!(term(), before, "nobody was heard");
}

#[test]
fn the_admins_next_kubeconfig_is_written_on_a_masters_host() {
    let mut masters = Masters::one();
    let (config, next) = (masters.dir_of("m1").join("master.toml"), masters.dir().join("next.kubeconfig"));
    let written = || {
        let mut command = Command::new(programs::xebec());
        command.args(["kubeconfig", "--config"]).arg(&config).arg("--output").arg(&next);
        command
    };
    let output = written().output().expect("xebec");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{}\n", next.display()));
    assert_eq!(mode(&next), 0o600);
    let text = fs::read_to_string(&next).expect("written");
    let made: Value = serde_json::from_str(&text).expect("JSON");
    let (old, new) = (masters.admin(), made);
    assert_eq!(new["clusters"], old["clusters"]);
    assert_ne!(new["users"][0]["user"]["client-key-data"], old["users"][0]["user"]["client-key-data"]);
    for xctl in [masters.xctl(), Xctl::new(&next)] {
        xctl.run(&["token", "create", "--master"]).expect("both are the admin's");
    }
    masters.kill("m1");
    let told = refusal(&mut written());
    assert!(told.contains("error: the master m1 issued no certificate at peer_address = "), "{told}");
    assert!(told.contains(": it must run, on this host"), "{told}");
    assert_eq!(fs::read_to_string(&next).expect("still there"), text);
}

/// What grpcurl says of an empty request that must fail, to one of the masters' own services.
fn ask_a_peer(masters: &Masters, method: &str, certificate: &Path, key: &Path) -> String {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let output = Command::new(grpcurl::folder().join("grpcurl"))
        .arg("-import-path")
        .arg(protos)
        .args(["-proto", "xebec/raft/v1/raft.proto", "-cacert", "ca.crt", "-cert"])
        .arg(certificate)
        .arg("-key")
        .arg(key)
        .args(["-d", "{}", &masters.peer_address("m1"), &format!("xebec.raft.v1.{method}")])
        .current_dir(masters.dir())
        .output()
        .expect("grpcurl");
    assert!(!output.status.success(), "{method} must fail");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn not_made(masters: &Masters, name: &str) {
    let told = masters.xctl().refusal(&["get", "configmap", name]);
    assert!(told.contains("not found"), "{told}");
}

/// A token of an account that nobody gave any right.
fn token_of_a_service_account(masters: &Masters) -> String {
    let manifest = masters.dir().join("account.yaml");
    fs::write(&manifest, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: poor}}")
        .expect("a manifest");
    masters.xctl().run(&["apply", "-f", &manifest.display().to_string()]).expect("an account");
    let request = json!({
        "target": {"resource": "serviceaccounts", "namespace": "default", "name": "poor", "subresource": "token"},
        "object": {"struct": {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}},
    });
    write_admins_files(masters);
    let output = Command::new(grpcurl::folder().join("grpcurl"))
        .args(["-cacert", "ca.crt", "-cert", "admin.crt", "-key", "admin.key", "-d", &request.to_string()])
        .args([&masters.client_address("m1"), "xebec.v1.Resources/Create"])
        .current_dir(masters.dir())
        .output()
        .expect("grpcurl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    answer["object"]["struct"]["status"]["token"].as_str().expect("a token").to_owned()
}

/// The CA's certificate and what the admin shows, as `ca.crt`, `admin.crt` and `admin.key`.
fn write_admins_files(masters: &Masters) {
    let files = [
        ("ca.crt", masters.admin()["clusters"][0]["cluster"]["certificate-authority-data"].clone()),
        ("admin.crt", masters.admin()["users"][0]["user"]["client-certificate-data"].clone()),
        ("admin.key", masters.admin()["users"][0]["user"]["client-key-data"].clone()),
    ];
    for (name, encoded) in files {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.decode(encoded.as_str().expect("text"));
        let text = String::from_utf8(text.expect("base64")).expect("PEM");
        write_private(&masters.dir().join(name), &text);
    }
}

/// The client as somebody else, who trusts the right CA.
fn acting_as(masters: &Masters, user: Value) -> Xctl {
    let mut config = masters.admin();
    config["users"][0]["user"] = user;
    let path = masters.dir().join("somebody.kubeconfig");
    write_private(&path, &config.to_string());
    Xctl::new(&path)
}

/// What the master says about whom it refused, without time and ports; each line once.
fn refusals_in_the_log(masters: &Masters) -> String {
    let log = masters.log("m1");
    let mut lines = Vec::new();
    for line in log.lines().filter_map(|line| line.split_once("refused")) {
        let words: Vec<String> = line.1.split(' ').map(without_ports).collect();
        let line = format!("refused{}\n", words.join(" "));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.concat()
}

fn without_ports(word: &str) -> String {
    match word.split_once("127.0.0.1:") {
        Some((before, _)) => format!("{before}CLIENT"),
        None if word.starts_with("audit_id=") => "audit_id=ID".to_owned(),
        None => word.to_owned(),
    }
}

#[test]
fn what_holds_secrets_is_its_owners_alone() {
    let masters = Masters::three();
    let mut files = vec![masters.kubeconfig()];
    for name in masters.names() {
        private_folders(&masters.dir_of(&name).join("data"), &mut files);
    }
    assert!(files.len() > 3 * 8, "keys and databases: {files:?}");
    let open = files.iter().filter(|path| mode(path) != 0o600);
    let open: Vec<String> = open.map(|path| format!("{:o} {}", mode(path), path.display())).collect();
    assert!(open.is_empty(), "for others to read: {open:#?}");
}

/// The files below a folder, every folder of which is private.
fn private_folders(dir: &Path, files: &mut Vec<std::path::PathBuf>) {
    assert_eq!(mode(dir), 0o700, "{}", dir.display());
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { private_folders(&path, files) } else { files.push(path) }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_master_listens_on_two_ports_and_both_speak_tls_only() {
    let masters = Masters::one();
    let ports = [masters.client_address("m1"), masters.peer_address("m1")];
    let sockets = Command::new("ss").args(["-Hltnp"]).output().expect("ss");
    let sockets = String::from_utf8(sockets.stdout).expect("text");
    let pid = format!("pid={},", masters.pid("m1"));
    let mut open: Vec<&str> = sockets
        .lines()
        .filter(|line| line.contains(&pid))
        .filter_map(|line| line.split_whitespace().nth(3))
        .collect();
    open.sort_unstable();
    assert_eq!(open, ports, "nothing else listens");
    for port in ports {
        let mut plain = TcpStream::connect(&port).expect("it listens");
        plain.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("sent");
        let mut answer = Vec::new();
        // The connection may be reset once the alert is sent.
        let _ = plain.read_to_end(&mut answer);
        let is_alert = answer.first() == Some(&0x15);
        assert!(answer.is_empty() || is_alert, "{port} answers plain HTTP/2: {answer:?}");
    }
}
