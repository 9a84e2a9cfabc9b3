//! The table, built: the oldest Ingress first, so that it keeps what a younger one also wants.

use std::borrow::Borrow;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde_json::Value;
use xebec_api::object::Object;

use super::backend::{Backend, Services};
use super::class::is_served;
use super::problem::Problem;
use super::rules::{PathType, Rules};
use super::table::{IngressTable, SecretName};
use crate::json::text;

/// Seconds that an endpoint may be silent before its request is answered 504.
const READ_TIMEOUT_ANNOTATION: &str = "ingress.xebec.io/read-timeout-seconds";
/// The longest such time: a day.
const LONGEST_READ_TIMEOUT: u32 = 86_400;

/// What the table is made of.
pub struct Sources<'a, O> {
    /// Ingresses of every namespace and class.
    pub ingresses: &'a [O],
    /// IngressClasses.
    pub classes: &'a [O],
    /// Services.
    pub services: &'a [O],
    /// EndpointSlices; without them no backend has endpoints, and problems are the same.
    pub slices: &'a [O],
    /// The Secrets that hold a certificate, sorted.
    pub secrets: &'a [SecretName],
}

/// Builds the table of everything that is served here.
#[must_use]
pub fn ingress_table<O: Borrow<Object>>(sources: &Sources<'_, O>) -> IngressTable {
    let ingresses = sources.ingresses.iter().map(Borrow::borrow);
    let mut ours: Vec<&Object> = ingresses.filter(|ingress| is_served(ingress, sources.classes)).collect();
    ours.sort_by_key(|ingress: &&Object| {
        (ingress.text(&["metadata", "creationTimestamp"]), ingress.namespace(), ingress.name())
    });
    let services = Services::new(sources.services, sources.slices);
    let mut table = IngressTable::default();
    for ingress in ours {
        let owner = format!("{}/{}", ingress.namespace(), ingress.name()).into();
        Builder { table: &mut table, services: &services, ingress, owner }.add(sources.secrets);
    }
    table.problems.sort();
    table.problems.dedup();
    table
}

/// One Ingress on its way into the table.
struct Builder<'a> {
    table: &'a mut IngressTable,
    services: &'a Services<'a>,
    ingress: &'a Object,
    owner: Arc<str>,
}

impl Builder<'_> {
    fn add(mut self, secrets: &[SecretName]) {
        for rule in list(self.ingress.get(&["spec", "rules"])) {
            let host = text(rule, "host").to_ascii_lowercase();
            for path in list(rule.pointer("/http/paths")) {
                self.add_path(&host, path);
            }
        }
        if let Some(backend) = self.ingress.get(&["spec", "defaultBackend"]) {
            self.add_default(backend);
        }
        for tls in list(self.ingress.get(&["spec", "tls"])) {
            self.add_certificate(tls, secrets);
        }
    }

    fn add_path(&mut self, host: &str, rule: &Value) {
        let path = if text(rule, "path").is_empty() { "/" } else { text(rule, "path") };
        let kind = if text(rule, "pathType") == "Exact" { PathType::Exact } else { PathType::Prefix };
        let shown = format!("host {:?} path {path:?} ({kind:?})", if host.is_empty() { "*" } else { host });
        let backend = self.backend(&shown, rule.get("backend").unwrap_or(&Value::Null));
        let owner = Arc::clone(&self.owner);
        if let Some(first) = self.rules(host).add(kind, path, backend, &owner) {
            self.problem(
                "Conflict",
                format!("{shown}: ingress {first} has the same rule and is older; this one is not used"),
            );
        }
    }

    /// For the hosts that the Ingress has rules for; for every host when it has none.
    fn add_default(&mut self, named: &Value) {
        let backend = self.backend("default backend", named);
        let rules = list(self.ingress.get(&["spec", "rules"]));
        let mut hosts: Vec<String> = rules.map(|rule| text(rule, "host").to_ascii_lowercase()).collect();
        hosts.sort();
        hosts.dedup();
        if hosts.is_empty() {
            hosts.push(String::new());
        }
        for host in hosts {
            let owner = Arc::clone(&self.owner);
            if let Some(first) = self.rules(&host).add_fallback(Arc::clone(&backend), &owner) {
                let host = if host.is_empty() { "*" } else { &host };
                self.problem("Conflict", format!("default backend of host {host:?}: ingress {first} has one and is older; this one is not used"));
            }
        }
    }

    /// What a rule leads to. One that cannot be found stands there without endpoints, so that
    /// its requests are refused and nobody else's rule gets them.
    fn backend(&mut self, rule: &str, named: &Value) -> Arc<Backend> {
        let namespace = self.ingress.namespace();
        let found = self.services.find(namespace, named);
        let mut backend = found.unwrap_or_else(|(reason, why)| {
            self.problem(reason, format!("{rule}: {why}"));
            Backend { namespace: namespace.to_owned(), ..Backend::default() }
        });
        backend.read_timeout_seconds = self.read_timeout();
        Arc::new(backend)
    }

    fn read_timeout(&mut self) -> Option<u32> {
        let given = self.ingress.annotation(READ_TIMEOUT_ANNOTATION)?;
        let seconds = given.parse().ok().filter(|seconds| (1..=LONGEST_READ_TIMEOUT).contains(seconds));
        if seconds.is_none() {
            self.problem("InvalidAnnotation", format!("{READ_TIMEOUT_ANNOTATION}: {given:?} is no number of seconds from 1 to {LONGEST_READ_TIMEOUT}; the default is used"));
        }
        seconds
    }

    fn rules(&mut self, host: &str) -> &mut Rules {
        match (host, host.strip_prefix("*.")) {
            ("", _) => &mut self.table.any,
            (_, Some(rest)) => self.table.wildcards.entry(rest.to_owned()).or_default(),
            (_, None) => self.table.hosts.entry(host.to_owned()).or_default(),
        }
    }

    /// A certificate for the hosts that are named, or for those of the rules.
    fn add_certificate(&mut self, tls: &Value, secrets: &[SecretName]) {
        let name = text(tls, "secretName");
        // Without one the default certificate is meant.
        if name.is_empty() {
            return;
        }
        let secret = (self.ingress.namespace().to_owned(), name.to_owned());
        if secrets.binary_search(&secret).is_err() {
            self.problem("SecretNotFound", format!("tls: there is no Secret {name:?} of type kubernetes.io/tls in namespace {:?}; its hosts get the default certificate", secret.0));
            return;
        }
        let named: Vec<String> =
            list(tls.get("hosts")).filter_map(Value::as_str).map(str::to_ascii_lowercase).collect();
        let rules =
            list(self.ingress.get(&["spec", "rules"])).map(|rule| text(rule, "host").to_ascii_lowercase());
        let hosts = if named.is_empty() { rules.filter(|host| !host.is_empty()).collect() } else { named };
        for host in hosts {
            match self.table.certificates.entry(host.clone()) {
                Entry::Vacant(place) => {
                    place.insert(secret.clone());
                }
                Entry::Occupied(first) if *first.get() == secret => {}
                Entry::Occupied(first) => {
                    let (namespace, first) = first.get().clone();
                    self.problem("Conflict", format!("tls: host {host:?} has its certificate from secret {namespace}/{first} by an older Ingress; {name:?} is not used"));
                }
            }
        }
    }

    fn problem(&mut self, reason: &'static str, message: String) {
        self.table.problems.push(Problem::new(self.ingress, reason, message));
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}
