//! Whole tables of small clusters, and any table against a slow model of it.

mod model;

use expect_test::expect;
use serde_json::{Value, json};
use xebec_api::object::Object;

use super::*;

pub(super) fn object(value: Value) -> Object {
    Object::from_json(value.to_string().as_bytes()).expect("a map")
}

/// An Ingress of the class `xebec`, made in this minute of an hour.
pub(super) fn ingress(name: &str, minute: u8, spec: Value) -> Object {
    let created = format!("2026-11-24T10:{minute:02}:00Z");
    let mut spec = spec;
    spec["ingressClassName"] = json!("xebec");
    object(json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": spec,
        "metadata": {"namespace": "default", "name": name, "creationTimestamp": created}}))
}

pub(super) fn to(service: &str) -> Value {
    json!({"service": {"name": service, "port": {"name": "http"}}})
}

fn service(name: &str, spec: Value) -> Object {
    object(json!({"metadata": {"namespace": "default", "name": name}, "spec": spec}))
}

/// A Service with the port `http` and one ready endpoint.
pub(super) fn web(name: &str, last: u8) -> [Object; 2] {
    let ports = json!([{"name": "http", "port": 80}, {"name": "udp", "port": 90, "protocol": "UDP"}]);
    let ready = json!({"addresses": [format!("10.42.0.{last}")], "conditions": {"ready": true}});
    let slow = json!({"addresses": ["10.42.9.9"], "conditions": {"ready": false}});
    let slice = json!({"metadata": {"namespace": "default", "name": name,
            "labels": {"kubernetes.io/service-name": name}}, "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}], "endpoints": [ready, slow]});
    [service(name, json!({"ports": ports})), object(slice)]
}

pub(super) struct Cluster {
    pub(super) ingresses: Vec<Object>,
    pub(super) classes: Vec<Object>,
    pub(super) services: Vec<Object>,
    pub(super) slices: Vec<Object>,
    pub(super) secrets: Vec<SecretName>,
}

impl Cluster {
    /// With the Services `a`, `b` and `c`, and the Secret `site`.
    pub(super) fn new(ingresses: Vec<Object>) -> Self {
        let (services, slices) = [web("a", 1), web("b", 2), web("c", 3)]
            .into_iter()
            .map(|[service, slice]| (service, slice))
            .unzip();
        let secrets = vec![("default".to_owned(), "site".to_owned())];
        Self { ingresses, classes: Vec::new(), services, slices, secrets }
    }

    pub(super) fn table(&self) -> IngressTable {
        ingress_table(&Sources {
            ingresses: &self.ingresses,
            classes: &self.classes,
            services: &self.services,
            slices: &self.slices,
            secrets: &self.secrets,
        })
    }

    fn problems(&self) -> String {
        let line =
            |problem: &Problem| format!("{} {}: {}\n", problem.ingress, problem.reason, problem.message);
        self.table().problems.iter().map(line).collect()
    }
}

/// Where each request goes, one line each.
fn answers(table: &IngressTable, requests: &[(&str, &str)]) -> String {
    let line = |(host, path): &(&str, &str)| {
        let found = table.find(host, path);
        let shown = found.map_or("404".to_owned(), |to| format!("{} {:?}", to.service, to.endpoints));
        format!("{host}{path} -> {shown}\n")
    };
    requests.iter().map(line).collect()
}

#[test]
fn hosts_and_paths_lead_to_endpoints() {
    let rules = json!([
        {"host": "www.Shop.com", "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": to("a")},
            {"path": "/api/", "pathType": "Prefix", "backend": to("b")},
            {"path": "/api/x", "pathType": "Exact", "backend": to("c")},
            {"pathType": "ImplementationSpecific", "path": "/old", "backend": {"service": {"name": "c", "port": {"number": 80}}}},
        ]}},
        {"host": "*.shop.com", "http": {"paths": [{"path": "/w", "pathType": "Prefix", "backend": to("c")}]}},
        {"http": {"paths": [{"path": "/any", "pathType": "Exact", "backend": to("b")}]}},
    ]);
    let table = Cluster::new(vec![ingress("shop", 1, json!({"rules": rules}))]).table();
    assert_eq!(table.problems, []);
    expect![[r#"
        www.shop.com/ -> a [10.42.0.1:8080]
        WWW.SHOP.COM:8080/index.html -> a [10.42.0.1:8080]
        www.shop.com:/index.html -> a [10.42.0.1:8080]
        www.shop.com./api -> b [10.42.0.2:8080]
        www.shop.com/api/v1/x -> b [10.42.0.2:8080]
        www.shop.com/apis -> a [10.42.0.1:8080]
        www.shop.com/api/x -> c [10.42.0.3:8080]
        www.shop.com/api/x/ -> b [10.42.0.2:8080]
        www.shop.com/old/ -> c [10.42.0.3:8080]
        m.shop.com/w/1 -> c [10.42.0.3:8080]
        m.shop.com/ -> 404
        a.m.shop.com/w -> 404
        .shop.com/w -> 404
        shop.com/w -> 404
        shop.com/any -> b [10.42.0.2:8080]
        m.shop.com/any -> b [10.42.0.2:8080]
        /any -> b [10.42.0.2:8080]
        [::1]:80/any -> b [10.42.0.2:8080]
        [::1]/any/ -> 404
    "#]]
    .assert_eq(&answers(
        &table,
        &[
            ("www.shop.com", "/"),
            ("WWW.SHOP.COM:8080", "/index.html"),
            ("www.shop.com:", "/index.html"),
            ("www.shop.com.", "/api"),
            ("www.shop.com", "/api/v1/x"),
            ("www.shop.com", "/apis"),
            ("www.shop.com", "/api/x"),
            ("www.shop.com", "/api/x/"),
            ("www.shop.com", "/old/"),
            ("m.shop.com", "/w/1"),
            ("m.shop.com", "/"),
            ("a.m.shop.com", "/w"),
            (".shop.com", "/w"),
            ("shop.com", "/w"),
            ("shop.com", "/any"),
            ("m.shop.com", "/any"),
            ("", "/any"),
            ("[::1]:80", "/any"),
            ("[::1]", "/any/"),
        ],
    ));
}

#[test]
fn no_spelling_of_a_path_goes_past_its_rule() {
    let rules = json!([{"host": "x.com", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": to("a")},
        {"path": "/private", "pathType": "Prefix", "backend": to("b")},
        {"path": "/one", "pathType": "Exact", "backend": to("c")},
    ]}}]);
    let table = Cluster::new(vec![ingress("spelt", 1, json!({"rules": rules}))]).table();
    expect![[r#"
        x.com/private/x -> b [10.42.0.2:8080]
        x.com//private -> b [10.42.0.2:8080]
        x.com/x/../private -> b [10.42.0.2:8080]
        x.com/x/%2e%2E/./%70rivate/y -> b [10.42.0.2:8080]
        x.com/private/../x -> a [10.42.0.1:8080]
        x.com/private%2Fx -> a [10.42.0.1:8080]
        x.com/./one -> c [10.42.0.3:8080]
        x.com/one/. -> a [10.42.0.1:8080]
    "#]]
    .assert_eq(&answers(
        &table,
        &[
            ("x.com", "/private/x"),
            ("x.com", "//private"),
            ("x.com", "/x/../private"),
            ("x.com", "/x/%2e%2E/./%70rivate/y"),
            ("x.com", "/private/../x"),
            ("x.com", "/private%2Fx"),
            ("x.com", "/./one"),
            ("x.com", "/one/."),
        ],
    ));
}

#[test]
fn default_backends_take_what_no_path_takes() {
    let path = json!([{"host": "x.com", "http": {"paths": [{"path": "/p", "pathType": "Prefix", "backend": to("a")}]}}]);
    let table = Cluster::new(vec![
        ingress("own", 1, json!({"rules": path, "defaultBackend": to("b")})),
        ingress("all", 2, json!({"defaultBackend": to("c")})),
    ])
    .table();
    expect![[r#"
        x.com/p -> a [10.42.0.1:8080]
        x.com/q -> b [10.42.0.2:8080]
        y.com/q -> c [10.42.0.3:8080]
    "#]]
    .assert_eq(&answers(&table, &[("x.com", "/p"), ("x.com", "/q"), ("y.com", "/q")]));
}

#[test]
fn what_cannot_work_is_told_and_hurts_no_other_rule() {
    let rule = |host: &str, path: &str, backend: Value| json!({"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}});
    let port = |port: Value| json!({"service": {"name": "a", "port": port}});
    let mut cluster = Cluster::new(vec![
        ingress(
            "good",
            2,
            json!({"rules": [rule("x.com", "/", to("a"))], "tls": [{"hosts": ["x.com"], "secretName": "site"}]}),
        ),
        ingress(
            "young",
            3,
            json!({"rules": [rule("x.com", "/", to("b")), rule("x.com", "/b", to("b"))],
            "tls": [{"secretName": "other"}]}),
        ),
        ingress(
            "broken",
            1,
            json!({"tls": [{"hosts": ["y.com"], "secretName": "gone"}], "rules": [
                rule("y.com", "/gone", to("gone")),
                rule("y.com", "/name", port(json!({"name": "grpc"}))),
                rule("y.com", "/udp", port(json!({"number": 90}))),
                rule("y.com", "/outside", to("outside")),
                rule("y.com", "/bucket", json!({"resource": {"kind": "Bucket", "name": "b"}})),
            ]}),
        ),
    ]);
    cluster
        .services
        .push(service("outside", json!({"type": "ExternalName", "ports": [{"name": "http", "port": 80}]})));
    cluster.secrets.insert(0, ("default".to_owned(), "other".to_owned()));
    cluster.ingresses[2]
        .set(&["metadata", "annotations"], json!({"ingress.xebec.io/read-timeout-seconds": "soon"}));
    expect![[r#"
        broken InvalidAnnotation: ingress.xebec.io/read-timeout-seconds: "soon" is no number of seconds from 1 to 86400; the default is used
        broken PortNotFound: host "y.com" path "/name" (Prefix): service "a" has no TCP port "grpc": it has 80 (http)
        broken PortNotFound: host "y.com" path "/udp" (Prefix): service "a" has no TCP port 90: it has 80 (http)
        broken SecretNotFound: tls: there is no Secret "gone" of type kubernetes.io/tls in namespace "default"; its hosts get the default certificate
        broken ServiceNotFound: host "y.com" path "/gone" (Prefix): service "gone" does not exist in namespace "default": create it, or name another
        broken UnsupportedBackend: host "y.com" path "/bucket" (Prefix): only Services can be backends here: name one
        broken UnsupportedBackend: host "y.com" path "/outside" (Prefix): service "outside" is a name of something outside (ExternalName): use one with endpoints
        young Conflict: host "x.com" path "/" (Prefix): ingress default/good has the same rule and is older; this one is not used
        young Conflict: tls: host "x.com" has its certificate from secret default/site by an older Ingress; "other" is not used
    "#]]
    .assert_eq(&cluster.problems());
    let table = cluster.table();
    expect![[r#"
        x.com/ -> a [10.42.0.1:8080]
        x.com/b/c -> b [10.42.0.2:8080]
        y.com/gone ->  []
        y.com/udp ->  []
        y.com/ -> 404
    "#]]
    .assert_eq(&answers(
        &table,
        &[("x.com", "/"), ("x.com", "/b/c"), ("y.com", "/gone"), ("y.com", "/udp"), ("y.com", "/")],
    ));
    assert_eq!(table.certificate("X.com").map(|secret| secret.1.as_str()), Some("site"));
    assert_eq!(table.certificate("y.com"), None);
}

#[test]
fn certificates_go_by_name_and_wildcard() {
    let mut cluster = Cluster::new(vec![ingress(
        "tls",
        1,
        json!({"rules": [{"host": "one.com"}, {"host": "*.two.com"}, {}], "tls": [{"secretName": "site"}, {"hosts": ["three.com"]}]}),
    )]);
    let names = ["one.com", "a.two.com", "two.com", "a.b.two.com", "three.com"];
    let table = cluster.table();
    assert_eq!(names.map(|name| table.certificate(name).is_some()), [true, true, false, false, false]);
    cluster.secrets.clear();
    assert_eq!(names.map(|name| cluster.table().certificate(name).is_some()), [false; 5]);
}

#[test]
fn classes_say_who_serves() {
    let class = |name: &str, controller: &str, default: &str| {
        object(
            json!({"metadata": {"name": name, "annotations": {"ingressclass.kubernetes.io/is-default-class": default}},
            "spec": {"controller": controller}}),
        )
    };
    let ingress = |class: Option<&str>, old: Option<&str>| {
        let mut ingress = object(json!({"metadata": {"name": "i"}, "spec": {}}));
        class.into_iter().for_each(|class| ingress.set(&["spec", "ingressClassName"], class));
        old.into_iter()
            .for_each(|old| ingress.set(&["metadata", "annotations", "kubernetes.io/ingress.class"], old));
        ingress
    };
    let ours = [class("xebec", CONTROLLER, "true"), class("nginx", "k8s.io/ingress-nginx", "false")];
    let theirs = [class("xebec", CONTROLLER, "false"), class("nginx", "k8s.io/ingress-nginx", "true")];
    let served =
        |class, old| [is_served(&ingress(class, old), &ours), is_served(&ingress(class, old), &theirs)];
    assert_eq!(served(Some("xebec"), None), [true, true]);
    assert_eq!(served(Some("nginx"), None), [false, false]);
    assert_eq!(served(Some("unknown"), None), [false, false]);
    assert_eq!(served(None, None), [true, false], "the default class decides");
    assert_eq!(served(None, Some("xebec")), [true, true]);
    assert_eq!(served(None, Some("nginx")), [false, false]);
    assert!(is_served::<Object>(&ingress(Some("xebec"), None), &[]), "also while there is no class");
}
