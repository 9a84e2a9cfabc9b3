//! How things are put: lists, numbers of things, amounts and ages.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::time;

/// Names in a list before it is cut.
const MOST_NAMED: usize = 4;

/// `Pod web`.
pub(super) fn named(object: &Object) -> String {
    format!("{} {}", object.kind(), object.name())
}

/// `1 pod`, `2 pods`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// `a`, `a and b`, `a, b and c`, `a, b, c, d and 3 more`.
pub(super) fn list<S: AsRef<str>>(items: &[S]) -> String {
    joined(items, "and")
}

/// `a`, `a or b`.
pub(super) fn either<S: AsRef<str>>(items: &[S]) -> String {
    joined(items, "or")
}

fn joined<S: AsRef<str>>(items: &[S], word: &str) -> String {
    let mut shown: Vec<String> = items.iter().take(MOST_NAMED).map(|item| item.as_ref().to_owned()).collect();
    if items.len() > MOST_NAMED {
        shown.push(format!("{} more", items.len() - MOST_NAMED));
    }
    match shown.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {word} {last}", rest.join(", ")),
    }
}

/// `has` or `have`, `is` or `are`: by how many there are.
pub(super) fn verb(number: usize, one: &'static str, many: &'static str) -> &'static str {
    if number == 1 { one } else { many }
}

/// How long ago a time is, `5m`; `None` where nobody said it.
pub(super) fn ago(then: &str, now: i64) -> Option<String> {
    time::parse(then).map(|_| time::age(then, now))
}

/// ` for 5m`, or nothing.
pub(super) fn since(then: &str, now: i64) -> String {
    ago(then, now).map(|age| format!(" for {age}")).unwrap_or_default()
}

/// An amount of a resource with its name: `1.5 CPUs`, `64Mi of memory`.
pub(super) fn amount(resource: &str, amount: i128) -> String {
    let bare = bare_amount(resource, amount);
    match (resource, amount) {
        ("cpu", 1000) => format!("{bare} CPU"),
        ("cpu", _) => format!("{bare} CPUs"),
        _ => format!("{bare} of {resource}"),
    }
}

/// The same without the name.
pub(super) fn bare_amount(resource: &str, amount: i128) -> String {
    match resource {
        "cpu" => cores(amount),
        "memory" | "ephemeral-storage" => bytes(amount),
        _ => amount.to_string(),
    }
}

/// Thousandths of a core as cores: `2`, `0.25`.
fn cores(millis: i128) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:03}", millis.abs() / 1000, millis.abs() % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Bytes with the largest suffix that leaves something before the point.
pub(super) fn bytes(amount: i128) -> String {
    const SUFFIXES: [&str; 5] = ["", "Ki", "Mi", "Gi", "Ti"];
    let mut unit = 0;
    while unit + 1 < SUFFIXES.len() && amount.abs() >= 1 << (10 * (unit + 1)) {
        unit += 1;
    }
    let one = 1_i128 << (10 * unit);
    // Rounded down: what is free is not made more than it is.
    let tenths = (amount % one) * 10 / one;
    let point = if tenths == 0 { String::new() } else { format!(".{}", tenths.abs()) };
    format!("{}{point}{}", amount / one, SUFFIXES[unit])
}

/// A text under a pointer; `""` for anything else.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a list under a pointer.
pub(super) fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The items of a list of an object.
pub(super) fn items_of<'a>(object: &'a Object, path: &[&str]) -> impl Iterator<Item = &'a Value> + use<'a> {
    object.get(path).and_then(Value::as_array).into_iter().flatten()
}

/// What somebody else said, as the end of a sentence of ours: on one line, without a last point.
pub(super) fn quoted(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_amounts_read_as_people_write_them() {
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a", "b", "c", "d", "e", "f"]), "a, b, c, d and 2 more");
        assert_eq!(either(&["a", "b"]), "a or b");
        assert_eq!((count(1, "pod").as_str(), count(0, "pod").as_str()), ("1 pod", "0 pods"));
        assert_eq!(amount("cpu", 64_000), "64 CPUs");
        assert_eq!(amount("cpu", 1000), "1 CPU");
        assert_eq!((amount("cpu", 1900), amount("cpu", -250)), ("1.9 CPUs".into(), "-0.25 CPUs".into()));
        assert_eq!(amount("example.com/gpu", 2), "2 of example.com/gpu");
        assert_eq!(amount("memory", 64 << 20), "64Mi of memory");
        assert_eq!(bytes((3 << 30) + (1 << 29)), "3.5Gi");
        assert_eq!((bytes(0), bytes(1023), bytes(-(1 << 20))), ("0".into(), "1023".into(), "-1Mi".into()));
        assert_eq!(quoted(" a\n b. "), "a b");
    }
}
