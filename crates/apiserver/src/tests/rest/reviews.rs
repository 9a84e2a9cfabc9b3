//! Questions about users, their rights and their tokens.

use serde_json::{Value, json};

use super::{Ask, Rest, TABLE};
use crate::service_account::TokenKeys;

const AUTHENTICATION: &str = "/apis/authentication.k8s.io/v1";
const AUTHORIZATION: &str = "/apis/authorization.k8s.io/v1";

async fn status(rest: &Rest, ask: Ask) -> Value {
    let answer = rest.ask(ask).await;
    assert_eq!(answer.code, 201, "{}", answer.text());
    answer.json()["status"].clone()
}

/// Lets jane read pods in `default`.
async fn let_jane_read_pods(rest: &Rest) {
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    let role = json!({"metadata": {"name": "r"}, "rules": [
        {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}]});
    rest.send("POST", &format!("{roles}/roles"), &role).await;
    let binding = json!({"metadata": {"name": "r"}, "subjects": [{"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}});
    rest.send("POST", &format!("{roles}/rolebindings"), &binding).await;
}

#[tokio::test]
async fn whoever_asks_learns_who_they_are_and_what_they_may() {
    let rest = Rest::new().await;
    let_jane_read_pods(&rest).await;
    let jane =
        |path: &str, spec: Value| Ask::new("POST", path).by("jane", "people").json(&json!({"spec": spec}));
    let who = jane(&format!("{AUTHENTICATION}/selfsubjectreviews"), json!(null));
    let wanted = json!({"userInfo": {"username": "jane", "groups": ["people", "system:authenticated"]}});
    assert_eq!(status(&rest, who).await, wanted);

    let access = format!("{AUTHORIZATION}/selfsubjectaccessreviews");
    for (asked, allowed) in [
        (json!({"verb": "list", "resource": "pods", "namespace": "default"}), true),
        (json!({"verb": "get", "resource": "pods", "subresource": "log", "namespace": "default"}), true),
        (json!({"verb": "list", "resource": "pods"}), false),
        (json!({"verb": "*", "resource": "*", "group": "*"}), false),
    ] {
        let ask = jane(&access, json!({"resourceAttributes": asked}));
        assert_eq!(status(&rest, ask).await, json!({"allowed": allowed}), "{asked}");
    }
    let path = jane(&access, json!({"nonResourceAttributes": {"verb": "get", "path": "/api/v1"}}));
    assert_eq!(status(&rest, path).await, json!({"allowed": true}));
    assert_eq!(rest.ask(jane(&access, json!({}))).await.code, 422, "a question about nothing");

    let rules = jane(&format!("{AUTHORIZATION}/selfsubjectrulesreviews"), json!({"namespace": "default"}));
    let rules = status(&rest, rules).await;
    let own = json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log"]});
    assert!(rules["resourceRules"].as_array().expect("rules").contains(&own), "{rules}");
    assert_eq!(rules["incomplete"], false);
}

#[tokio::test]
async fn others_are_asked_about_by_whom_may() {
    let rest = Rest::new().await;
    let_jane_read_pods(&rest).await;
    let spec = |user: &str, namespace: &str| {
        json!({"spec": {"user": user, "resourceAttributes":
            {"verb": "list", "resource": "pods", "namespace": namespace}}})
    };
    let everywhere = format!("{AUTHORIZATION}/subjectaccessreviews");
    let local = format!("{AUTHORIZATION}/namespaces/default/localsubjectaccessreviews");
    for (path, asked, allowed) in [
        (&everywhere, spec("jane", "default"), true),
        (&everywhere, spec("joe", "default"), false),
        (&local, spec("jane", "default"), true),
    ] {
        let ask = Ask::new("POST", path).json(&asked);
        assert_eq!(status(&rest, ask).await, json!({"allowed": allowed}), "{path} {asked}");
    }
    assert_eq!(rest.send("POST", &local, &spec("jane", "other")).await.code, 422);
    assert_eq!(rest.send("POST", &everywhere, &spec("", "default")).await.code, 422);
    let jane = Ask::new("POST", &everywhere).by("jane", "people").json(&spec("joe", "default"));
    assert_eq!(rest.ask(jane).await.code, 403);
}

#[tokio::test]
async fn tokens_are_made_and_reviewed() {
    let rest = Rest::new().await;
    let keys = TokenKeys::from_pkcs8(&TokenKeys::generate().expect("a key")).expect("keys");
    rest.api.0.set_token_keys(keys);
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let account = rest.send("POST", accounts, &json!({"metadata": {"name": "robot"}})).await.json();
    let request =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}});
    let made = rest.send("POST", &format!("{accounts}/robot/token"), &request).await;
    assert_eq!((made.code, &made.json()["kind"]), (201, &json!("TokenRequest")));
    let token = made.json()["status"]["token"].as_str().expect("a token").to_owned();

    let review = |token: &str, audiences: Value| {
        let spec = json!({"spec": {"token": token, "audiences": audiences}});
        Ask::new("POST", &format!("{AUTHENTICATION}/tokenreviews")).json(&spec)
    };
    let reviewed = status(&rest, review(&token, json!(null))).await;
    assert_eq!(reviewed["user"]["username"], "system:serviceaccount:default:robot");
    assert_eq!(reviewed["user"]["uid"], account["metadata"]["uid"]);
    let credential = &reviewed["user"]["extra"]["authentication.kubernetes.io/credential-id"];
    assert!(credential[0].as_str().is_some_and(|id| id.starts_with("JTI=")), "{reviewed}");
    assert_eq!(reviewed["audiences"], json!(["https://kubernetes.default.svc.cluster.local"]));
    let elsewhere = status(&rest, review(&token, json!(["somebody-else"]))).await;
    assert_eq!(elsewhere["authenticated"], false);
    let rubbish = status(&rest, review("rubbish", json!(null))).await;
    assert_eq!(rubbish["error"], "Unauthorized: the bearer token was refused: it is no JWT");

    let robot =
        |path: &str| Ask::new("GET", path).by_nobody().header("authorization", &format!("Bearer {token}"));
    assert_eq!(rest.ask(robot("/api/v1")).await.code, 200);
    assert_eq!(rest.ask(robot("/api/v1/namespaces/default/secrets")).await.code, 403);
}

#[tokio::test]
async fn there_is_nothing_to_read_of_a_question() {
    let rest = Rest::new().await;
    let path = format!("{AUTHORIZATION}/selfsubjectaccessreviews");
    assert_eq!(
        rest.get(&path).await.failure(),
        "405 MethodNotAllowed: list is not supported on selfsubjectaccessreviews.authorization.k8s.io: create one"
    );
    let spec = json!({"spec": {"resourceAttributes": {"verb": "list", "resource": "pods"}}});
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let only_table = Ask::new("POST", &path).json(&spec).header("accept", table);
    assert_eq!(rest.ask(only_table).await.code, 406, "it has no columns");
    assert_eq!(rest.ask(Ask::new("POST", &path).json(&spec).header("accept", TABLE)).await.code, 201);
}
