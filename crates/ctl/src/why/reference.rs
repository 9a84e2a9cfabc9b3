//! A container that waits for a ConfigMap, a Secret or a key in one of them, in a variable
//! or in a volume. Names and keys are told, never values.

use serde_json::Value;
use xebec_api::object::Object;

use super::container::Container;
use super::explanation::Explanation;
use super::facts::Facts;
use super::near;
use super::uses::{Use, uses};
use super::wording::{list, named, quoted};

/// A variable names something that is not there.
pub(super) fn explain(facts: &Facts, pod: &Object, container: &Container<'_>) -> Explanation {
    let lead = format!("{} cannot start its {}: ", named(pod), container.named());
    match missing(facts, pod, container) {
        Some((what, fix)) => Explanation::ill(pod, format!("{lead}{what}.")).fix(fix),
        None => Explanation::ill(pod, format!("{lead}{}.", quoted(container.says("/state/waiting/message"))))
            .fix("Correct the pod's manifest; the container starts by itself once it fits."),
    }
}

/// A volume cannot be filled. `None` where nothing was said of it yet.
pub(super) fn volume(facts: &Facts, pod: &Object, container: &Container<'_>) -> Option<Explanation> {
    let event = facts.last_event(pod, "FailedMount")?;
    let lead = format!("{} cannot start its {}: ", named(pod), container.named());
    if let Some((what, fix)) = missing(facts, pod, container) {
        return Some(Explanation::ill(pod, format!("{lead}{what}.")).fix(fix));
    }
    Some(Explanation::ill(pod, format!("{lead}{}.", quoted(event.text(&["message"])))))
}

/// What a container uses and is not there, and what would help.
fn missing(facts: &Facts, pod: &Object, container: &Container<'_>) -> Option<(String, String)> {
    let namespace = pod.namespace();
    uses(pod)
        .into_iter()
        .filter(|it| !it.optional && it.container.is_none_or(|name| name == container.name()))
        .find_map(|it| lacking(facts, namespace, &it))
}

fn lacking(facts: &Facts, namespace: &str, it: &Use<'_>) -> Option<(String, String)> {
    let how = &it.how;
    if facts.lacks(it.kind, namespace, it.name) {
        let names = facts.within(it.kind, namespace).into_iter().map(Object::name);
        let near = near::name(it.name, names);
        let guess = near.map(|near| format!(", though there is one named {near}")).unwrap_or_default();
        let what = format!("{how} is to come from the {} {}, which is not there{guess}", it.kind, it.name);
        let word = it.kind.to_ascii_lowercase();
        return Some((
            what,
            format!(
                "Create the {} {}, or correct the name in the pod's manifest: {}.",
                it.kind,
                it.name,
                create(&word, it)
            ),
        ));
    }
    let object = facts.find(it.kind, namespace, it.name)?;
    let keys = keys(object);
    let key = it.key.filter(|key| !keys.contains(key))?;
    let has = if keys.is_empty() { "has no keys at all".to_owned() } else { format!("has {}", list(&keys)) };
    let what = format!("{how} is to come from the key {key} of the {} {}, which {has}", it.kind, it.name);
    let near = near::name(key, keys.iter().copied());
    let guess = near.map(|near| format!(" (to {near}?)")).unwrap_or_default();
    let fix =
        format!("Add the key {key} to the {}, or correct the key in the pod's manifest{guess}.", it.kind);
    Some((what, fix))
}

fn create(word: &str, it: &Use<'_>) -> String {
    let generic = if word == "secret" { " generic" } else { "" };
    let key = it.key.unwrap_or("KEY");
    format!("`xctl create {word}{generic} {} --from-literal {key}=VALUE`", it.name)
}

/// The keys of a ConfigMap or a Secret.
fn keys(object: &Object) -> Vec<&str> {
    let maps = ["data", "binaryData"].into_iter().filter_map(|field| object.get(&[field]));
    maps.filter_map(Value::as_object).flat_map(|map| map.keys().map(String::as_str)).collect()
}
