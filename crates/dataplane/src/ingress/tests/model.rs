//! Any table gives the answers of a list of rules that is read from end to end.

use proptest::prelude::*;
use serde_json::{Value, json};
use xebec_api::object::Object;

use super::super::{IngressTable, Sources, ingress_table};
use super::{Cluster, ingress, to};

const SERVICES: [&str; 3] = ["a", "b", "c"];

/// One rule as a person reads it.
#[derive(Clone, Debug)]
struct Rule {
    host: String,
    path: String,
    exact: bool,
    service: &'static str,
}

fn rule() -> impl Strategy<Value = Rule> {
    let host = prop::sample::select(vec!["", "x.com", "a.x.com", "*.x.com", "*.com"]);
    let path = prop::collection::vec(prop::sample::select(vec!["a", "b", "ab"]), 0..4);
    let service = prop::sample::select(SERVICES.to_vec());
    (host, path, any::<bool>(), any::<bool>(), service).prop_map(|(host, path, slash, exact, service)| {
        let path = format!("/{}{}", path.join("/"), if slash && !path.is_empty() { "/" } else { "" });
        Rule { host: host.to_owned(), path, exact, service }
    })
}

fn spec(rules: &[Rule]) -> Value {
    let one = |rule: &Rule| {
        let kind = if rule.exact { "Exact" } else { "Prefix" };
        let path = json!({"path": rule.path, "pathType": kind, "backend": to(rule.service)});
        let mut one = json!({"http": {"paths": [path]}});
        if !rule.host.is_empty() {
            one["host"] = json!(rule.host);
        }
        one
    };
    json!({"rules": rules.iter().map(one).collect::<Vec<_>>()})
}

fn elements(path: &str) -> Vec<&str> {
    path.split('/').filter(|element| !element.is_empty()).collect()
}

impl Rule {
    fn takes_host(&self, host: &str) -> bool {
        match self.host.strip_prefix("*.") {
            Some(rest) => host.split_once('.').is_some_and(|(_, tail)| tail == rest),
            None => self.host.is_empty() || self.host == host,
        }
    }

    fn takes_path(&self, path: &str) -> bool {
        if self.exact { self.path == path } else { elements(path).starts_with(&elements(&self.path)) }
    }

    /// The larger, the more it says.
    fn weight(&self) -> (u8, bool, usize) {
        let host = if self.host.is_empty() { 0 } else { 1 + u8::from(!self.host.starts_with("*.")) };
        (host, self.exact, elements(&self.path).len())
    }
}

/// The answer, slowly: the first of those that say most.
fn expected<'a>(rules: &'a [Rule], host: &str, path: &str) -> Option<&'a str> {
    let mut best: Option<&Rule> = None;
    for rule in rules.iter().filter(|rule| rule.takes_host(host) && rule.takes_path(path)) {
        if best.is_none_or(|best| rule.weight() > best.weight()) {
            best = Some(rule);
        }
    }
    best.map(|rule| rule.service)
}

fn answer<'a>(table: &'a IngressTable, host: &str, path: &str) -> Option<&'a str> {
    table.find(host, path).map(|backend| backend.service.as_str())
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z/*.:]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let key = prop::sample::select(vec![
            "rules",
            "http",
            "paths",
            "path",
            "pathType",
            "backend",
            "service",
            "name",
            "port",
            "number",
            "host",
            "tls",
            "hosts",
            "secretName",
            "defaultBackend",
            "ports",
            "endpoints",
            "addresses",
            "conditions",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.prop_map(str::to_owned), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_rule_that_says_most_wins(
        older in prop::collection::vec(rule(), 0..6),
        younger in prop::collection::vec(rule(), 0..6),
        host in prop::sample::select(vec!["x.com", "a.x.com", "b.x.com", "a.b.x.com", "y.com", ""]),
        path in "(/(a|b|ab)){0,5}/?",
    ) {
        let path = if path.is_empty() { "/".to_owned() } else { path };
        // The younger is listed first: age decides, not the place.
        let cluster = Cluster::new(vec![ingress("y", 2, spec(&younger)), ingress("o", 1, spec(&older))]);
        let all = [older, younger].concat();
        let table = cluster.table();
        prop_assert_eq!(answer(&table, host, &path), expected(&all, host, &path));
    }

    #[test]
    fn a_younger_ingress_takes_no_rule_of_an_older(
        older in prop::collection::vec(rule(), 1..6), younger in prop::collection::vec(rule(), 0..6)
    ) {
        let alone = Cluster::new(vec![ingress("o", 1, spec(&older))]).table();
        let both = Cluster::new(vec![ingress("o", 1, spec(&older)), ingress("y", 2, spec(&younger))]).table();
        for rule in older.iter().filter(|rule| rule.exact) {
            let host = rule.host.replace('*', "any");
            let host = if host.is_empty() { "nobody.org".to_owned() } else { host };
            let same = younger.iter().any(|other| other.weight() > rule.weight() && other.takes_host(&host));
            prop_assert!(same || answer(&both, &host, &rule.path) == answer(&alone, &host, &rule.path));
        }
    }

    #[test]
    fn nonsense_panics_nowhere(spec in arbitrary_json(), other in arbitrary_json(), host in ".{0,12}", path in ".{0,12}") {
        let object = |spec: &Value| {
            let metadata = json!({"namespace": "default", "name": "a", "labels": {"kubernetes.io/service-name": "a"}});
            super::object(json!({"metadata": metadata, "spec": spec, "addressType": "IPv4",
                "ports": spec.get("ports"), "endpoints": spec.get("endpoints")}))
        };
        let (mut ingresses, others) = (vec![object(&spec)], vec![object(&other)]);
        ingresses[0].set(&["metadata", "annotations", "kubernetes.io/ingress.class"], "xebec");
        let sources: Sources<'_, Object> =
            Sources { ingresses: &ingresses, classes: &others, services: &others, slices: &others, secrets: &[] };
        let table = ingress_table(&sources);
        let _ = (table.find(&host, &path), table.certificate(&host));
    }
}
