//! What paths and templates find, as in the documentation of kubectl.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn pods() -> Value {
    json!({"kind": "List", "items": [
        {"metadata": {"name": "a", "labels": {"example.com/tier": "front"}}, "status": {"restarts": 2,
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "False"}]}},
        {"metadata": {"name": "b"}, "status": {"restarts": 0, "conditions": [{"type": "Ready", "status": "False"}]}},
        {"metadata": {"name": "c"}, "spec": {"on": true}},
    ]})
}

fn found(path: &str) -> String {
    Path::parse(path).map_or_else(|error| error, |path| path.text(&pods()))
}

#[test]
fn paths_lead_where_kubectls_do() {
    let cases = [
        ("{.kind}", "List"),
        ("kind", "List"),
        ("$.kind", "List"),
        (".items[*].metadata.name", "a b c"),
        (".items[0].metadata.name", "a"),
        (".items[-1].metadata.name", "c"),
        (".items[].metadata.name", "a"),
        (".items[0:2].metadata.name", "a b"),
        (".items[1:].metadata.name", "b c"),
        (".items[0,2].metadata.name", "a c"),
        (".items[0]['metadata']['name']", "a"),
        (".items[0].metadata['name', 'labels']", "a {\"example.com/tier\":\"front\"}"),
        (r".items[0].metadata.labels.example\.com/tier", "front"),
        ("..name", "a b c"),
        (".items[?(@.metadata.name==\"b\")].status.restarts", "0"),
        (".items[?(@.status.restarts>0)].metadata.name", "a"),
        (".items[?(@.spec.on==true)].metadata.name", "c"),
        (".items[?(@.spec)].metadata.name", "c"),
        (".items[*].status.conditions[?(@.type=='Ready')].status", "True False"),
        (".items[9].metadata.name", ""),
        (".nothing.there", ""),
        (".items[2].spec.*", "true"),
    ];
    for (path, expected) in cases {
        assert_eq!(found(path), expected, "{path}");
    }
}

#[test]
fn what_is_no_path_is_told_by_place() {
    let cases = [
        (".items[", "\".items[\": its end is not expected at character 8"),
        (".items[x]", "\".items[x]\": 'x' is not expected at character 8"),
        (".a b", "\".a b\": ' ' is not expected at character 3"),
        (".a[?(b)]", "\".a[?(b)]\": 'b' is not expected at character 6"),
        (".a[?(@.b==c)]", "\".a[?(@.b==c)]\": \"c\" is no value: put it in quotes"),
        ("{.a}{.b}", "\"{.a}{.b}\": write one path, such as .metadata.name"),
    ];
    for (path, error) in cases {
        assert_eq!(found(path), error);
    }
    let deep = format!("{}@{}", ".a[?(@".repeat(40), ")]".repeat(40));
    assert!(Path::parse(&deep).is_err());
}

#[test]
fn templates_print_texts_and_ranges() {
    let print = |text: &str| Template::parse(text).map_or_else(|error| error, |it| it.print(&pods()));
    assert_eq!(print("{.kind}: {.items[*].metadata.name}!"), "List: a b c!");
    assert_eq!(
        print(r#"{range .items[*]}{.metadata.name}{"\t"}{.status.restarts}{"\n"}{end}"#),
        "a\t2\nb\t0\nc\t\n"
    );
    assert_eq!(
        print("{range .items[*]}{range .status.conditions[*]}{.type},{end};{end}"),
        "Ready,Initialized,;Ready,;;"
    );
    assert_eq!(print(".kind"), "List");
    assert_eq!(print(r#"{"}"}{.kind}"#), "}List");
    assert_eq!(print("{range .items[*]}{.kind}"), "{range PATH} without an {end}");
    assert_eq!(print("{end}"), "{end} without a {range PATH} before it");
    assert_eq!(print("{.kind"), "\"{.kind\": a brace is not closed");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r#"[\.\[\]\{\}\*@\$\?\(\)=!<>'" a-c0-3:,\\-]{0,40}"#) {
        let _ = Path::parse(&text).map(|path| path.text(&pods()));
        let _ = Template::parse(&text).map(|template| template.print(&pods()));
    }
}
