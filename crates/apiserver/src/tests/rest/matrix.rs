//! What every kind can do over REST, on every row of the table.

use serde_json::{Value, json};
use xebec_api::resource::Resource;
use xebec_api::table;

use super::super::samples::{sample, status};
use super::{Ask, METADATA, Rest, TABLE};

fn version_path(row: &Resource) -> String {
    let version = row.versions[0];
    if row.group.is_empty() { format!("/api/{version}") } else { format!("/apis/{}/{version}", row.group) }
}

fn collection(row: &Resource) -> String {
    let namespace = if row.namespaced { "/namespaces/default" } else { "" };
    format!("{}{namespace}/{}", version_path(row), row.plural)
}

/// Runs a check for every row, each on a server with one object of it.
async fn for_every_row(check: impl AsyncFn(&Rest, &'static Resource, Value)) {
    for row in table::all() {
        let rest = Rest::new().await;
        let sample = sample(row, "first").into_value();
        let made = rest.send("POST", &collection(row), &sample).await;
        assert_eq!(made.code, 201, "{}: {}", row.kind, made.text());
        check(&rest, row, made.json()).await;
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("a name")
}

#[tokio::test(start_paused = true)]
async fn every_kind_is_created_read_listed_and_deleted() {
    for_every_row(async |rest: &Rest, row: &'static Resource, made: Value| {
        let (kind, path) = (row.kind, format!("{}/{}", collection(row), name(&made)));
        assert_eq!((&made["kind"], &made["apiVersion"]), (&json!(kind), &json!(row.api_version())));
        assert_eq!(rest.get(&path).await.json(), made, "{kind}");

        for path in [collection(row), format!("{}/{}", version_path(row), row.plural)] {
            let list = rest.get(&path).await.json();
            assert_eq!(list["kind"], json!(format!("{kind}List")), "{kind}");
            assert_eq!(list["apiVersion"], json!(row.api_version()), "{kind}");
            let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
            assert_eq!(version, rest.api.0.state().revision().to_string(), "{kind}: a real version");
            let items = list["items"].as_array().expect("items");
            let found = items.iter().find(|item| name(item) == name(&made)).expect("it is in the list");
            assert_eq!(found["metadata"], made["metadata"], "{kind}");
            assert_eq!(found.get("kind"), None, "{kind}: the list says it");
        }

        let patch = Ask::new("PATCH", &path)
            .body("application/merge-patch+json", json!({"metadata": {"labels": {"a": "b"}}}).to_string());
        let patched = rest.ask(patch).await;
        assert_eq!((patched.code, &patched.json()["metadata"]["labels"]["a"]), (200, &json!("b")), "{kind}");
        let put = rest.send("PUT", &path, &patched.json()).await;
        assert_eq!((put.code, put.json()), (200, patched.json()), "{kind}: nothing changed");
        let stale = rest.send("PUT", &path, &made).await;
        assert_eq!(stale.code, 409, "{kind}: {}", stale.text());

        let gone = rest.ask(Ask::new("DELETE", &path)).await;
        assert_eq!(gone.code, 200, "{kind}: {}", gone.text());
        if kind == "Namespace" {
            assert_eq!(gone.json()["status"]["phase"], "Terminating");
            return;
        }
        let told = gone.json();
        let uid = if told["kind"] == "Status" { &told["details"]["uid"] } else { &told["metadata"]["uid"] };
        assert_eq!(*uid, made["metadata"]["uid"], "{kind}");
        let missing = rest.get(&path).await;
        assert_eq!(missing.code, 404, "{kind}");
        let details = json!({"name": name(&made), "kind": row.plural, "group": row.group});
        for (key, value) in missing.json()["details"].as_object().expect("details") {
            assert_eq!(*value, details[key], "{kind}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn every_kind_has_a_table_and_its_metadata_alone() {
    for_every_row(async |rest: &Rest, row: &'static Resource, made: Value| {
        let kind = row.kind;
        let table = rest.ask(Ask::new("GET", &collection(row)).header("accept", TABLE)).await.json();
        assert_eq!((&table["kind"], &table["apiVersion"]), (&json!("Table"), &json!("meta.k8s.io/v1")));
        assert_ne!(table["metadata"]["resourceVersion"], json!("0"), "{kind}");
        let columns = table["columnDefinitions"].as_array().expect("columns");
        assert!(columns.iter().any(|column| column["priority"] == 0), "{kind}");
        for row in table["rows"].as_array().expect("rows") {
            assert_eq!(row["cells"].as_array().map(Vec::len), Some(columns.len()), "{kind}");
            assert_eq!(row["object"]["kind"], "PartialObjectMetadata", "{kind}");
        }
        let one = format!("{}/{}", collection(row), name(&made));
        let table = rest.ask(Ask::new("GET", &format!("{one}?includeObject=Object")).header("accept", TABLE));
        assert_eq!(table.await.json()["rows"][0]["object"], made, "{kind}");
        let table = rest.ask(Ask::new("GET", &format!("{one}?includeObject=None")).header("accept", TABLE));
        assert_eq!(table.await.json()["rows"][0]["object"], Value::Null, "{kind}");

        let list = rest.ask(Ask::new("GET", &collection(row)).header("accept", METADATA)).await.json();
        assert_eq!(list["kind"], "PartialObjectMetadataList", "{kind}");
        let items = list["items"].as_array().expect("items");
        let found = items.iter().find(|item| name(item) == name(&made)).expect("it is in the list");
        assert_eq!(found["metadata"], made["metadata"], "{kind}");
        assert_eq!(found.as_object().map(serde_json::Map::len), Some(3), "{kind}: and nothing else");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn every_kind_is_watched_from_a_list_on_and_bookmarks_carry_a_version() {
    for_every_row(async |rest: &Rest, row: &'static Resource, made: Value| {
        let kind = row.kind;
        let before = made["metadata"]["resourceVersion"].as_str().expect("a version");
        let path = format!("{}/{}", collection(row), name(&made));
        let patch = json!({"metadata": {"labels": {"a": "b"}}}).to_string();
        rest.ask(Ask::new("PATCH", &path).body("application/merge-patch+json", patch)).await;

        let from = format!(
            "{}?watch=true&resourceVersion={before}&allowWatchBookmarks=true&timeoutSeconds=40",
            collection(row)
        );
        let seen = rest.lines(Ask::new("GET", &from), 2).await;
        assert_eq!((&seen[0]["type"], name(&seen[0]["object"])), (&json!("MODIFIED"), name(&made)), "{kind}");
        assert_eq!((&seen[1]["type"], &seen[1]["object"]["kind"]), (&json!("BOOKMARK"), &json!(kind)));
        let version = seen[1]["object"]["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        assert_eq!(version, rest.api.0.state().revision().to_string(), "{kind}");

        let by_name = format!("{path}?watch=1&timeoutSeconds=1");
        let seen = rest.lines(Ask::new("GET", &by_name).header("accept", TABLE), 9).await;
        assert_eq!(seen.len(), 1, "{kind}: one object, and then the end");
        assert_eq!((&seen[0]["type"], &seen[0]["object"]["kind"]), (&json!("ADDED"), &json!("Table")));
        assert_eq!(seen[0]["object"]["rows"].as_array().map(Vec::len), Some(1), "{kind}");

        let initial = format!(
            "{}/{}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true\
             &fieldSelector=metadata.name%3D{}",
            version_path(row),
            row.plural,
            name(&made).replace(':', "%3A")
        );
        let seen = rest.lines(Ask::new("GET", &initial), 2).await;
        assert_eq!((&seen[0]["type"], &seen[1]["type"]), (&json!("ADDED"), &json!("BOOKMARK")), "{kind}");
        let annotations = &seen[1]["object"]["metadata"]["annotations"];
        assert_eq!(annotations["k8s.io/initial-events-end"], "true", "{kind}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn status_and_scale_have_routes_where_discovery_says_so() {
    for_every_row(async |rest: &Rest, row: &'static Resource, made: Value| {
        let (kind, path) = (row.kind, format!("{}/{}", collection(row), name(&made)));
        if row.has_subresource("status") {
            let wanted = status(row, "first");
            let patch = Ask::new("PATCH", &format!("{path}/status"))
                .body("application/merge-patch+json", json!({"status": wanted}).to_string());
            let patched = rest.ask(patch).await;
            assert_eq!(patched.code, 200, "{kind}: {}", patched.text());
            assert_eq!(rest.get(&format!("{path}/status")).await.json(), patched.json(), "{kind}");
            assert_eq!(rest.get(&path).await.json()["status"], patched.json()["status"], "{kind}");
        } else {
            assert_eq!(rest.get(&format!("{path}/status")).await.code, 404, "{kind}");
        }
        if row.has_subresource("scale") {
            let patch = Ask::new("PATCH", &format!("{path}/scale"))
                .body("application/merge-patch+json", r#"{"spec": {"replicas": 5}}"#);
            let scale = rest.ask(patch).await.json();
            assert_eq!((&scale["kind"], &scale["spec"]["replicas"]), (&json!("Scale"), &json!(5)), "{kind}");
            assert_eq!(rest.get(&path).await.json()["spec"]["replicas"], 5, "{kind}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn every_collection_can_be_deleted_by_a_selector() {
    for_every_row(async |rest: &Rest, row: &'static Resource, made: Value| {
        let kind = row.kind;
        let path = format!("{}/{}", collection(row), name(&made));
        let none = format!("{}?labelSelector=nobody%3Dhas-this", collection(row));
        if kind == "Namespace" {
            let refused = rest.ask(Ask::new("DELETE", &collection(row))).await.failure();
            let words =
                "405 MethodNotAllowed: deletecollection is not supported on resources of kind \"namespaces\"";
            assert_eq!(refused, words, "everything would go with them");
            assert_eq!(rest.get(&path).await.json(), made);
            return;
        }
        assert_eq!(rest.ask(Ask::new("DELETE", &none)).await.json()["items"], json!([]), "{kind}");
        assert_eq!(rest.get(&path).await.code, 200, "{kind}");
        let own = name(&made).replace(':', "%3A");
        let own = format!("{}?fieldSelector=metadata.name%3D{own}", collection(row));
        let tried = rest.ask(Ask::new("DELETE", &format!("{own}&dryRun=All"))).await;
        assert_eq!(tried.json()["items"].as_array().map(Vec::len), Some(1), "{kind}: {}", tried.text());
        assert_eq!(rest.get(&path).await.json(), made, "{kind}: a dry run leaves everything");
        let gone = rest.ask(Ask::new("DELETE", &own)).await;
        assert_eq!((gone.code, name(&gone.json()["items"][0])), (200, name(&made)), "{kind}");
        let left = rest.get(&path).await;
        let going = left.json()["metadata"]["deletionTimestamp"].is_string();
        assert!(left.code == 404 || going, "{kind}: {}", left.text());
    })
    .await;
}
