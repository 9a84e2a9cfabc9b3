//! Verbs over REST where they differ from kind to kind, or from gRPC.

use expect_test::expect;
use serde_json::{Value, json};

use super::{Ask, METADATA, Rest, TABLE};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const PODS: &str = "/api/v1/namespaces/default/pods";

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "a", "image": "b"}]}})
}

#[tokio::test]
async fn a_table_is_what_kubectl_prints() {
    let rest = Rest::new().await;
    rest.send("POST", PODS, &pod("web")).await;
    let table = rest.ask(Ask::new("GET", PODS).header("accept", TABLE)).await.json();
    let columns: Vec<String> = table["columnDefinitions"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|column| format!("{}/{}", column["name"].as_str().unwrap_or_default(), column["priority"]))
        .collect();
    assert_eq!(
        columns.join(" "),
        "Name/0 Ready/0 Status/0 Restarts/0 Age/0 IP/1 Node/1 Nominated Node/1 Readiness Gates/1"
    );
    let cells = json!(["web", "0/1", "Pending", "0", "0s", "<none>", "<none>", "<none>", "<none>"]);
    assert_eq!(table["rows"][0]["cells"], cells);
}

#[tokio::test(start_paused = true)]
async fn pages_go_on_and_an_expired_one_says_how() {
    let rest = Rest::new().await;
    for name in ["a", "b", "c"] {
        rest.send("POST", MAPS, &json!({"metadata": {"name": name}})).await;
    }
    let first = rest.get(&format!("{MAPS}?limit=2")).await.json();
    let token = first["metadata"]["continue"].as_str().expect("a token").to_owned();
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    rest.send("POST", MAPS, &json!({"metadata": {"name": "bb"}})).await;
    let second = rest.get(&format!("{MAPS}?limit=2&continue={token}")).await.json();
    let names: Vec<&Value> =
        second["items"].as_array().expect("items").iter().map(|item| &item["metadata"]["name"]).collect();
    assert_eq!(names, ["c"], "all pages show one revision");
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert_eq!(second["metadata"].get("continue"), None);
    let bad = rest.get(&format!("{MAPS}?continue=rubbish")).await;
    assert_eq!(bad.failure(), "400 BadRequest: continue: not a token that this server made");

    let exact = first["metadata"]["resourceVersion"].as_str().expect("a version");
    let exact = rest.get(&format!("{MAPS}?resourceVersion={exact}&resourceVersionMatch=Exact")).await.json();
    assert_eq!(exact["items"].as_array().map(Vec::len), Some(3), "as it was");
    let future = rest.get(&format!("{MAPS}?resourceVersion=99999999")).await;
    assert_eq!((future.code, future.header("retry-after")), (504, "1"));
    let cause = &future.json()["details"]["causes"][0]["reason"];
    assert_eq!(cause, "ResourceVersionTooLarge", "informers look for it");
}

#[tokio::test]
async fn a_delete_answers_with_the_object_or_says_that_it_is_gone() {
    let rest = Rest::new().await;
    let map = rest.send("POST", MAPS, &json!({"metadata": {"name": "a"}})).await.json();
    let wrong = json!({"preconditions": {"uid": "another"}});
    assert_eq!(rest.send("DELETE", &format!("{MAPS}/a"), &wrong).await.code, 409);
    let tried = rest.ask(Ask::new("DELETE", &format!("{MAPS}/a?dryRun=All"))).await;
    assert_eq!((tried.code, rest.get(&format!("{MAPS}/a")).await.code), (200, 200));
    let gone = rest.send("DELETE", &format!("{MAPS}/a"), &json!({"propagationPolicy": "Background"})).await;
    let details = json!({"name": "a", "kind": "configmaps", "uid": map["metadata"]["uid"]});
    assert_eq!(
        gone.json(),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
    );

    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": pod("x")["spec"]});
    let web = json!({"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}});
    rest.send("POST", deployments, &web).await;
    let foreground = rest.ask(Ask::new("DELETE", &format!("{deployments}/web?propagationPolicy=Foreground")));
    let foreground = foreground.await.json();
    assert_eq!(foreground["metadata"]["finalizers"], json!(["foregroundDeletion"]), "it waits for its own");

    rest.send("POST", PODS, &pod("web")).await;
    let gone = rest.send("DELETE", &format!("{PODS}/web"), &json!({"gracePeriodSeconds": 0})).await;
    assert_eq!((gone.code, &gone.json()["kind"]), (200, &json!("Pod")));
}

#[tokio::test]
async fn field_validation_is_as_strict_as_asked_for() {
    let rest = Rest::new().await;
    let wrong = |name: &str| {
        let mut pod = pod(name);
        pod["spec"]["containers"][0]["imag"] = "c".into();
        pod
    };
    let strict = rest.send("POST", &format!("{PODS}?fieldValidation=Strict"), &wrong("a")).await;
    expect![[
        r#"400 BadRequest: Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.containers[0].imag""#
    ]]
    .assert_eq(&strict.failure());
    for (query, warning) in [
        ("", r#"299 - "unknown field \"spec.containers[0].imag\"""#),
        ("&fieldValidation=Warn", r#"299 - "unknown field \"spec.containers[0].imag\"""#),
        ("&fieldValidation=Ignore", ""),
    ] {
        let made = rest.send("POST", &format!("{PODS}?dryRun=All{query}"), &wrong("a")).await;
        assert_eq!((made.code, made.header("warning")), (201, warning), "{query}");
        assert_eq!(made.json()["spec"]["containers"][0].get("imag"), None, "{query}: it is dropped");
    }
    assert_eq!(rest.get(&format!("{PODS}/a")).await.code, 404, "and nothing was written");
}

#[tokio::test]
async fn fields_that_stand_there_twice_are_told_of_and_the_last_one_counts() {
    let rest = Rest::new().await;
    let text = r#"{"metadata": {"name": "a"}, "data": {"a": "1", "a": "2"}, "data": {"b": "1", "b": "2"}}"#;
    let post = async |query: &str| {
        rest.ask(Ask::new("POST", &format!("{MAPS}?{query}")).body("application/json", text)).await
    };
    expect![[
        r#"400 BadRequest: ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data.a", duplicate field "data.b", duplicate field "data""#
    ]]
    .assert_eq(&post("fieldValidation=Strict").await.failure());
    let ignored = post("fieldValidation=Ignore&dryRun=All").await;
    assert_eq!((ignored.code, ignored.header("warning")), (201, ""));
    let warned = post("").await;
    assert_eq!((warned.code, &warned.json()["data"]), (201, &json!({"b": "2"})));
    let warnings: Vec<_> = warned.headers.get_all("warning").iter().collect();
    assert_eq!(
        warnings,
        [
            r#"299 - "duplicate field \"data.a\"""#,
            r#"299 - "duplicate field \"data.b\"""#,
            r#"299 - "duplicate field \"data\"""#
        ]
    );
    let yaml = Ask::new("PUT", &format!("{MAPS}/a?fieldValidation=Strict"))
        .body("application/yaml", "data: {a: b}\ndata: {c: d}\n");
    let refused = rest.ask(yaml).await.failure();
    assert!(refused.ends_with(r#"strict decoding error: duplicate field "data""#), "{refused}");
}

#[tokio::test]
async fn a_patch_is_as_strict_as_asked_for() {
    let rest = Rest::new().await;
    rest.send("POST", MAPS, &json!({"metadata": {"name": "a"}, "data": {"a": "1"}})).await;
    let patch = async |query: &str, text: &'static str| {
        let ask = Ask::new("PATCH", &format!("{MAPS}/a?{query}")).body("application/merge-patch+json", text);
        rest.ask(ask).await
    };
    let (unknown, twice) = (r#"{"dta": {"a": "2"}}"#, r#"{"data": {"a": "2", "a": "3"}}"#);
    expect![[
        r#"422 Invalid: ConfigMap "" is invalid: patch: Invalid value: strict decoding error: unknown field "dta""#
    ]]
    .assert_eq(&patch("fieldValidation=Strict", unknown).await.failure());
    expect![[
        r#"422 Invalid: ConfigMap "" is invalid: patch: Invalid value: strict decoding error: duplicate field "data.a""#
    ]]
    .assert_eq(&patch("fieldValidation=Strict", twice).await.failure());
    let warned = patch("", unknown).await;
    assert_eq!((warned.code, warned.header("warning")), (200, r#"299 - "unknown field \"dta\"""#));
    let ignored = patch("fieldValidation=Ignore", twice).await;
    assert_eq!((ignored.header("warning"), &ignored.json()["data"]), ("", &json!({"a": "3"})));
}

#[tokio::test]
async fn what_is_of_another_type_is_told_by_its_path() {
    let rest = Rest::new().await;
    let wrong = json!({"metadata": {"name": "a"}, "data": {"a": 1}});
    for query in ["fieldValidation=Strict", "fieldValidation=Ignore", ""] {
        expect![[
            r#"400 BadRequest: ConfigMap in version "v1" cannot be handled as a ConfigMap: data[a]: invalid type: integer `1`, expected a string"#
        ]]
        .assert_eq(&rest.send("POST", &format!("{MAPS}?{query}"), &wrong).await.failure());
    }
    rest.send("POST", MAPS, &json!({"metadata": {"name": "a"}})).await;
    let patch =
        Ask::new("PATCH", &format!("{MAPS}/a")).body("application/merge-patch+json", r#"{"data": {"a": 1}}"#);
    expect![[
        r#"422 Invalid: ConfigMap "a" is invalid: data[a]: invalid type: integer `1`, expected a string"#
    ]]
    .assert_eq(&rest.ask(patch).await.failure());
}

#[tokio::test]
async fn who_wrote_is_the_manager_or_the_program() {
    let rest = Rest::new().await;
    let manager = async |ask: Ask| {
        let fields = &rest.ask(ask).await.json()["metadata"]["managedFields"];
        fields.as_array().and_then(|list| list.last()?["manager"].as_str().map(str::to_owned))
    };
    let map = |name: &str| json!({"metadata": {"name": name}, "data": {"a": "b"}});
    let named = Ask::new("POST", &format!("{MAPS}?fieldManager=helm")).json(&map("a"));
    assert_eq!(manager(named.header("user-agent", "Go-http-client/2.0")).await.as_deref(), Some("helm"));
    let program =
        Ask::new("POST", MAPS).json(&map("b")).header("user-agent", "kubectl/v1.32.4 (linux/amd64)");
    assert_eq!(manager(program).await.as_deref(), Some("kubectl"));
}

#[tokio::test]
async fn subresources_that_are_created() {
    let rest = Rest::new().await;
    rest.send("POST", PODS, &pod("web")).await;
    rest.send("POST", "/api/v1/nodes", &json!({"metadata": {"name": "n1"}})).await;
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "web"}, "target": {"kind": "Node", "name": "n1"}});
    let bound = rest.send("POST", &format!("{PODS}/web/binding"), &binding).await;
    assert_eq!((bound.code, &bound.json()["status"]), (201, &json!("Success")));
    assert_eq!(rest.get(&format!("{PODS}/web")).await.json()["spec"]["nodeName"], "n1");
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}});
    assert_eq!(rest.send("POST", &format!("{PODS}/web/eviction"), &eviction).await.code, 201);
    assert!(rest.get(&format!("{PODS}/web")).await.json()["metadata"]["deletionTimestamp"].is_string());

    let namespace = rest.send("POST", "/api/v1/namespaces", &json!({"metadata": {"name": "a"}})).await.json();
    assert_eq!(namespace["spec"]["finalizers"], json!(["kubernetes"]));
    rest.ask(Ask::new("DELETE", "/api/v1/namespaces/a")).await;
    let mut done = rest.get("/api/v1/namespaces/a").await.json();
    done["spec"]["finalizers"] = json!([]);
    let finalized = rest.send("PUT", "/api/v1/namespaces/a/finalize", &done).await;
    assert_eq!((finalized.code, rest.get("/api/v1/namespaces/a").await.code), (200, 404));
}

/// A signer goes by it.
#[tokio::test]
async fn a_certificate_is_asked_for_by_whoever_asks() {
    let rest = Rest::new().await;
    let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let asked =
        json!({"request": "LS0tLS1CRUdJTg==", "usages": ["client auth"], "signerName": "example.com/s"});
    let mut claimed = asked.clone();
    claimed["username"] = "system:node:n1".into();
    claimed["groups"] = json!(["system:nodes"]);
    claimed["uid"] = "7".into();
    let request = json!({"metadata": {"name": "a"}, "spec": claimed});
    let made = rest.ask(Ask::new("POST", path).by("jane", "system:masters").json(&request)).await.json();
    let mut wanted = asked;
    wanted["username"] = "jane".into();
    wanted["groups"] = json!(["system:masters", "system:authenticated"]);
    assert_eq!(made["spec"], wanted);
    let patch = r#"{"metadata": {"labels": {"a": "b"}}, "spec": {"username": "eve", "request": "AAAA"}}"#;
    let patch = Ask::new("PATCH", &format!("{path}/a")).body("application/merge-patch+json", patch);
    let patched = rest.ask(patch).await.json();
    assert_eq!((&patched["spec"], &patched["metadata"]["labels"]["a"]), (&wanted, &json!("b")));
}

#[tokio::test]
async fn a_namespace_keeps_its_pods_to_a_level_of_security() {
    let rest = Rest::new().await;
    let labels = json!({"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/warn": "restricted"});
    let patch = json!({"metadata": {"labels": labels}}).to_string();
    let patch = Ask::new("PATCH", "/api/v1/namespaces/default").body("application/merge-patch+json", patch);
    assert_eq!(rest.ask(patch).await.code, 200);
    let mut wrong = pod("a");
    wrong["spec"]["hostNetwork"] = true.into();
    wrong["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    expect![[
        r#"403 Forbidden: pods "a" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true), privileged (container "a" must not set securityContext.privileged=true)"#
    ]]
    .assert_eq(&rest.send("POST", PODS, &wrong).await.failure());
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": wrong["spec"]});
    let spec = json!({"selector": {"matchLabels": {"a": "b"}}, "template": template});
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let made = rest.send("POST", deployments, &json!({"metadata": {"name": "web"}, "spec": spec})).await;
    let warning = made.header("warning");
    assert_eq!(made.code, 201, "what makes pods is only warned of");
    assert!(
        warning.starts_with(r#"299 - "would violate PodSecurity \"restricted:latest\": host namespaces"#),
        "{warning}"
    );
    let fine = rest.send("POST", PODS, &pod("b")).await;
    assert_eq!(fine.code, 201);
    assert!(fine.header("warning").contains("runAsNonRoot != true"), "{}", fine.header("warning"));
    let label = Ask::new("PATCH", &format!("{PODS}/b"))
        .body("application/merge-patch+json", r#"{"metadata": {"labels": {"a": "b"}}}"#);
    let label = rest.ask(label).await;
    assert_eq!((label.code, label.header("warning")), (200, ""), "nothing changed that it is about");
}

#[tokio::test]
async fn methods_and_forms_that_there_are_not() {
    let rest = Rest::new().await;
    let told = |answer: &super::Answer| answer.failure();
    for (method, path, wanted) in [
        ("PUT", MAPS, "405 MethodNotAllowed: PUT is not supported on a collection of configmaps"),
        (
            "POST",
            "/api/v1/namespaces/default",
            "405 MethodNotAllowed: POST is not supported on an object of namespaces",
        ),
        ("OPTIONS", MAPS, "405 MethodNotAllowed: OPTIONS is not supported on a collection of configmaps"),
        ("POST", "/version", "405 MethodNotAllowed: POST is not supported on /version"),
        ("GET", "/apis/nowhere/v1/things", "404 NotFound: the server could not find the requested resource"),
        ("GET", "/nothing", "404 NotFound: the server could not find the requested resource"),
        (
            "GET",
            "/api/v1/namespaces/default/pods/a/nothing",
            "404 NotFound: the server could not find the requested resource",
        ),
    ] {
        assert_eq!(told(&rest.ask(Ask::new(method, path)).await), wanted, "{method} {path}");
    }
    let accept = Ask::new("GET", MAPS).header("accept", "application/vnd.kubernetes.protobuf");
    assert_eq!(
        rest.ask(accept).await.failure(),
        "406 NotAcceptable: only the following media types are accepted: application/json, application/yaml"
    );
    let head = rest.ask(Ask::new("HEAD", MAPS)).await;
    assert_eq!((head.code, head.body.len()), (200, 0));
    let metadata = rest.ask(Ask::new("GET", "/api/v1/namespaces").header("accept", METADATA)).await;
    assert_eq!(metadata.json()["items"][0]["apiVersion"], "meta.k8s.io/v1");
}
