//! What a user gets wrong, and what is said: the field, the fix, in one line; never a
//! panic, and never half of a change.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use expect_test::expect;
use serde_json::{Value, json};
use xebec_tests::masters::{Masters, write_private};
use xebec_tests::outcome::refusal;
use xebec_tests::programs;

/// A file with everything wrong that a document can be, between two good ones.
const MANIFESTS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: good-one}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: unknown-field}
dta: {a: b}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: unknown-field-far-down}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: c, image: x, whatever: []}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: wrong-type}
spec:
  replicas: three
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: c, image: x}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: Bad_Name}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: bad-label, labels: {"a b": "c d"}}
---
apiVersion: v1
kind: Pod
metadata: {name: no-image}
spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: lost, namespace: nowhere}
---
apiVersion: v1
kind: Confgmap
metadata: {name: unknown-kind}
---
apiVersion: v2
kind: ConfigMap
metadata: {name: unknown-version}
---
apiVersion: v1
kind: ConfigMap
---
kind: ConfigMap
metadata: {name: no-version}
---
just words
---
a: [1
---
apiVersion: v1
kind: Pod
metadata: {name: two-mistakes}
spec: {containers: [{name: c, image: x, ports: [{containerPort: 99999}], imagePullPolicy: Maybe}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: good-two}
"#;

#[test]
fn every_document_is_told_of_and_the_good_ones_are_applied() {
    let masters = Masters::one();
    let output = apply(&masters, "all.yaml", MANIFESTS.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    expect![[r#"
        configmap/good-one created
        configmap/good-two created
    "#]]
    .assert_eq(&told(&masters, &output.stdout));
    expect![[r#"
        error: configmap/unknown-field: ConfigMap "unknown-field" is invalid: dta: unknown field (did you mean "data"?)
        error: deployment.apps/unknown-field-far-down: Deployment.apps "unknown-field-far-down" is invalid: spec.template.spec.containers[0].whatever: unknown field
        error: deployment.apps/wrong-type: Deployment.apps "wrong-type" is invalid: spec.replicas: invalid type: string "three", expected i32
        error: configmap/Bad_Name: ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        error: configmap/bad-label: ConfigMap "bad-label" is invalid: metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'); metadata.labels: Invalid value: "c d": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
        error: pod/no-image: Pod "no-image" is invalid: spec.containers[0].image: Required value
        error: configmap/lost: namespaces "nowhere" not found; `xctl get namespaces` shows what there is
        error: DIR/all.yaml: document 9 (line 47): there is no kind "Confgmap" in "v1": `xctl api-resources` lists the kinds there are
        error: DIR/all.yaml: document 10 (line 51): there is no kind "ConfigMap" in "v2": its apiVersion is v1
        error: configmap/: metadata.name: missing: `xctl create` takes generateName
        error: DIR/all.yaml: document 12 (line 58): apiVersion: missing
        error: DIR/all.yaml: document 13 (line 61): expected an object with apiVersion and kind, found a text
        error: DIR/all.yaml: document 14 (line 64): did not find expected ',' or ']'
        error: pod/two-mistakes: Pod "two-mistakes" is invalid: spec.containers[0].imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"; spec.containers[0].ports[0].containerPort: Invalid value: 99999: must be between 1 and 65535, inclusive
    "#]].assert_eq(&told(&masters, &output.stderr));
    expect![[r#"
        configmap/good-one
        configmap/good-two
        configmap/kube-root-ca.crt
    "#]]
    .assert_eq(&masters.xctl().run(&["get", "configmaps,deployments,pods", "-o", "name"]).expect("a list"));
    nothing_panicked(&masters);
}

#[test]
fn what_is_no_manifest_or_too_much_of_one_is_refused() {
    let masters = Masters::one();
    let large = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: large}}\ndata: {{a: {}}}\n",
        "x".repeat(3_000_000)
    );
    let deep = |levels: usize| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: deep}}\ndata: {}{}\n",
            "{a: ".repeat(levels),
            "}".repeat(levels)
        )
    };
    let files: [(&str, Vec<u8>); 7] = [
        ("empty.yaml", Vec::new()),
        ("only-comments.yaml", b"# nothing\n---\n# more of it\n".to_vec()),
        ("large.yaml", large.clone().into_bytes()),
        ("deep.yaml", deep(90).into_bytes()),
        ("too-deep.yaml", deep(100).into_bytes()),
        ("deeper.yaml", deep(5_000).into_bytes()),
        ("noise.yaml", (0..=255).cycle().take(4096).collect()),
    ];
    let mut all = String::new();
    for (name, bytes) in files {
        let output = apply(&masters, name, &bytes);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{name}");
        all.push_str(&told(&masters, &output.stderr));
    }
    for args in
        [&["create", "-f", "DIR/large.yaml"][..], &["apply", "-f", "DIR/nowhere.yaml"], &["get", "podz"]]
    {
        let args: Vec<String> =
            args.iter().map(|arg| arg.replace("DIR", &masters.dir().display().to_string())).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        all.push_str(&told(&masters, masters.xctl().refusal(&args).as_bytes()));
        all.push('\n');
    }
    expect![[r#"
        error: there is no object in DIR/empty.yaml
        error: there is no object in DIR/only-comments.yaml
        error: configmap/large: the manifest has 3000104 bytes, more than the 262144 that `xctl apply` can keep in an annotation for the next time: use `xctl create -f`
        error: configmap/deep: ConfigMap "deep" is invalid: data[a]: invalid type: map, expected a string
        error: configmap/deep: the object has more than 100 lists and maps within each other
        error: DIR/deeper.yaml: document 1 (line 4): recursion limit exceeded
        error: DIR/noise.yaml: stream did not contain valid UTF-8
        error: configmap/large: the object has 3000104 bytes; 1572864 are the limit
        error: read DIR/nowhere.yaml: No such file or directory (os error 2)
        error: there is no kind "podz" (did you mean "pods"?): `xctl api-resources` lists them
    "#]].assert_eq(&all);
    nothing_panicked(&masters);
}

/// What a master would have died of, sent by somebody who may: each is answered, and it goes on.
#[test]
fn a_small_request_that_asks_for_much_is_refused() {
    let masters = Masters::one();
    masters.xctl().run(&["create", "configmap", "settings", "--from-literal=a=b"]).expect("made");
    let maps = "/api/v1/namespaces/default/configmaps";
    let one = format!("{maps}/settings");
    let aliases = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(500_000));
    let doubled: Vec<Value> =
        (0..35).map(|n| json!({"op": "copy", "from": "/data", "path": format!("/data/{n}")})).collect();
    let level = [
        json!({"op": "add", "path": "/b", "value": {}}),
        json!({"op": "move", "from": "/a", "path": "/b/a"}),
        json!({"op": "move", "from": "/b", "path": "/a"}),
    ];
    let mut nested = vec![json!({"op": "add", "path": "/a", "value": {}})];
    nested.extend(vec![level; 3_000].concat());
    let deep = (0..110).fold(json!(1), |inner, _| json!({"a": inner}));
    let revision = json!({"metadata": {"name": "deep"}, "revision": 1, "data": deep});
    let patch = "application/json-patch+json";
    let mut told = String::new();
    for (method, path, content_type, body) in [
        ("POST", maps, "application/yaml", aliases),
        ("PATCH", &one, patch, Value::from(doubled).to_string()),
        ("PATCH", &one, patch, Value::from(nested).to_string()),
        (
            "POST",
            "/apis/apps/v1/namespaces/default/controllerrevisions",
            "application/json",
            revision.to_string(),
        ),
    ] {
        let (code, status) = send(&masters, method, path, content_type, &body);
        told.push_str(&format!("{code} {}\n", status["message"].as_str().unwrap_or_default()));
    }
    expect![[r#"
        413 Request entity too large: as JSON it has more than 3145728 bytes
        413 the JSON patch copies and moves more than 33554432 bytes: send the values themselves, or several patches
        400 the object has more than 100 lists and maps within each other
        400 the object has more than 100 lists and maps within each other
    "#]]
    .assert_eq(&told);
    let settings = masters.xctl().json(&["get", "configmap", "settings"]).expect("it is there");
    assert_eq!(settings["data"], json!({"a": "b"}), "nothing is half done");
    nothing_panicked(&masters);
}

/// The code and the body of an answer to the administrator.
fn send(masters: &Masters, method: &str, path: &str, content_type: &str, body: &str) -> (String, Value) {
    let user = masters.admin()["users"][0]["user"].clone();
    let file = |name: &str, field: &str| {
        let path = masters.dir().join(name);
        let text = BASE64_STANDARD.decode(user[field].as_str().expect("a credential")).expect("base64");
        write_private(&path, &String::from_utf8(text).expect("PEM"));
        path
    };
    let (cert, key) = (file("admin.crt", "client-certificate-data"), file("admin.key", "client-key-data"));
    let sent = masters.dir().join("body");
    fs::write(&sent, body).expect("a body");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--write-out", "\n%{http_code}", "--request", method, "--cacert"]);
    curl.arg(masters.dir_of("m1").join("data/pki/ca.crt"));
    curl.arg("--cert").arg(cert).arg("--key").arg(key);
    curl.args(["--header", &format!("content-type: {content_type}"), "--data-binary"]);
    curl.arg(format!("@{}", sent.display()));
    let output = curl.arg(format!("https://{}{path}", masters.client_address("m1"))).output().expect("curl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).expect("text");
    let (body, code) = told.rsplit_once('\n').expect("the code comes last");
    (code.to_owned(), serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused_with_the_line_and_the_fix() {
    let dir = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address");
    let master = format!(
        "name = \"m1\"\ndata_dir = \"{}/data\"\nclient_address = \"{taken}\"\npeer_address = \"127.0.0.1:16444\"\n",
        dir.path().display()
    );
    let node = format!(
        "name = \"n1\"\ndata_dir = \"{}/data\"\naddress = \"127.0.0.1\"\nmasters = [\"127.0.0.1:1\"]\n",
        dir.path().display()
    );
    let cases = [
        ("master", format!("{master}boostrap = true\n")),
        ("master", format!("{master}[cluster]\nservice_cidr = \"10.43.0.0/24\"\n")),
        ("master", master.replace("127.0.0.1:16444", "localhost")),
        ("master", master.replace("name = \"m1\"\n", "")),
        ("master", master.replace("\"m1\"", "1")),
        ("master", format!("{master}join = [\n")),
        ("master", master.replace("data\"", "${NOWHERE}\"")),
        ("master", format!("{master}bootstrap = true\n")),
        ("master", master.replace(&taken.to_string(), "192.0.2.1:6443")),
        ("master", master.replace(&taken.to_string(), "127.0.0.1:16443")),
        ("node", format!("{node}lables = {{}}\n")),
        ("node", node.replace("[\"127.0.0.1:1\"]", "[]")),
        ("node", node.replace("\"127.0.0.1\"", "\"here\"")),
        ("node", node.clone()),
        ("node", format!("{node}token_file = \"/nowhere/token\"\n")),
    ];
    let mut all = String::new();
    for (role, text) in cases {
        let config = dir.path().join("config.toml");
        fs::write(&config, text).expect("a configuration");
        all.push_str(&start(role, &config));
    }
    for role in ["master", "node"] {
        all.push_str(&start(role, &dir.path().join("nowhere.toml")));
        all.push_str(&start(role, dir.path()));
    }
    let all = all.replace(&dir.path().display().to_string(), "DIR").replace(&taken.to_string(), "TAKEN");
    expect![[r#"
        error: DIR/config.toml: line 5 (boostrap = true): unknown field `boostrap`, expected one of `name`, `data_dir`, `client_address`, `peer_address`, `bootstrap`, `join`, `token_file`, `admin_kubeconfig`, `cluster`
        error: DIR/config.toml: cluster.service_cidr = "10.43.0.0/24": write a /16, such as "10.43.0.0/16"
        error: DIR/config.toml: peer_address = "localhost": write an IP address and a port, such as "10.0.0.1:6443"
        error: DIR/config.toml: missing field `name`
        error: DIR/config.toml: line 1 (name = 1): invalid type: integer `1`, expected a string
        error: DIR/config.toml: line 5 (join = [): unclosed array, expected `]`
        error: DIR/config.toml: ${NOWHERE}: the environment has no NOWHERE
        error: client_address = "TAKEN": Address already in use (os error 98): choose a free port of this host, or stop what listens there
        error: client_address = "192.0.2.1:6443": Cannot assign requested address (os error 99): choose a free port of this host, or stop what listens there
        error: this master has no data yet: set bootstrap = true on the one that makes the cluster, or join = ["host:port"] and token_file on every other
        error: DIR/config.toml: line 5 (lables = {}): unknown field `lables`, expected one of `name`, `data_dir`, `address`, `masters`, `token_file`, `images_dir`, `labels`, `eviction`
        error: DIR/config.toml: masters: name at least one, such as ["10.0.0.1:6443"]
        error: DIR/config.toml: line 3 (address = "here"): invalid IP address syntax
        error: join: token_file: name a file with a node token (`xctl token create`)
        error: /nowhere/token: No such file or directory (os error 2)
        error: DIR/nowhere.toml: No such file or directory (os error 2)
        error: DIR: Is a directory (os error 21)
        error: DIR/nowhere.toml: No such file or directory (os error 2)
        error: DIR: Is a directory (os error 21)
    "#]].assert_eq(&all);
    assert!(!all.contains("panicked"), "{all}");
    let made: Vec<PathBuf> =
        ["data/log", "data/state", "data/meta.json"].iter().map(|name| dir.path().join(name)).collect();
    assert!(made.iter().all(|path| !path.exists()), "nothing half made: {made:?}");
}

fn start(role: &str, config: &Path) -> String {
    refusal(Command::new(programs::xebec()).args([role, "--config"]).arg(config))
}

fn apply(masters: &Masters, name: &str, bytes: &[u8]) -> Output {
    let path = masters.dir().join(name);
    fs::write(&path, bytes).expect("a manifest");
    masters.xctl().output(&["apply", "-f", &path.display().to_string()]).expect("xctl starts")
}

fn told(masters: &Masters, bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(&masters.dir().display().to_string(), "DIR")
}

fn nothing_panicked(masters: &Masters) {
    let log = masters.log("m1");
    assert!(!log.contains("panicked"), "{log}");
    masters.xctl().run(&["cluster", "status"]).expect("the master goes on");
}
