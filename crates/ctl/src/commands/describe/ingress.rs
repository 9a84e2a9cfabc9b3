//! Ingresses: which host and path leads to which endpoints.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;
use xebec_api::error::Reason;
use xebec_api::object::Object;

use super::page::{Page, scalar};
use super::service;
use crate::asked;
use crate::session::Session;

/// The Services that an Ingress names, with their slices; `None` for one that is not there.
pub(super) type Backends = BTreeMap<String, Option<(Object, Vec<Object>)>>;

/// Fetches them.
pub(super) async fn backends(session: &Session, ingress: &Object) -> Result<Backends> {
    let mut found = Backends::new();
    let row = asked::row("services")?;
    for backend in all_backends(ingress) {
        let name = scalar(backend.pointer("/service/name"));
        if name.is_empty() || found.contains_key(&name) {
            continue;
        }
        let service = match session.client.get(row, ingress.namespace(), &name).await {
            Ok(service) => Some((service.clone(), service::slices(session, &service).await?)),
            Err(error) if error.reason == Reason::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        found.insert(name, service);
    }
    Ok(found)
}

/// Describes it.
pub(super) fn describe(ingress: &Object, backends: &Backends, page: &mut Page) {
    page.head(ingress);
    let addresses = list(ingress.get(&["status", "loadBalancer", "ingress"]));
    let addresses: Vec<String> = addresses.map(|address| scalar(address.get("ip"))).collect();
    page.field("Address", addresses.join(","));
    page.field("Ingress Class", ingress.text(&["spec", "ingressClassName"]));
    match ingress.get(&["spec", "defaultBackend"]) {
        Some(backend) => page.field("Default Backend", shown(backend, backends)),
        None => page.field("Default Backend", "<default>"),
    }
    let secured: Vec<String> = list(ingress.get(&["spec", "tls"])).map(terminates).collect();
    page.optional("TLS", secured.join("\n"));
    let mut rows = Vec::new();
    for rule in list(ingress.get(&["spec", "rules"])) {
        let host = scalar(rule.get("host"));
        let mut host = if host.is_empty() { "*".to_owned() } else { host };
        for path in list(rule.pointer("/http/paths")) {
            let backend = shown(path.get("backend").unwrap_or(&Value::Null), backends);
            rows.push(vec![
                std::mem::take(&mut host),
                scalar(path.get("path")),
                scalar(path.get("pathType")),
                backend,
            ]);
        }
    }
    page.table("Rules", &["HOST", "PATH", "TYPE", "BACKEND"], &rows);
}

fn all_backends(ingress: &Object) -> impl Iterator<Item = &Value> {
    let rules = list(ingress.get(&["spec", "rules"]));
    let paths =
        rules.flat_map(|rule| list(rule.pointer("/http/paths"))).filter_map(|path| path.get("backend"));
    paths.chain(ingress.get(&["spec", "defaultBackend"]))
}

fn terminates(tls: &Value) -> String {
    let hosts: Vec<String> = list(tls.get("hosts")).map(|host| scalar(Some(host))).collect();
    format!("{} terminates {}", scalar(tls.get("secretName")), hosts.join(","))
}

/// `web:http (10.42.0.1:8080)`, or what is wrong with it.
fn shown(backend: &Value, backends: &Backends) -> String {
    let name = scalar(backend.pointer("/service/name"));
    if name.is_empty() {
        return format!(
            "{} {}",
            scalar(backend.pointer("/resource/kind")),
            scalar(backend.pointer("/resource/name"))
        );
    }
    let port = backend.pointer("/service/port");
    let number = scalar(port.and_then(|port| port.get("number")));
    let wanted = if number.is_empty() { scalar(port.and_then(|port| port.get("name"))) } else { number };
    let Some(Some((service, slices))) = backends.get(&name) else {
        return format!("{name}:{wanted} (<error: services {name:?} not found>)");
    };
    let is_wanted = |port: &&Value| scalar(port.get("port")) == wanted || scalar(port.get("name")) == wanted;
    match list(service.get(&["spec", "ports"])).find(is_wanted) {
        Some(port) => format!("{name}:{wanted} ({})", service::endpoints(slices, &scalar(port.get("name")))),
        None => format!("{name}:{wanted} (<error: the service has no such port>)"),
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}
