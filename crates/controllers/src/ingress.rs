//! Ingresses: where they are reached, in their status, and what cannot work, as events.
//!
//! Requests are served by the ingress's pods, which decide with the same function as this
//! does (`xebec_dataplane::ingress`) and write nothing. Rules of one Ingress can stand in
//! the way of another's, so one key stands for all of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::tls_secret;
use xebec_dataplane::ingress::{Problem, Sources, ingress_table, is_served};

use crate::controller::{Controller, ObjectKey};
use crate::liveness;
use crate::plan::Plan;
use crate::resources::{INGRESS_CLASSES, INGRESSES, NODES, SECRETS, SERVICES};
use crate::view::View;

const COMPONENT: &str = "ingress-controller";
/// The type of the Secrets that hold a certificate.
const TLS: &str = "kubernetes.io/tls";

/// See the module.
pub(crate) struct Ingress;

impl Controller for Ingress {
    fn name(&self) -> &'static str {
        "ingress"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        match resource {
            INGRESSES | INGRESS_CLASSES | NODES | SERVICES => self.initial(view),
            SECRETS if object.text(&["type"]) == TLS => self.initial(view),
            _ => Vec::new(),
        }
    }

    fn reconcile(&self, view: &dyn View, _key: &ObjectKey, _now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        let ingresses = view.list(INGRESSES, None);
        if ingresses.is_empty() {
            return plan;
        }
        let classes = view.list(INGRESS_CLASSES, None);
        let status = reached_at(view);
        for ingress in ingresses.iter().filter(|ingress| is_served(ingress, &classes)) {
            let mut new = ingress.clone();
            new.set(&["status", "loadBalancer"], status.clone());
            plan.update_status(ingress, new);
        }
        for problem in problems(view, &ingresses, &classes) {
            tell(view, &ingresses, &problem, &mut plan);
        }
        plan
    }

    fn initial(&self, _view: &dyn View) -> Vec<ObjectKey> {
        vec![ObjectKey::new(INGRESSES, "", "*")]
    }
}

/// `status.loadBalancer`: every node that is ready, since each has the ingress's node ports.
fn reached_at(view: &dyn View) -> Value {
    let addresses: BTreeSet<String> = view
        .list(NODES, None)
        .iter()
        .filter(|node| liveness::is_ready(node))
        .filter_map(internal_address)
        .collect();
    if addresses.is_empty() {
        return json!({});
    }
    json!({"ingress": addresses.iter().map(|address| json!({"ip": address})).collect::<Vec<_>>()})
}

fn internal_address(node: &Object) -> Option<String> {
    let found = list(node, &["status", "addresses"]).find(|address| address["type"] == "InternalIP")?;
    found.get("address")?.as_str().map(str::to_owned)
}

fn list<'a>(object: &'a Object, path: &[&str]) -> impl Iterator<Item = &'a Value> + use<'a> {
    object.get(path).and_then(Value::as_array).into_iter().flatten()
}

fn problems(view: &dyn View, ingresses: &[Object], classes: &[Object]) -> Vec<Problem> {
    let services = view.list(SERVICES, None);
    let secrets = view.list(SECRETS, None);
    let secrets = secrets.iter().filter(|secret| is_tls(secret));
    let secrets: Vec<_> =
        secrets.map(|secret| (secret.namespace().to_owned(), secret.name().to_owned())).collect();
    // What is wrong does not depend on who is ready.
    let sources = Sources { ingresses, classes, services: &services, slices: &[], secrets: &secrets };
    let mut problems = ingress_table(&sources).problems;
    for ingress in ingresses.iter().filter(|ingress| is_served(ingress, classes)) {
        problems.extend(bad_certificates(view, ingress));
    }
    problems
}

fn is_tls(secret: &Object) -> bool {
    secret.text(&["type"]) == TLS
}

/// The Secrets of an Ingress that the ingress's pods cannot use, each once. It is told of
/// them here alone: the pods find out by themselves, and serve the rest.
fn bad_certificates(view: &dyn View, ingress: &Object) -> Vec<Problem> {
    let named = list(ingress, &["spec", "tls"]).filter_map(|tls| tls.get("secretName")?.as_str());
    let named: BTreeSet<&str> = named.collect();
    let problem = |name: &str| {
        let secret = view.get(SECRETS, ingress.namespace(), name).filter(is_tls)?;
        let why = tls_secret::read(&secret).err()?;
        Some(Problem {
            namespace: ingress.namespace().to_owned(),
            ingress: ingress.name().to_owned(),
            reason: "InvalidCertificate",
            message: format!(
                "tls: secret {name:?} holds no certificate that can be used: {why}; its hosts get the default certificate: put a chain into tls.crt and its key into tls.key, both as PEM"
            ),
        })
    };
    named.into_iter().filter_map(problem).collect()
}

/// Records a problem, once: it is looked at again with every change of any Service.
fn tell(view: &dyn View, ingresses: &[Object], problem: &Problem, plan: &mut Plan) {
    let is_meant =
        |object: &&Object| object.namespace() == problem.namespace && object.name() == problem.ingress;
    let Some(ingress) = ingresses.iter().find(is_meant) else { return };
    plan.warn_once(view, COMPONENT, ingress, problem.reason, problem.message.clone());
}

#[cfg(test)]
mod tests;
