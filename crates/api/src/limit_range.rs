//! LimitRanges: what the containers and pods of a namespace get when they ask for nothing, and what they may ask
//! for. Pure; the words are those of Kubernetes' LimitRanger.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::object::Object;
use crate::pod::{is_sidecar, list};
use crate::quantity::Quantity;

/// Where a pod says what it was given.
const GIVEN: &str = "kubernetes.io/limit-ranger";

/// The lists of a pod's containers, and what one of each is called.
const LISTS: [(&str, &str); 2] = [("containers", "container"), ("initContainers", "init container")];

type Amounts = BTreeMap<String, Quantity>;

/// Gives the containers of a new pod what the ranges of its namespace have for those that ask for nothing, and says
/// so in an annotation. Whether anything was given.
pub fn give_defaults(ranges: &[Object], pod: &mut Object) -> bool {
    let mut given = Vec::new();
    for item in ranges.iter().flat_map(|range| list(range, &["spec", "limits"])) {
        if kind_of(item) == "Container" {
            give(item, pod, &mut given);
        }
    }
    if !given.is_empty() {
        let text = format!("LimitRanger plugin set: {}", given.join("; "));
        pod.set(&["metadata", "annotations", GIVEN], text);
    }
    !given.is_empty()
}

fn give(item: &Value, pod: &mut Object, given: &mut Vec<String>) {
    let Some(spec) = pod.as_map_mut().get_mut("spec").and_then(Value::as_object_mut) else { return };
    for (field, what) in LISTS {
        let containers = spec.get_mut(field).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            for (from, to, word) in
                [("defaultRequest", "requests", "request"), ("default", "limits", "limit")]
            {
                let Some(defaults) = item.get(from).and_then(Value::as_object) else { continue };
                let set = fill(container, to, defaults);
                if !set.is_empty() {
                    given.push(format!("{} {word} for {what} {name}", set.join(", ")));
                }
            }
        }
    }
}

/// Sets what is not set, and says what that was.
fn fill<'a>(
    container: &mut Map<String, Value>,
    field: &str,
    defaults: &'a Map<String, Value>,
) -> Vec<&'a str> {
    let own = container.get("resources").and_then(|resources| resources.get(field));
    let is_absent = |name: &&str| own.and_then(|amounts| amounts.get(*name)).is_none();
    let set: Vec<&str> = defaults.keys().map(String::as_str).filter(is_absent).collect();
    let resources = container.entry("resources").or_insert_with(|| Value::Object(Map::new()));
    for name in &set {
        resources[field][*name] = defaults[*name].clone();
    }
    set
}

/// What a pod asks for that the ranges of its namespace do not let it.
#[must_use]
pub fn broken_by_pod(ranges: &[Object], pod: &Object) -> Vec<String> {
    let mut broken = Vec::new();
    for item in ranges.iter().flat_map(|range| list(range, &["spec", "limits"])) {
        match kind_of(item) {
            "Container" => {
                for container in LISTS.iter().flat_map(|(field, _)| list(pod, &["spec", *field])) {
                    let asked =
                        Asked { requests: of(container, "requests"), limits: of(container, "limits") };
                    asked.check(item, &mut broken);
                }
            }
            "Pod" => Asked { requests: total(pod, "requests"), limits: total(pod, "limits") }
                .check(item, &mut broken),
            _ => {}
        }
    }
    broken
}

/// What a PersistentVolumeClaim asks for that the ranges of its namespace do not let it.
#[must_use]
pub fn broken_by_claim(ranges: &[Object], claim: &Object) -> Vec<String> {
    let mut broken = Vec::new();
    let requests = amounts(claim.get(&["spec", "resources", "requests"]));
    for item in ranges.iter().flat_map(|range| list(range, &["spec", "limits"])) {
        if kind_of(item) == "PersistentVolumeClaim" {
            // A claim has no limit: what it asks for is both.
            Asked { requests: requests.clone(), limits: requests.clone() }.check(item, &mut broken);
        }
    }
    broken
}

fn kind_of(item: &Value) -> &str {
    item.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn amounts(list: Option<&Value>) -> Amounts {
    let list = list.and_then(Value::as_object).into_iter().flatten();
    list.filter_map(|(name, amount)| Some((name.clone(), Quantity::parse(amount.as_str()?).ok()?))).collect()
}

/// The requests or limits of a container.
fn of(container: &Value, field: &str) -> Amounts {
    amounts(container.get("resources").and_then(|resources| resources.get(field)))
}

/// Those of a whole pod: of all that runs at once, or of what starts it, whichever is more.
pub(crate) fn total(pod: &Object, field: &str) -> Amounts {
    let (mut running, mut starting) = (Amounts::new(), Amounts::new());
    for container in list(pod, &["spec", "initContainers"]) {
        let mut peak = running.clone();
        add(&mut peak, &of(container, field));
        if is_sidecar(container) {
            running.clone_from(&peak);
        }
        for (name, amount) in peak {
            let slot = starting.entry(name).or_insert(amount);
            if *slot < amount {
                *slot = amount;
            }
        }
    }
    for container in list(pod, &["spec", "containers"]) {
        add(&mut running, &of(container, field));
    }
    for (name, amount) in starting {
        let slot = running.entry(name).or_insert(amount);
        if *slot < amount {
            *slot = amount;
        }
    }
    running
}

fn add(to: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        to.entry(name.clone()).and_modify(|sum| *sum = *sum + *amount).or_insert(*amount);
    }
}

/// What is asked for, of a container or of a pod.
struct Asked {
    requests: Amounts,
    limits: Amounts,
}

impl Asked {
    fn check(&self, item: &Value, broken: &mut Vec<String>) {
        let kind = kind_of(item);
        for (name, least) in amounts(item.get("min")) {
            let why = self.below(&name, least);
            broken.extend(why.map(|why| format!("minimum {name} usage per {kind} is {least}{why}")));
        }
        for (name, most) in amounts(item.get("max")) {
            let why =
                self.above(&name, most, if kind == "PersistentVolumeClaim" { "request" } else { "limit" });
            broken.extend(why.map(|why| format!("maximum {name} usage per {kind} is {most}{why}")));
        }
        for (name, most) in amounts(item.get("maxLimitRequestRatio")) {
            let why = self.steeper(&name, most);
            broken.extend(
                why.map(|why| format!("{name} max limit to request ratio per {kind} is {most}, but {why}")),
            );
        }
    }

    fn below(&self, name: &str, least: Quantity) -> Option<String> {
        let (request, limit) = (self.requests.get(name), self.limits.get(name));
        match (request, limit) {
            (None, _) => Some(".  No request is specified".to_owned()),
            (Some(request), _) if *request < least => Some(format!(", but request is {request}")),
            (_, Some(limit)) if *limit < least => Some(format!(", but limit is {limit}")),
            _ => None,
        }
    }

    /// `word` is what the most that is asked for is called.
    fn above(&self, name: &str, most: Quantity, word: &str) -> Option<String> {
        let (request, limit) = (self.requests.get(name), self.limits.get(name));
        match (limit, request) {
            (None, _) => Some(format!(".  No {word} is specified")),
            (Some(limit), _) if *limit > most => Some(format!(", but {word} is {limit}")),
            (_, Some(request)) if *request > most => Some(format!(", but request is {request}")),
            _ => None,
        }
    }

    fn steeper(&self, name: &str, most: Quantity) -> Option<String> {
        let some = |amount: Option<&Quantity>| amount.copied().filter(|amount| !amount.is_zero());
        let Some(request) = some(self.requests.get(name)) else {
            return Some("no request is specified or request is 0".to_owned());
        };
        let Some(limit) = some(self.limits.get(name)) else {
            return Some("no limit is specified or limit is 0".to_owned());
        };
        let over = limit.millis() * 1000 > request.millis() * most.millis();
        over.then(|| format!("provided ratio is {}", ratio(limit, request)))
    }
}

/// With six places, as Kubernetes writes it.
fn ratio(limit: Quantity, request: Quantity) -> String {
    let millionths = limit.millis() * 1_000_000 / request.millis();
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Object {
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    fn range(limits: Value) -> [Object; 1] {
        [object(&json!({"spec": {"limits": [limits]}}))]
    }

    fn pod(containers: Value, init: Value) -> Object {
        object(
            &json!({"metadata": {"name": "a"}, "spec": {"containers": containers, "initContainers": init}}),
        )
    }

    fn container(name: &str, requests: Value, limits: Value) -> Value {
        json!({"name": name, "resources": {"requests": requests, "limits": limits}})
    }

    #[test]
    fn who_asks_for_nothing_is_given_the_defaults() {
        let ranges = range(json!({"type": "Container", "default": {"cpu": "1", "memory": "1Gi"},
            "defaultRequest": {"cpu": "100m"}}));
        let own = container("own", json!({"cpu": "2"}), json!({"cpu": "3", "memory": "1Mi"}));
        let mut made = pod(json!([{"name": "a"}, own]), json!([{"name": "i", "resources": {}}]));
        assert!(give_defaults(&ranges, &mut made));
        expect![[r#"
            {"initContainers":[{"name":"i","resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"100m"}}}],"containers":[{"name":"a","resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"100m"}}},{"name":"own","resources":{"limits":{"cpu":"3","memory":"1Mi"},"requests":{"cpu":"2"}}}]}
            LimitRanger plugin set: cpu request for container a; cpu, memory limit for container a; cpu request for init container i; cpu, memory limit for init container i
        "#]]
        .assert_eq(&format!(
            "{{\"initContainers\":{},\"containers\":{}}}\n{}\n",
            made.get(&["spec", "initContainers"]).expect("a list"),
            made.get(&["spec", "containers"]).expect("a list"),
            made.annotation(GIVEN).expect("it is said")
        ));
        let before = made.clone();
        assert!(!give_defaults(&ranges, &mut made));
        assert_eq!(made, before, "there is nothing left to give");
    }

    #[test]
    fn what_is_not_within_the_range_is_named() {
        let told = |limits: Value, pod: &Object| broken_by_pod(&range(limits), pod).join("\n") + "\n";
        let cpu = |request: &str, limit: &str| container("a", json!({"cpu": request}), json!({"cpu": limit}));
        let item = json!({"type": "Container", "min": {"cpu": "100m"}, "max": {"cpu": "2"},
            "maxLimitRequestRatio": {"cpu": "3"}});
        let containers =
            json!([cpu("200m", "600m"), cpu("50m", "100m"), cpu("1", "3"), cpu("300m", "1"), {"name": "b"}]);
        expect![[r#"
            minimum cpu usage per Container is 100m, but request is 50m
            maximum cpu usage per Container is 2, but limit is 3
            cpu max limit to request ratio per Container is 3, but provided ratio is 3.333333
            minimum cpu usage per Container is 100m.  No request is specified
            maximum cpu usage per Container is 2.  No limit is specified
            cpu max limit to request ratio per Container is 3, but no request is specified or request is 0
        "#]]
        .assert_eq(&told(item, &pod(containers, json!([]))));
        let whole = pod(json!([cpu("1", "1"), cpu("500m", "1")]), json!([cpu("3", "3")]));
        expect![[r#"
            maximum cpu usage per Pod is 2500m, but limit is 3
        "#]]
        .assert_eq(&told(json!({"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "2500m"}}), &whole));
        assert_eq!(told(json!({"type": "PersistentVolumeClaim", "max": {"cpu": "1"}}), &whole), "\n");
    }

    #[test]
    fn claims_have_ranges_too() {
        let claim =
            |storage: &str| object(&json!({"spec": {"resources": {"requests": {"storage": storage}}}}));
        let ranges = range(
            json!({"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}),
        );
        let small = ["minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi"];
        let large = ["maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"];
        assert_eq!(broken_by_claim(&ranges, &claim("1Mi")), small);
        assert_eq!(broken_by_claim(&ranges, &claim("3Gi")), large);
        assert!(broken_by_claim(&ranges, &claim("2Gi")).is_empty());
    }
}
