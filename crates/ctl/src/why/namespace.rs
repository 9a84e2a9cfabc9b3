//! A Namespace: while it is on its way out, what is left in it.

use std::collections::BTreeMap;

use xebec_api::object::Object;
use xebec_api::table;

use super::explanation::Explanation;
use super::facts::Facts;
use super::wording::{items_of, list, named, since};

/// Why it is as it is.
pub(super) fn explain(facts: &Facts, namespace: &Object) -> Explanation {
    if !namespace.is_terminating() {
        let since = since(namespace.text(&["metadata", "creationTimestamp"]), facts.now);
        return Explanation::well(
            namespace,
            format!("{} is well: it has been there{since}.", named(namespace)),
        );
    }
    let ago = since(namespace.text(&["metadata", "deletionTimestamp"]), facts.now);
    let lead = format!("{} has been terminating{ago}", named(namespace));
    let mut left: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for row in table::all().iter().filter(|row| row.namespaced && row.kind != "Event") {
        let objects = facts.within(row.kind, namespace.name());
        if !objects.is_empty() {
            left.insert(row.plural, objects);
        }
    }
    if left.is_empty() {
        return Explanation::ill(
            namespace,
            format!("{lead}, and nothing is left in it: it goes in a moment."),
        );
    }
    let kinds: Vec<String> = left
        .iter()
        .map(|(plural, objects)| {
            let names: Vec<&str> = objects.iter().map(|object| object.name()).collect();
            format!("{plural} {}", list(&names))
        })
        .collect();
    let explained = Explanation::ill(
        namespace,
        format!("{lead}: it goes when what is in it has gone, which are {}.", list(&kinds)),
    );
    let held =
        left.values().flatten().find(|object| items_of(object, &["metadata", "finalizers"]).next().is_some());
    match held {
        Some(held) => explained.follow(super::terminating::any(facts, held)),
        None => {
            // Nothing else goes before the pods have.
            let pods = left.get("pods").into_iter().flatten();
            let first = pods.chain(left.values().flatten()).next().expect("something is left");
            let word = first.kind().to_ascii_lowercase();
            explained.fix(format!("See `xctl why {word}/{} -n {}`.", first.name(), namespace.name()))
        }
    }
}
