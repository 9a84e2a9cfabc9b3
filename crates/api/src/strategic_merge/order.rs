//! The order of a merged list: what the patch names stands as it names it; what only the
//! object has keeps its order, and its place before or behind those that it knew.

use serde_json::Value;

use super::items::Identity;

/// `merged` in order; `wish` names items, `old` is the list as it was.
pub(super) fn arrange(merged: Vec<Value>, wish: &[Value], old: &[Value], identity: &Identity) -> Vec<Value> {
    let wished = |item: &Value| wish.iter().position(|mention| identity.mentions(mention, item));
    let known = |item: &Value| old.iter().position(|other| identity.same(other, item));
    let (mut named, rest): (Vec<_>, Vec<_>) = merged.into_iter().partition(|item| wished(item).is_some());
    // Stable, for items that one mention stands for.
    named.sort_by_key(|item| wished(item));

    let mut named = named.into_iter().peekable();
    let mut rest = rest.into_iter().peekable();
    let mut arranged = Vec::with_capacity(named.len() + rest.len());
    loop {
        let rest_first = match (rest.peek(), named.peek()) {
            (None, None) => return arranged,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(left), Some(right)) => {
                known(left).zip(known(right)).is_some_and(|(left, right)| left < right)
            }
        };
        arranged.extend(if rest_first { rest.next() } else { named.next() });
    }
}
