//! A Service: who is to answer for it, and whether anybody does.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::{is_ready, is_terminal};
use xebec_api::selector::LabelSelector;
use xebec_api::well_known::SERVICE_NAME;

use super::container::{self, port_words, ports};
use super::explanation::Explanation;
use super::facts::Facts;
use super::wording::{count, either, items, items_of, list, named, text, verb};
use super::{near, pod, workload};

/// Why it is as it is.
pub(super) fn explain(facts: &Facts, service: &Object) -> Explanation {
    if service.text(&["spec", "type"]) == "ExternalName" {
        let host = service.text(&["spec", "externalName"]);
        return Explanation::well(
            service,
            format!("{} is another name for {host}, outside the cluster.", named(service)),
        );
    }
    let selector: Vec<(&str, &str)> = service.text_map(&["spec", "selector"]).collect();
    if selector.is_empty() {
        return by_hand(facts, service);
    }
    let pods = facts.pods_selected(service.namespace(), &LabelSelector::from_pairs(selector.iter().copied()));
    let pods: Vec<&Object> = pods.into_iter().filter(|pod| !is_terminal(pod)).collect();
    if pods.is_empty() {
        return selects_nothing(facts, service, &selector);
    }
    if let Some(explained) = wrong_name(service, &pods) {
        return explained;
    }
    let ready = pods.iter().filter(|pod| is_ready(pod) && !pod.is_terminating()).count();
    if ready == 0 {
        return none_ready(facts, service, &pods);
    }
    undeclared(service, &pods).unwrap_or_else(|| well(facts, service, ready, pods.len()))
}

/// The words of a selector.
fn pairs(selector: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

fn selects_nothing(facts: &Facts, service: &Object, selector: &[(&str, &str)]) -> Explanation {
    let (namespace, wanted) = (service.namespace(), pairs(selector));
    let said = format!(
        "{} has no endpoints: its selector {wanted} matches no pod in namespace {namespace}.",
        named(service)
    );
    let explained = Explanation::ill(service, said);
    let pods = facts.within("Pod", namespace);
    if let Some((nearest, names)) = near::labels(selector, &pods) {
        let has = verb(names.len(), "has", "have");
        return explained
            .because(format!("The nearest labels are {nearest}, which {} {has}.", list(&names)))
            .fix(format!(
                "Set its spec.selector to {nearest} if these are meant, or label the pods with {wanted}."
            ));
    }
    // Whose template has the labels makes no pods: why, is for it to say.
    let matcher = LabelSelector::from_pairs(selector.iter().copied());
    let makers = ["Deployment", "DaemonSet"].into_iter().flat_map(|kind| facts.within(kind, namespace));
    let maker = makers.into_iter().find(|maker| {
        let labels = maker.text_map(&["spec", "template", "metadata", "labels"]);
        matcher.matches_labels(labels)
    });
    match maker {
        Some(maker) => explained.follow(workload::explain(facts, maker)),
        None => explained.because("No pod there has labels like these.").fix(format!(
            "Apply the workload whose pods are to answer, with the labels {wanted}, or correct spec.selector."
        )),
    }
}

fn none_ready(facts: &Facts, service: &Object, pods: &[&Object]) -> Explanation {
    let said = format!(
        "{} has no ready endpoints: {} its selector, and {} ready.",
        named(service),
        match pods.len() {
            1 => "1 pod matches".to_owned(),
            many => format!("{many} pods match"),
        },
        if pods.len() == 1 { "it is not" } else { "none of them is" },
    );
    let worst = workload::worst(pods).unwrap_or(pods[0]);
    Explanation::ill(service, said).follow(pod::explain(facts, worst))
}

/// A targetPort by a name that no container gives to a port.
fn wrong_name(service: &Object, pods: &[&Object]) -> Option<Explanation> {
    let declared = declared(pods);
    let names: Vec<&str> = declared.iter().map(|(_, name)| *name).filter(|name| !name.is_empty()).collect();
    for port in items_of(service, &["spec", "ports"]) {
        let target = text(port, "/targetPort");
        if target.is_empty() || names.contains(&target) {
            continue;
        }
        let said = format!(
            "{} has no endpoints for its port {}: that leads to the container port named {target}, and no container of \
             {} that it selects has one of that name.",
            named(service),
            number(port, "port"),
            if pods.len() == 1 { "the pod".to_owned() } else { format!("the {} pods", pods.len()) },
        );
        let declare = if declared.is_empty() { "none".to_owned() } else { list(&port_words(&declared)) };
        let meant = near::name(target, names.iter().copied()).or(names.first().copied());
        let fix = match meant {
            Some(name) => format!("Set its targetPort to {name}, or name the container's port {target}."),
            None => format!("Set its targetPort to a number, or name the container's port {target}."),
        };
        return Some(Explanation::ill(service, said).because(format!("Declared are {declare}.")).fix(fix));
    }
    None
}

/// A targetPort by a number that no container declares, where they declare some.
fn undeclared(service: &Object, pods: &[&Object]) -> Option<Explanation> {
    let declared = declared(pods);
    let target = |port: &Value| port.get("targetPort").and_then(Value::as_i64);
    let known = |number: i64| declared.iter().any(|(port, _)| *port == number);
    let port =
        items_of(service, &["spec", "ports"]).find(|port| target(port).is_some_and(|it| !known(it)))?;
    if declared.is_empty() {
        return None;
    }
    let wrong = target(port)?;
    let words = port_words(&declared);
    let said = format!(
        "{} has ready endpoints, but its port {} leads to port {wrong} of its pods, which none of their containers \
         declares: they declare {}.",
        named(service),
        number(port, "port"),
        list(&words),
    );
    Some(
        Explanation::ill(service, said)
            .because("Unless something listens there nevertheless, connections are refused.")
            .fix(format!("Set its targetPort to {}, or declare port {wrong}.", either(&words))),
    )
}

/// Every port that containers of these pods declare, once.
fn declared<'a>(pods: &[&'a Object]) -> Vec<(i64, &'a str)> {
    let mut all: Vec<(i64, &str)> = Vec::new();
    for container in pods.iter().flat_map(|pod| container::all(pod)) {
        for port in ports(container.spec) {
            if !all.contains(&port) {
                all.push(port);
            }
        }
    }
    all
}

fn number(port: &Value, field: &str) -> i64 {
    port.get(field).and_then(Value::as_i64).unwrap_or_default()
}

/// The endpoints of a Service that count, as its slices have them.
fn endpoints(facts: &Facts, service: &Object) -> usize {
    let of = |slice: &&Object| {
        slice.namespace() == service.namespace()
            && slice.labels().any(|label| label == (SERVICE_NAME, service.name()))
    };
    let endpoints = facts.all("EndpointSlice").filter(of).flat_map(|slice| items_of(slice, &["endpoints"]));
    endpoints.filter(|endpoint| endpoint.pointer("/conditions/ready") != Some(&Value::Bool(false))).count()
}

fn by_hand(facts: &Facts, service: &Object) -> Explanation {
    let found = endpoints(facts, service);
    if found == 0 {
        let said = format!(
            "{} has no endpoints: it has no selector, and nobody has made an EndpointSlice for it.",
            named(service)
        );
        let fix = format!(
            "Give it a selector, or make an EndpointSlice with the label {SERVICE_NAME}={}.",
            service.name()
        );
        return Explanation::ill(service, said).fix(fix);
    }
    let is = verb(found, "is", "are");
    Explanation::well(
        service,
        format!(
            "{} is well: it has no selector, and {} {is} given to it by hand.",
            named(service),
            count(found, "endpoint")
        ),
    )
}

fn well(facts: &Facts, service: &Object, ready: usize, all: usize) -> Explanation {
    if facts.knows("EndpointSlice") && endpoints(facts, service) == 0 {
        let said = format!("{} has ready pods, which its EndpointSlices do not list yet.", named(service));
        let fix = "That takes a moment only; if it does not pass, see whether a master leads: `xctl cluster status`.";
        return Explanation::ill(service, said).fix(fix);
    }
    let address = match service.text(&["spec", "clusterIP"]) {
        "None" | "" => "its name".to_owned(),
        address => address.to_owned(),
    };
    let ports: Vec<String> =
        items_of(service, &["spec", "ports"]).map(|port| number(port, "port").to_string()).collect();
    let node_ports =
        items_of(service, &["spec", "ports"]).map(|port| number(port, "nodePort")).filter(|port| *port > 0);
    let node_ports: Vec<String> = node_ports.map(|port| port.to_string()).collect();
    let outside = match node_ports.as_slice() {
        [] => String::new(),
        ports => format!(", and port {} of every node,", list(ports)),
    };
    let said = format!(
        "{} is well: {address} on port {}{outside} reaches {ready} ready {} of {all}.",
        named(service),
        list(&ports),
        verb(ready, "pod", "pods"),
    );
    let said = if outside.is_empty() { said } else { said.replace("reaches", "reach") };
    let waits = service.text(&["spec", "type"]) == "LoadBalancer"
        && items(service.get(&["status", "loadBalancer"]).unwrap_or(&Value::Null), "/ingress")
            .next()
            .is_none();
    let explained = Explanation::well(service, said);
    if waits {
        return explained.because("Nobody gives load balancers in this cluster, so its external address stays pending: use the node port.");
    }
    explained
}
