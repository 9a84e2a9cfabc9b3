//! ResourceQuotas: what the objects of a namespace use, against what they may together. Pure; the names of what is
//! counted and the words are those of Kubernetes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::limit_range::total;
use crate::object::Object;
use crate::pod::{is_terminal, list, qos_class};
use crate::quantity::Quantity;
use crate::resource::Resource;
use crate::table;

/// How much of what.
pub type Amounts = BTreeMap<String, Quantity>;

/// What each container must ask for once a quota counts it.
const TO_BE_SAID: [(&str, &str, &str); 6] = [
    ("cpu", "requests", "cpu"),
    ("limits.cpu", "limits", "cpu"),
    ("limits.memory", "limits", "memory"),
    ("memory", "requests", "memory"),
    ("requests.cpu", "requests", "cpu"),
    ("requests.memory", "requests", "memory"),
];

/// What may be used of what the quota counts.
#[must_use]
pub fn hard(quota: &Object) -> Amounts {
    let hard = quota.get(&["spec", "hard"]).and_then(Value::as_object).into_iter().flatten();
    hard.filter_map(|(name, amount)| Some((name.clone(), Quantity::parse(amount.as_str()?).ok()?))).collect()
}

/// What is used of it. `list` gives the objects of the quota's namespace, by where they are stored.
#[must_use]
pub fn used(quota: &Object, list: impl Fn(&str) -> Vec<Object>) -> Amounts {
    let hard = hard(quota);
    let mut used: Amounts = hard.keys().map(|name| (name.clone(), Quantity::from_value(0))).collect();
    for row in table::all().iter().filter(|row| counts(&hard, row)) {
        let objects = list(&row.storage_name());
        for (name, amount) in objects.iter().filter(|it| covers(quota, row, it)).flat_map(|it| usage(row, it))
        {
            // What is not limited is nobody's concern.
            if let Some(sum) = used.get_mut(&name) {
                *sum = *sum + amount;
            }
        }
    }
    used
}

/// Whether a quota counts objects of a kind.
#[must_use]
pub fn counts_kind(quota: &Object, row: &Resource) -> bool {
    counts(&hard(quota), row)
}

fn counts(hard: &Amounts, row: &Resource) -> bool {
    let of_pods = |name: &str| {
        let computed = ["cpu", "memory", "ephemeral-storage", "pods"].contains(&name);
        let prefixed = ["requests.", "limits.", "hugepages-"].iter().any(|prefix| name.starts_with(prefix));
        computed || prefixed && name != "requests.storage"
    };
    let of_claims = |name: &str| name == "requests.storage" || name.contains(".storageclass.storage.k8s.io/");
    row.namespaced
        && hard.keys().any(|name| {
            *name == count_name(row)
                || match row.storage_name().as_str() {
                    "pods" => of_pods(name),
                    "services" => name == "services" || name.starts_with("services."),
                    "persistentvolumeclaims" => name == row.plural || of_claims(name),
                    "configmaps" | "secrets" | "replicationcontrollers" | "resourcequotas" => {
                        name == row.plural
                    }
                    _ => false,
                }
        })
}

/// `count/pods` or `count/deployments.apps`.
fn count_name(row: &Resource) -> String {
    if row.group.is_empty() {
        format!("count/{}", row.plural)
    } else {
        format!("count/{}.{}", row.plural, row.group)
    }
}

/// What one object uses.
#[must_use]
pub fn usage(row: &Resource, object: &Object) -> Amounts {
    let one = Quantity::from_value(1);
    let mut usage = Amounts::from([(count_name(row), one)]);
    match row.storage_name().as_str() {
        "pods" if is_terminal(object) => {}
        "pods" => {
            usage.insert("pods".to_owned(), one);
            of_pod(object, &mut usage);
        }
        "services" => {
            usage.insert("services".to_owned(), one);
            of_service(object, &mut usage);
        }
        "persistentvolumeclaims" => of_claim(object, &mut usage),
        "configmaps" | "secrets" | "replicationcontrollers" | "resourcequotas" => {
            usage.insert(row.plural.to_owned(), one);
        }
        _ => {}
    }
    usage
}

fn of_pod(pod: &Object, usage: &mut Amounts) {
    for (name, amount) in total(pod, "requests") {
        // What others bring along is counted by its longer name alone.
        if !name.contains('/') {
            usage.insert(name.clone(), amount);
        }
        usage.insert(format!("requests.{name}"), amount);
    }
    for (name, amount) in total(pod, "limits") {
        usage.insert(format!("limits.{name}"), amount);
    }
}

fn of_service(service: &Object, usage: &mut Amounts) {
    let balanced = service.text(&["spec", "type"]) == "LoadBalancer";
    let without = service.get(&["spec", "allocateLoadBalancerNodePorts"]) == Some(&Value::Bool(false));
    let exposed = balanced && !without || service.text(&["spec", "type"]) == "NodePort";
    let ports = if exposed { list(service, &["spec", "ports"]).count() } else { 0 };
    let ports = i64::try_from(ports).unwrap_or(i64::MAX);
    usage.insert("services.loadbalancers".to_owned(), Quantity::from_value(i64::from(balanced)));
    usage.insert("services.nodeports".to_owned(), Quantity::from_value(ports));
}

fn of_claim(claim: &Object, usage: &mut Amounts) {
    let storage = claim.text(&["spec", "resources", "requests", "storage"]);
    let mut used = vec![("persistentvolumeclaims", Quantity::from_value(1))];
    used.extend(Quantity::parse(storage).ok().map(|storage| ("requests.storage", storage)));
    let class = claim.text(&["spec", "storageClassName"]);
    for (name, amount) in used {
        usage.insert(name.to_owned(), amount);
        if !class.is_empty() {
            usage.insert(format!("{class}.storageclass.storage.k8s.io/{name}"), amount);
        }
    }
}

/// Whether an object is of the scopes of a quota: one that has any is for pods alone.
#[must_use]
pub fn covers(quota: &Object, row: &Resource, object: &Object) -> bool {
    let scopes = list(quota, &["spec", "scopes"]).filter_map(Value::as_str);
    let named = scopes.map(|scope| (scope, "Exists", Vec::new()));
    let selected = list(quota, &["spec", "scopeSelector", "matchExpressions"]).map(|expression| {
        let text = |key: &str| expression.get(key).and_then(Value::as_str).unwrap_or_default();
        let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
        (text("scopeName"), text("operator"), values.filter_map(Value::as_str).collect::<Vec<&str>>())
    });
    let is_pod = row.storage_name() == "pods";
    named.chain(selected).all(|(scope, operator, values)| is_pod && is_in(object, scope, operator, &values))
}

fn is_in(pod: &Object, scope: &str, operator: &str, values: &[&str]) -> bool {
    let ends = pod.get(&["spec", "activeDeadlineSeconds"]).is_some();
    let class = pod.text(&["spec", "priorityClassName"]);
    match scope {
        "Terminating" => ends,
        "NotTerminating" => !ends,
        "BestEffort" => qos_class(pod) == "BestEffort",
        "NotBestEffort" => qos_class(pod) != "BestEffort",
        "PriorityClass" => match operator {
            "In" => values.contains(&class),
            "NotIn" => !values.contains(&class),
            "DoesNotExist" => class.is_empty(),
            _ => !class.is_empty(),
        },
        _ => false,
    }
}

/// What must be asked for by containers of a pod, and is not: `must specify limits.cpu for: a,b; …`.
#[must_use]
pub fn unsaid(quota: &Object, pod: &Object) -> Option<String> {
    let hard = hard(quota);
    let mut unsaid = Vec::new();
    for (name, field, resource) in TO_BE_SAID.iter().filter(|(name, ..)| hard.contains_key(*name)) {
        let containers = list(pod, &["spec", "containers"]).chain(list(pod, &["spec", "initContainers"]));
        let silent = containers.filter(|container| {
            container.get("resources").and_then(|it| it.get(*field)?.get(*resource)).is_none()
        });
        let names: BTreeSet<&str> = silent.filter_map(|container| container.get("name")?.as_str()).collect();
        if !names.is_empty() {
            unsaid.push(format!("{name} for: {}", names.into_iter().collect::<Vec<_>>().join(",")));
        }
    }
    (!unsaid.is_empty()).then(|| format!("must specify {}", unsaid.join("; ")))
}

/// `used` and what is to come, unless that is more than the quota has: then what is asked for, used and allowed of
/// all that there is too little of.
///
/// # Errors
/// `requested: pods=1, used: pods=2, limited: pods=2`.
pub fn with(quota: &Object, mut used: Amounts, before: &Amounts, after: &Amounts) -> Result<Amounts, String> {
    let hard = hard(quota);
    let mut over: [Vec<String>; 3] = Default::default();
    for (name, most) in &hard {
        let zero = Quantity::from_value(0);
        let (old, new) =
            (before.get(name).copied().unwrap_or(zero), after.get(name).copied().unwrap_or(zero));
        if new <= old {
            continue;
        }
        let (more, now) = (new - old, used.get(name).copied().unwrap_or(zero));
        if now + more > *most {
            for (told, amount) in over.iter_mut().zip([more, now, *most]) {
                told.push(format!("{name}={amount}"));
            }
        }
        used.insert(name.clone(), now + more);
    }
    if over[0].is_empty() {
        return Ok(used);
    }
    let [requested, used, limited] = over.map(|told| told.join(","));
    Err(format!("requested: {requested}, used: {used}, limited: {limited}"))
}

/// Writes it into the quota's status.
pub fn tell(quota: &mut Object, used: &Amounts) {
    let used: Map<String, Value> =
        used.iter().map(|(name, it)| (name.clone(), json!(it.to_string()))).collect();
    let hard = quota.get(&["spec", "hard"]).cloned().unwrap_or_else(|| json!({}));
    quota.set(&["status", "hard"], hard);
    quota.set(&["status", "used"], used);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: &Value) -> Object {
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    fn quota(spec: Value) -> Object {
        object(&json!({"metadata": {"name": "q"}, "spec": spec}))
    }

    fn pod(requests: Value, limits: Value, phase: &str) -> Object {
        let containers = json!([{"name": "a", "resources": {"requests": requests, "limits": limits}}]);
        object(&json!({"spec": {"containers": containers}, "status": {"phase": phase}}))
    }

    fn world(resource: &str) -> Vec<Object> {
        match resource {
            "pods" => vec![
                pod(json!({"cpu": "100m", "memory": "1Gi", "x.io/gpu": "2"}), json!({"cpu": "1"}), "Running"),
                pod(json!({}), json!({}), "Running"),
                pod(json!({"cpu": "9"}), json!({}), "Succeeded"),
            ],
            "services" => vec![
                object(&json!({"spec": {"type": "NodePort", "ports": [{"port": 1}, {"port": 2}]}})),
                object(&json!({"spec": {"type": "LoadBalancer", "ports": [{"port": 1}]}})),
                object(&json!({"spec": {"type": "ClusterIP", "ports": [{"port": 1}]}})),
            ],
            "persistentvolumeclaims" => vec![object(
                &json!({"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "2Gi"}}}}),
            )],
            "apps/deployments" | "secrets" => vec![Object::default()],
            other => panic!("{other} is not counted"),
        }
    }

    fn shown(quota: &Object) -> String {
        let used = used(quota, world);
        used.iter().map(|(name, amount)| format!("{name}={amount}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn everything_is_counted_by_its_names() {
        let hard =
            |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), json!("5"))).collect::<Map<_, _>>();
        let of = |names: &[&str]| shown(&quota(json!({"hard": hard(names)})));
        assert_eq!(
            of(&["pods", "count/pods", "cpu", "requests.cpu", "limits.cpu", "memory", "requests.x.io/gpu"]),
            "count/pods=3 cpu=100m limits.cpu=1 memory=1Gi pods=2 requests.cpu=100m requests.x.io/gpu=2"
        );
        assert_eq!(
            of(&["services", "services.nodeports", "services.loadbalancers"]),
            "services=3 services.loadbalancers=1 services.nodeports=3"
        );
        assert_eq!(
            of(&[
                "persistentvolumeclaims",
                "requests.storage",
                "fast.storageclass.storage.k8s.io/requests.storage"
            ]),
            "fast.storageclass.storage.k8s.io/requests.storage=2Gi persistentvolumeclaims=1 requests.storage=2Gi"
        );
        assert_eq!(of(&["count/deployments.apps", "secrets"]), "count/deployments.apps=1 secrets=1");
        assert_eq!(of(&[]), "");
    }

    #[test]
    fn scopes_are_of_pods() {
        let of = |scopes: Value| shown(&quota(json!({"hard": {"pods": "5"}, "scopes": scopes})));
        assert_eq!([of(json!(["BestEffort"])), of(json!(["NotBestEffort"]))], ["pods=1", "pods=1"]);
        assert_eq!([of(json!(["Terminating"])), of(json!(["NotTerminating"]))], ["pods=0", "pods=2"]);
        let class = |operator: &str, values: Value| {
            let selector = json!([{"scopeName": "PriorityClass", "operator": operator, "values": values}]);
            let spec = json!({"hard": {"pods": "5"}, "scopeSelector": {"matchExpressions": selector}});
            let mut important = Object::default();
            important.set(&["spec", "priorityClassName"], "high");
            covers(&quota(spec), table::find("", "pods").expect("a row"), &important)
        };
        assert!(class("In", json!(["high"])) && class("Exists", json!([])) && class("NotIn", json!(["low"])));
        assert!(!class("In", json!(["low"])) && !class("DoesNotExist", json!([])));
    }

    #[test]
    fn what_is_too_much_is_said_with_what_there_is() {
        let quota = quota(json!({"hard": {"pods": "2", "requests.cpu": "1", "limits.memory": "1Gi"}}));
        let now = used(&quota, world);
        let row = table::find("", "pods").expect("a row");
        let usage = |cpu: &str| usage(row, &pod(json!({"cpu": cpu}), json!({}), "Pending"));
        let refused = with(&quota, now.clone(), &Amounts::new(), &usage("950m")).expect_err("too much");
        assert_eq!(
            refused,
            "requested: pods=1,requests.cpu=950m, used: pods=2,requests.cpu=100m, limited: pods=2,requests.cpu=1"
        );
        let changed = with(&quota, now, &usage("100m"), &usage("500m")).expect("it is one of those");
        assert_eq!(changed["requests.cpu"].to_string(), "500m");
        let silent = pod(json!({"cpu": "1"}), json!({}), "Pending");
        assert_eq!(unsaid(&quota, &silent).as_deref(), Some("must specify limits.memory for: a"));
        assert_eq!(unsaid(&quota, &pod(json!({"cpu": "1"}), json!({"memory": "1"}), "")), None);
    }

    #[test]
    fn the_status_says_both() {
        let mut told = quota(json!({"hard": {"pods": "5"}}));
        let now = used(&told, world);
        tell(&mut told, &now);
        assert_eq!(told.get(&["status"]), Some(&json!({"hard": {"pods": "5"}, "used": {"pods": "2"}})));
    }
}
