//! Any kind: its metadata, then every field as it stands, indented. The data of Secrets is
//! shown as sizes only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use xebec_api::object::Object;

use super::page::{Page, scalar};

/// Describes it.
pub(super) fn describe(object: &Object, page: &mut Page) {
    page.head(object);
    let (is_secret, is_config) = (object.kind() == "Secret", object.kind() == "ConfigMap");
    for (key, value) in object.as_map() {
        match key.as_str() {
            "metadata" | "kind" | "apiVersion" => {}
            "data" | "stringData" if is_secret => sizes("Data", key == "data", value, page),
            "data" if is_config => texts(value, page),
            "binaryData" if is_config => sizes("Binary Data", true, value, page),
            _ => self::value(&title(key), value, page),
        }
    }
}

/// What a ConfigMap holds, by its keys as they are written.
fn texts(data: &Value, page: &mut Page) {
    page.section("Data", |page| {
        for (name, value) in data.as_object().into_iter().flatten() {
            page.field(name, scalar(Some(value)));
        }
    });
}

fn sizes(heading: &str, is_encoded: bool, data: &Value, page: &mut Page) {
    page.section(heading, |page| {
        for (name, value) in data.as_object().into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            let length =
                if is_encoded { STANDARD.decode(text).map_or(0, |bytes| bytes.len()) } else { text.len() };
            page.line(format!("{name}: {length} bytes"));
        }
    });
}

/// One value and all under it.
fn value(name: &str, value: &Value, page: &mut Page) {
    match value {
        Value::Object(map) if map.is_empty() => page.field(name, "{}"),
        Value::Object(map) => page.section(name, |page| {
            for (key, inner) in map {
                self::value(&title(key), inner, page);
            }
        }),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            let items: Vec<String> = items.iter().map(|item| scalar(Some(item))).collect();
            page.field(name, items.join(", "));
        }
        Value::Array(items) => page.section(name, |page| {
            for (index, item) in items.iter().enumerate() {
                let own = item.get("name").or_else(|| item.get("type")).and_then(Value::as_str);
                self::value(&own.map_or_else(|| (index + 1).to_string(), str::to_owned), item, page);
            }
        }),
        _ => page.field(name, scalar(Some(value))),
    }
}

/// `nodeSelector` as `Node Selector`; keys that are no identifiers stay as they are.
fn title(key: &str) -> String {
    if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric()) {
        return key.to_owned();
    }
    let mut title = String::new();
    let mut after_capital = true;
    for (index, letter) in key.chars().enumerate() {
        if index == 0 {
            title.extend(letter.to_uppercase());
            continue;
        }
        if letter.is_ascii_uppercase() && !after_capital {
            title.push(' ');
        }
        after_capital = letter.is_ascii_uppercase();
        title.push(letter);
    }
    title
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn described(value: &Value) -> String {
        let object = Object::from_json(value.to_string().as_bytes()).expect("an object");
        let mut page = Page::default();
        describe(&object, &mut page);
        page.finish()
    }

    #[test]
    fn a_secret_shows_sizes_and_never_values() {
        let last = json!({"data": {"password": "dGhyZWUtbWFzdHM="}}).to_string();
        let text = described(&json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "redis", "namespace": "default",
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": last, "note": "mine"}},
            "data": {"password": "dGhyZWUtbWFzdHM="},
        }));
        expect![[r"
            Name:             redis
            Namespace:        default
            Labels:           <none>
            Annotations:      note=mine
            Data:
              password: 11 bytes
            Type:             Opaque
        "]]
        .assert_eq(&text);
    }

    #[test]
    fn what_others_wrote_does_not_paint_the_terminal() {
        let text = described(&json!({
            "kind": "ConfigMap", "metadata": {"name": "x", "annotations": {"note": "\u{1b}[2Jgone"}},
            "data": {"banner": "one\n\u{1b}]0;title\u{7}two"},
        }));
        expect![[r"
            Name:             x
            Labels:           <none>
            Annotations:      note=^[[2Jgone
            Data:
              banner:         one
                              ^[]0;title^Gtwo
        "]]
        .assert_eq(&text);
    }

    #[test]
    fn any_kind_is_shown_whole() {
        let text = described(&json!({
            "apiVersion": "x/v1", "kind": "Ship", "metadata": {"name": "x", "labels": {"a": "b", "c": "d"}},
            "spec": {"mastCount": 3, "crew": [{"name": "Ann", "age": 30}], "ports": ["a", "b"], "hold": {}},
        }));
        expect![[r"
            Name:             x
            Labels:           a=b
                              c=d
            Annotations:      <none>
            Spec:
              Crew:
                Ann:
                  Age:        30
                  Name:       Ann
              Hold:           {}
              Mast Count:     3
              Ports:          a, b
        "]]
        .assert_eq(&text);
    }
}
