//! An Ingress: who serves it, and where each of its rules leads.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::well_known::IS_DEFAULT_INGRESS_CLASS;

use super::explanation::Explanation;
use super::facts::Facts;
use super::wording::{count, either, items, items_of, list, named, text, verb};
use super::{near, service};

/// Why it is as it is: everything that is wrong with it, as each rule stands for itself.
pub(super) fn explain(facts: &Facts, ingress: &Object) -> Explanation {
    let mut faults: Vec<Explanation> = class(facts, ingress).into_iter().collect();
    let backends = backends(ingress);
    for backend in &backends {
        if let Some(fault) = backend.fault(facts, ingress)
            && !faults.contains(&fault)
        {
            faults.push(fault);
        }
    }
    faults.extend(certificates(facts, ingress));
    let mut faults = faults.into_iter();
    match faults.next() {
        Some(first) => faults.fold(first, Explanation::follow),
        None => well(ingress, &backends),
    }
}

fn well(ingress: &Object, backends: &[Backend<'_>]) -> Explanation {
    let mut services: Vec<&str> = backends.iter().map(|backend| backend.service).collect();
    services.dedup();
    let rules = count(backends.len(), "rule");
    let said = format!(
        "{} is well: its {rules} {} to {} {}, which {} ready endpoints.",
        named(ingress),
        verb(backends.len(), "leads", "lead"),
        verb(services.len(), "Service", "the Services"),
        list(&services),
        verb(services.len(), "has", "all have"),
    );
    Explanation::well(ingress, said)
}

fn class(facts: &Facts, ingress: &Object) -> Option<Explanation> {
    if !facts.knows("IngressClass") {
        return None;
    }
    let classes: Vec<&str> = facts.all("IngressClass").map(Object::name).collect();
    let known = if classes.is_empty() {
        "the cluster has none".to_owned()
    } else {
        format!("there is {}", list(&classes))
    };
    let wanted = ingress.text(&["spec", "ingressClassName"]);
    if wanted.is_empty() {
        if facts.all("IngressClass").any(|class| class.annotation(IS_DEFAULT_INGRESS_CLASS) == Some("true")) {
            return None;
        }
        let said = format!(
            "{} is served by nobody: it names no class, and no class is the default ({known}).",
            named(ingress)
        );
        let fix = match classes.first() {
            Some(class) => format!("Set its spec.ingressClassName to {class}."),
            None => "Set its spec.ingressClassName to a class that something serves.".to_owned(),
        };
        return Some(Explanation::ill(ingress, said).fix(fix));
    }
    if classes.contains(&wanted) {
        return None;
    }
    let said = format!("{} is served by nobody: its class {wanted} is not there ({known}).", named(ingress));
    let meant = near::name(wanted, classes.iter().copied()).or(classes.first().copied());
    let fix = match meant {
        Some(class) => format!("Set its spec.ingressClassName to {class}."),
        None => format!("Create the IngressClass {wanted}, with something that serves it."),
    };
    Some(Explanation::ill(ingress, said).fix(fix))
}

/// Where one rule leads.
struct Backend<'a> {
    /// `its rule shop.example.com/api`.
    rule: String,
    service: &'a str,
    /// By number or by name.
    port: Option<&'a Value>,
}

fn backends(ingress: &Object) -> Vec<Backend<'_>> {
    let default = ingress.get(&["spec", "defaultBackend"]);
    let mut all: Vec<Backend<'_>> = default
        .and_then(|value| Backend::read("its default backend".to_owned(), value))
        .into_iter()
        .collect();
    for rule in items_of(ingress, &["spec", "rules"]) {
        let host = Some(text(rule, "/host")).filter(|host| !host.is_empty()).unwrap_or("*");
        for path in items(rule, "/http/paths") {
            let Some(value) = path.get("backend") else { continue };
            all.extend(Backend::read(format!("its rule {host}{}", text(path, "/path")), value));
        }
    }
    all
}

impl<'a> Backend<'a> {
    fn read(rule: String, backend: &'a Value) -> Option<Self> {
        let service = backend.get("service")?;
        let port = service.pointer("/port/number").or_else(|| service.pointer("/port/name"));
        Some(Self { rule, service: text(service, "/name"), port })
    }

    fn fault(&self, facts: &Facts, ingress: &Object) -> Option<Explanation> {
        let namespace = ingress.namespace();
        let lead = format!("{} has no backend for {}:", named(ingress), self.rule);
        if facts.lacks("Service", namespace, self.service) {
            let names = facts.within("Service", namespace).into_iter().map(Object::name);
            let near = near::name(self.service, names);
            let guess = near.map(|near| format!(", though there is one named {near}")).unwrap_or_default();
            let said = format!("{lead} the Service {} is not there{guess}.", self.service);
            let fix = match near {
                Some(near) => format!("Correct the name to {near}, or create the Service {}.", self.service),
                None => format!("Create the Service {}, or correct the name in the rule.", self.service),
            };
            return Some(Explanation::ill(ingress, said).fix(fix));
        }
        let service = facts.find("Service", namespace, self.service)?;
        self.wrong_port(ingress, service, &lead).or_else(|| {
            let beneath = service::explain(facts, service);
            let said = format!("{lead} nobody answers for the Service {}.", self.service);
            (!beneath.healthy).then(|| Explanation::ill(ingress, said).follow(beneath))
        })
    }

    fn wrong_port(&self, ingress: &Object, service: &Object, lead: &str) -> Option<Explanation> {
        let wanted = self.port?;
        let field = if wanted.is_string() { "name" } else { "port" };
        let ports: Vec<&Value> = items_of(service, &["spec", "ports"]).collect();
        if ports.iter().any(|port| port.get(field) == Some(wanted)) {
            return None;
        }
        let wanted = wanted.as_str().map_or_else(|| wanted.to_string(), str::to_owned);
        let word = |port: &&Value| {
            let number = port.get("port").map(Value::to_string).unwrap_or_default();
            match text(port, "/name") {
                "" => number,
                name => format!("{number} ({name})"),
            }
        };
        let has: Vec<String> = ports.iter().map(word).collect();
        let said =
            format!("{lead} the Service {} has no port {wanted}; it has {}.", self.service, list(&has));
        Some(Explanation::ill(ingress, said).fix(format!("Correct the rule's port to {}.", either(&has))))
    }
}

fn certificates(facts: &Facts, ingress: &Object) -> Vec<Explanation> {
    let secrets = items_of(ingress, &["spec", "tls"]).map(|tls| (tls, text(tls, "/secretName")));
    let secrets = secrets.filter(|(_, name)| !name.is_empty());
    secrets.filter_map(|(tls, name)| certificate(facts, ingress, tls, name)).collect()
}

fn certificate(facts: &Facts, ingress: &Object, tls: &Value, name: &str) -> Option<Explanation> {
    let hosts: Vec<&str> = items(tls, "/hosts").filter_map(Value::as_str).collect();
    let hosts = if hosts.is_empty() { "its hosts".to_owned() } else { list(&hosts) };
    let lead = format!("{} has no certificate for {hosts}: the Secret {name}", named(ingress));
    let create = format!("`xctl create secret tls {name} --cert FILE --key FILE` makes it.");
    if facts.lacks("Secret", ingress.namespace(), name) {
        return Some(Explanation::ill(ingress, format!("{lead} is not there.")).fix(create));
    }
    let secret = facts.find("Secret", ingress.namespace(), name)?;
    let missing: Vec<&str> =
        ["tls.crt", "tls.key"].into_iter().filter(|key| secret.get(&["data", key]).is_none()).collect();
    (!missing.is_empty())
        .then(|| Explanation::ill(ingress, format!("{lead} lacks {}.", list(&missing))).fix(create))
}
