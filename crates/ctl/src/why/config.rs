//! A ConfigMap or a Secret: who uses it, and whether it has what they ask of it. Keys are
//! named, values never.

use serde_json::Value;
use xebec_api::object::Object;

use super::explanation::Explanation;
use super::facts::Facts;
use super::uses::{self, Use};
use super::wording::{list, named, verb};

/// Whose templates are looked at beside pods.
const MAKERS: [&str; 4] = ["Deployment", "DaemonSet", "StatefulSet", "ReplicaSet"];

/// Why it is as it is.
pub(super) fn explain(facts: &Facts, object: &Object) -> Explanation {
    let keys = |field: &str| object.get(&[field]).and_then(Value::as_object).map_or(0, serde_json::Map::len);
    let has = match keys("data") + keys("binaryData") {
        0 => "has no keys".to_owned(),
        1 => "has 1 key".to_owned(),
        many => format!("has {many} keys"),
    };
    let users = users(facts, object);
    if users.is_empty() {
        let said =
            format!("{} {has}, and nothing in namespace {} uses it.", named(object), object.namespace());
        return Explanation::well(object, said);
    }
    let names: Vec<String> = users.iter().map(|user| user.name.clone()).collect();
    let lacking = users.iter().find_map(|user| Some((&user.name, user.lacks.as_ref()?)));
    if let Some((name, key)) = lacking {
        let said = format!("{} {has}, but not {key}, which {name} asks for.", named(object));
        let fix = format!("Add the key {key}, or correct it in {name}.");
        return Explanation::ill(object, said).because(used(&names)).fix(fix);
    }
    Explanation::well(object, format!("{} is well: it {has}, with all that is asked of it.", named(object)))
        .because(used(&names))
}

fn used(names: &[String]) -> String {
    format!("It is used by {}.", list(names))
}

/// Who uses it, and the key that is missing.
struct User {
    name: String,
    lacks: Option<String>,
}

fn users(facts: &Facts, object: &Object) -> Vec<User> {
    let mut users: Vec<User> = Vec::new();
    for kind in MAKERS {
        for maker in facts.within(kind, object.namespace()) {
            // A ReplicaSet of a Deployment says nothing that the Deployment does not.
            let owned = maker.controller_uid().is_some();
            let spec = maker.get(&["spec", "template", "spec"]).filter(|_| !owned);
            users.extend(spec.and_then(|spec| user(named(maker), object, &uses::of_spec(spec))));
        }
    }
    for pod in facts.within("Pod", object.namespace()) {
        if pod.controller_uid().is_none() {
            users.extend(user(named(pod), object, &uses::uses(pod)));
        }
    }
    if object.kind() == "Secret" {
        let ingresses = facts.within("Ingress", object.namespace()).into_iter();
        let using = ingresses.filter(|ingress| uses::ingress_uses(ingress, object.name()));
        users.extend(using.map(|ingress| User { name: named(ingress), lacks: None }));
    }
    users
}

fn user(name: String, object: &Object, uses: &[Use<'_>]) -> Option<User> {
    let mut own = uses.iter().filter(|it| it.kind == object.kind() && it.name == object.name()).peekable();
    own.peek()?;
    let has = |key: &str| ["data", "binaryData"].iter().any(|field| object.get(&[field, key]).is_some());
    let lacks = own.find(|it| !it.optional && it.key.is_some_and(|key| !has(key)));
    Some(User { name, lacks: lacks.and_then(|it| it.key).map(str::to_owned) })
}

/// Said where one is asked about that is not there: who waits for it.
pub(super) fn wanted_by(facts: &Facts, kind: &str, namespace: &str, name: &str) -> Option<String> {
    let mut wanted = Object::default();
    wanted.set(&["kind"], kind);
    wanted.set(&["metadata", "name"], name);
    wanted.set(&["metadata", "namespace"], namespace);
    let names: Vec<String> = users(facts, &wanted).into_iter().map(|user| user.name).collect();
    (!names.is_empty()).then(|| format!("{} {} it.", list(&names), verb(names.len(), "asks for", "ask for")))
}
