//! What was probably meant: the name or the labels that are nearest to the ones written.

use xebec_api::object::Object;

/// Farther than this, relative to the length, is another word.
const NEAR: f64 = 0.6;

/// The name among these that is nearest, if one is near at all.
pub(crate) fn name<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names.into_iter().map(|name| (likeness(written, name), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))?;
    (best.0 >= NEAR).then_some(best.1)
}

/// How like two words are, from 0 to 1. One that begins with the other is like it.
fn likeness(a: &str, b: &str) -> f64 {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let begins = if !short.is_empty() && long.starts_with(short) { NEAR } else { 0.0 };
    strsim::normalized_damerau_levenshtein(a, b).max(begins)
}

/// The labels nearest to a selector, as `app=web`, and how many of these objects have them.
/// `None` where none of them has anything like it.
pub(super) fn labels(selector: &[(&str, &str)], objects: &[&Object]) -> Option<(String, Vec<String>)> {
    let scored = objects.iter().map(|object| (score(selector, object), object));
    let scored = scored.filter(|(score, _)| *score > 0.0);
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.name().cmp(a.1.name())))?;
    let nearest = nearest_pairs(selector, best.1);
    let has = |object: &&Object| nearest.iter().all(|pair| object.labels().any(|label| label == *pair));
    let names = objects.iter().copied().filter(has).map(|object| object.name().to_owned()).collect();
    let pairs: Vec<String> = nearest.iter().map(|(key, value)| format!("{key}={value}")).collect();
    Some((pairs.join(","), names))
}

/// How much of a selector an object fulfils, each pair from 0 to 1.
fn score(selector: &[(&str, &str)], object: &Object) -> f64 {
    let pair = |(key, value): &(&str, &str)| best_pair(key, value, object).map_or(0.0, |(score, _)| score);
    let scores = selector.iter().map(pair);
    let scores: Vec<f64> = scores.collect();
    if scores.iter().all(|score| *score < NEAR) { 0.0 } else { scores.iter().sum() }
}

fn best_pair<'a>(key: &str, value: &str, object: &'a Object) -> Option<(f64, (&'a str, &'a str))> {
    let scored = object.labels().map(|label| (likeness(key, label.0) * likeness(value, label.1), label));
    scored.max_by(|a, b| a.0.total_cmp(&b.0))
}

/// Of each pair of the selector, the label that stands for it.
fn nearest_pairs<'a>(selector: &[(&str, &str)], object: &'a Object) -> Vec<(&'a str, &'a str)> {
    let nearest = selector.iter().filter_map(|(key, value)| best_pair(key, value, object));
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for (_, pair) in nearest {
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, labels: &serde_json::Value) -> Object {
        let mut pod = Object::default();
        pod.set(&["metadata"], json!({"name": name, "labels": labels}));
        pod
    }

    #[test]
    fn the_nearest_is_found_and_what_is_not_near_is_not() {
        assert_eq!(name("websiet", ["webshop", "website", "api"]), Some("website"));
        assert_eq!(name("web", ["website", "db"]), Some("website"));
        assert_eq!(name("shop", ["db"]), None);
        let pods = [
            pod("w1", &json!({"app": "web", "tier": "front"})),
            pod("w2", &json!({"app": "web", "tier": "back"})),
            pod("db", &json!({"role": "db"})),
        ];
        let pods: Vec<&Object> = pods.iter().collect();
        let found = |selector: &[(&str, &str)]| labels(selector, &pods);
        assert_eq!(found(&[("app", "wbe")]), Some(("app=web".into(), vec!["w1".into(), "w2".into()])));
        assert_eq!(
            found(&[("app", "web"), ("tier", "bakc")]),
            Some(("app=web,tier=back".into(), vec!["w2".into()]))
        );
        assert_eq!(found(&[("ap", "web")]), Some(("app=web".into(), vec!["w1".into(), "w2".into()])));
        assert_eq!(found(&[("example.com/x", "y")]), None);
    }
}
