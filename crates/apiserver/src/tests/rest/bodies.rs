//! Bodies in every form, and those that are refused.

use serde_json::{Value, json};

use super::{Ask, Rest};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn json_yaml_and_bodies_without_a_type_are_read() {
    let rest = Rest::new().await;
    let map = |name: &str| json!({"metadata": {"name": name}, "data": {"a": "1"}}).to_string();
    for (name, content_type) in [
        ("a", "application/json"),
        ("b", ""),
        ("c", "application/json; charset=utf-8"),
        ("d", "application/yaml"),
    ] {
        let made = rest.ask(Ask::new("POST", MAPS).body(content_type, map(name))).await;
        assert_eq!((made.code, &made.json()["data"]["a"]), (201, &json!("1")), "{content_type}");
    }
    let yaml = "metadata:\n  name: e\ndata:\n  text: |\n    two\n    lines\n";
    let made = rest.ask(Ask::new("POST", MAPS).body("application/yaml", yaml)).await;
    assert_eq!(made.json()["data"]["text"], "two\nlines\n");
    let shown = rest.ask(Ask::new("GET", &format!("{MAPS}/e")).header("accept", "application/yaml")).await;
    assert_eq!(shown.header("content-type"), "application/yaml");
    assert!(shown.text().contains("data:\n  text: |\n    two\n    lines\n"), "{}", shown.text());
}

#[tokio::test]
async fn bodies_that_cannot_be_read_say_why() {
    let rest = Rest::new().await;
    let large = "x".repeat(3 * 1024 * 1024 + 1);
    let deep = "[".repeat(10_000);
    for (content_type, body, wanted) in [
        ("application/json", "{", "400 BadRequest: the body of the request is no JSON: EOF"),
        ("application/json", "[1]", "400 BadRequest: the body of the request is no object"),
        ("application/json", "", "400 BadRequest: the request has no body: send the object"),
        (
            "application/json",
            deep.as_str(),
            "400 BadRequest: the body of the request is no JSON: recursion limit",
        ),
        ("application/yaml", "a: b: c", "400 BadRequest: the body of the request is no YAML: "),
        (
            "text/html",
            "<p>",
            "415 UnsupportedMediaType: the body of the request was in an unknown format (text/html)",
        ),
        (
            "application/vnd.kubernetes.protobuf",
            "k8s",
            "400 BadRequest: the body of the request cannot be read as protobuf: does not begin with k8s\\0",
        ),
        (
            "application/json",
            large.as_str(),
            "413 RequestEntityTooLarge: Request entity too large: limit is 3145728",
        ),
    ] {
        let told = rest.ask(Ask::new("POST", MAPS).body(content_type, body.to_owned())).await.failure();
        assert!(told.starts_with(wanted), "{told}");
    }
    for (content_type, wanted) in [
        (
            "application/apply-patch+yaml",
            "415 UnsupportedMediaType: server-side apply: not supported here yet",
        ),
        ("application/json", "415 UnsupportedMediaType: the body of the request was in an unknown format"),
    ] {
        let patch = Ask::new("PATCH", &format!("{MAPS}/a")).body(content_type, "{}");
        let told = rest.ask(patch).await.failure();
        assert!(told.starts_with(wanted), "{told}");
    }
}

/// A megabyte that a hundred thousand aliases stand for, in less than two.
fn bomb() -> String {
    let (text, aliases) = ("x".repeat(1 << 20), "*a, ".repeat(100_000));
    format!("metadata: {{name: bomb}}\na: &a {text}\ndata: [{aliases}]\n")
}

#[tokio::test]
async fn a_small_body_that_stands_for_a_large_one_is_refused() {
    let rest = Rest::new().await;
    let told = rest.ask(Ask::new("POST", MAPS).body("application/yaml", bomb())).await.failure();
    assert_eq!(
        told,
        "413 RequestEntityTooLarge: Request entity too large: as JSON it has more than 3145728 bytes"
    );
    let yaml = "metadata: {name: small}\nx: &x one\ndata: {a: one, b: one}\n".replace("b: one", "b: *x");
    let made = rest.ask(Ask::new("POST", MAPS).body("application/yaml", yaml)).await;
    assert_eq!((made.code, &made.json()["data"]["b"]), (201, &json!("one")), "an alias is fine");
}

/// Nobody's body is looked at before it is known that they may send one.
#[tokio::test]
async fn who_may_not_write_is_told_so_whatever_they_send() {
    let rest = Rest::new().await;
    let (one, patch) = (format!("{MAPS}/a"), "application/json-patch+json");
    for (method, path, content_type) in [
        ("POST", MAPS, "application/yaml"),
        ("PUT", &one, "application/yaml"),
        ("PATCH", &one, patch),
        ("DELETE", &one, "application/yaml"),
        ("DELETE", MAPS, "application/yaml"),
    ] {
        let ask = Ask::new(method, path).by("eve", "people").body(content_type, bomb());
        let told = rest.ask(ask).await.failure();
        assert!(told.starts_with("403 Forbidden: configmaps"), "{method} {path}: {told}");
    }
}

/// A ControllerRevision, whose data may be anything, of so many levels.
fn nested(name: &str, levels: usize) -> Value {
    let data = (2..levels).fold(json!({"end": 1}), |inner, _| json!({"a": inner}));
    json!({"metadata": {"name": name}, "revision": 1, "data": data})
}

#[tokio::test]
async fn what_is_stored_can_be_read_and_deleted() {
    const REVISIONS: &str = "/apis/apps/v1/namespaces/default/controllerrevisions";
    let rest = Rest::new().await;
    let made = rest.send("POST", REVISIONS, &nested("deep", 100)).await;
    assert_eq!(made.code, 201, "{}", made.text());
    let path = format!("{REVISIONS}/deep");
    assert_eq!(rest.get(&path).await.json()["data"], nested("deep", 100)["data"]);
    assert_eq!(rest.get(REVISIONS).await.json()["items"].as_array().map(Vec::len), Some(1));

    let deeper = nested("deep", 101);
    let (merge, patch) = ("application/merge-patch+json", "application/json-patch+json");
    let add = json!([{"op": "add", "path": "/data", "value": deeper["data"]}]);
    let further = json!([{"op": "copy", "from": "/data", "path": "/data/x"}]);
    for (ask, content_type, body) in [
        (Ask::new("POST", REVISIONS), "application/json", nested("deeper", 101)),
        (Ask::new("PUT", &path), "application/json", deeper.clone()),
        (Ask::new("PATCH", &path), merge, json!({"data": deeper["data"]})),
        (Ask::new("PATCH", &path), "application/strategic-merge-patch+json", json!({"data": deeper["data"]})),
        (Ask::new("PATCH", &path), patch, add),
        (Ask::new("PATCH", &path), patch, further),
    ] {
        let told = rest.ask(ask.body(content_type, body.to_string())).await.failure();
        assert_eq!(
            told, "400 BadRequest: the object has more than 100 lists and maps within each other",
            "{content_type}"
        );
    }
    assert_eq!(rest.ask(Ask::new("DELETE", &path)).await.code, 200);
    assert_eq!(rest.get(&path).await.code, 404);
}

#[tokio::test]
async fn bodies_in_protobuf_are_read() {
    let rest = Rest::new().await;
    // A ConfigMap "a" with data a=1, as client-go sends it.
    let kind = b"\x0a\x0f\x0a\x02v1\x12\x09ConfigMap";
    let object = b"\x12\x0d\x0a\x03\x0a\x01a\x12\x06\x0a\x01a\x12\x011\x1a\x00\x22\x00";
    let body = [&b"k8s\0"[..], kind, object].concat();
    let ask = Ask::new("POST", MAPS).body("application/vnd.kubernetes.protobuf", body);
    let made = rest.ask(ask).await;
    assert_eq!((made.code, &made.json()["data"]), (201, &json!({"a": "1"})), "{}", made.text());

    let options = b"k8s\0\x0a\x13\x0a\x02v1\x12\x0dDeleteOptions\x12\x05\x22\x03Odd";
    let ask = Ask::new("DELETE", &format!("{MAPS}/a"))
        .body("application/vnd.kubernetes.protobuf", options.to_vec());
    let told = rest.ask(ask).await.failure();
    assert!(told.contains("propagationPolicy"), "{told}");
}

#[tokio::test]
async fn people_get_indented_answers() {
    let rest = Rest::new().await;
    let path = "/api/v1/namespaces/default";
    for (ask, pretty) in [
        (Ask::new("GET", path), false),
        (Ask::new("GET", &format!("{path}?pretty=true")), true),
        (Ask::new("GET", path).header("user-agent", "curl/8.0"), true),
        (Ask::new("GET", &format!("{path}?pretty=false")).header("user-agent", "curl/8.0"), false),
    ] {
        let text = rest.ask(ask).await.text();
        assert_eq!(text.starts_with("{\n  \"apiVersion\": \"v1\""), pretty, "{text}");
        assert!(text.ends_with("}\n"), "{text}");
    }
}

#[tokio::test]
async fn large_answers_are_compressed_for_whom_takes_it() {
    let rest = Rest::new().await;
    let map = json!({"metadata": {"name": "large"}, "data": {"a": "x".repeat(200 * 1024)}});
    rest.send("POST", MAPS, &map).await;
    let plain = rest.get(MAPS).await;
    let packed = rest.ask(Ask::new("GET", MAPS).header("accept-encoding", "gzip")).await;
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), ("", "gzip"));
    assert!(packed.body.len() < plain.body.len() / 10, "{}", packed.body.len());
    let mut unpacked = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(packed.body.as_ref());
    std::io::Read::read_to_end(&mut decoder, &mut unpacked).expect("gzip");
    assert_eq!(unpacked, plain.body);
}
