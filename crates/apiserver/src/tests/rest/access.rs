//! Who gets in over REST, and to what.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use serde_json::json;
use tower::ServiceExt;

use super::{Ask, Rest};
use crate::testing::Fault;

#[tokio::test]
async fn nobody_is_anonymous_but_to_health_and_version() {
    let rest = Rest::new().await;
    for path in ["/livez", "/readyz?exclude=token-keys", "/healthz", "/readyz/raft", "/version"] {
        assert_eq!(rest.ask(Ask::new("GET", path).by_nobody()).await.code, 200, "{path}");
    }
    for path in ["/api", "/apis", "/api/v1/pods", "/openapi/v3", "/nothing", "/"] {
        let told = rest.ask(Ask::new("GET", path).by_nobody()).await.failure();
        assert!(told.starts_with("401 Unauthorized: Unauthorized: no credentials"), "{path}: {told}");
    }
    let rubbish = Ask::new("GET", "/livez").by_nobody().header("authorization", "Bearer rubbish");
    assert_eq!(rest.ask(rubbish).await.code, 401, "who shows something must be somebody");
}

#[tokio::test]
async fn what_is_not_ready_says_which_check() {
    let rest = Rest::new().await;
    let verbose = rest.get("/readyz?verbose&exclude=token-keys").await;
    assert_eq!(verbose.text(), "[+]ping ok\n[+]raft ok\n[+]shutdown ok\nreadyz check passed\n");
    let without_keys = rest.get("/readyz").await;
    assert_eq!(
        (without_keys.code, without_keys.text().as_str()),
        (
            500,
            "[+]ping ok\n[+]raft ok\n[-]token-keys failed: see this master's log\n[+]shutdown ok\nreadyz check failed\n"
        )
    );
    assert_eq!(rest.get("/readyz/nothing").await.code, 404);
    rest.api.0.settings().shutdown.cancel();
    assert_eq!(rest.get("/readyz/shutdown").await.code, 500);
    assert_eq!(rest.get("/livez").await.text(), "ok");
}

#[tokio::test]
async fn paths_are_given_by_roles_as_resources_are() {
    let rest = Rest::new().await;
    let jane = |path: &str| Ask::new("GET", path).by("jane", "people");
    for path in ["/api", "/apis", "/api/v1", "/apis/apps/v1"] {
        assert_eq!(rest.ask(jane(path)).await.code, 200, "{path}: everybody known may discover");
    }
    assert_eq!(
        rest.ask(jane("/metrics")).await.failure(),
        r#"403 Forbidden: forbidden: User "jane" cannot get path "/metrics""#
    );
    let refused = rest.ask(jane("/api/v1/namespaces/default/secrets/x")).await;
    assert_eq!(
        refused.failure(),
        r#"403 Forbidden: secrets "x" is forbidden: User "jane" cannot get resource "secrets" in API group "" in the namespace "default""#
    );
    let collection = Ask::new("DELETE", "/api/v1/namespaces/default/pods").by("jane", "people");
    assert!(rest.ask(collection).await.failure().contains("cannot deletecollection resource"));
    let role =
        json!({"metadata": {"name": "m"}, "rules": [{"nonResourceURLs": ["/metrics*"], "verbs": ["get"]}]});
    let roles = "/apis/rbac.authorization.k8s.io/v1";
    assert_eq!(rest.send("POST", &format!("{roles}/clusterroles"), &role).await.code, 201);
    let binding = json!({"metadata": {"name": "m"}, "subjects": [{"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "m"}});
    rest.send("POST", &format!("{roles}/clusterrolebindings"), &binding).await;
    assert_eq!(rest.ask(jane("/metrics/more")).await.code, 404, "she may look, but nothing is there");
    assert_eq!(rest.ask(jane("/metric")).await.code, 403);
}

#[tokio::test]
async fn a_master_without_a_quorum_asks_for_patience() {
    let fixture = crate::testing::Fixture::new().await;
    let router = crate::rest::router(fixture.server.clone());
    let rest = Rest { api: super::Api(fixture.server.clone()), router };
    fixture.store.inject(Fault::NoLeader);
    let map = json!({"metadata": {"name": "a"}});
    let away = rest.send("POST", "/api/v1/namespaces/default/configmaps", &map).await;
    assert_eq!((away.code, away.header("retry-after")), (503, "1"));
    let made = rest.send("POST", "/api/v1/namespaces/default/configmaps", &map).await;
    assert!(!made.header("audit-id").is_empty());
    assert_eq!(made.header("cache-control"), "no-cache, private");
}

#[tokio::test]
async fn acting_as_somebody_else_needs_the_right_to_each_name() {
    let rest = Rest::new().await;
    let pods = "/api/v1/namespaces/default/pods";
    let acting = |ask: Ask, user: &str| ask.header("impersonate-user", user);
    assert!(
        rest.ask(acting(Ask::new("GET", pods), "jane"))
            .await
            .failure()
            .contains(r#"User "jane" cannot list"#),
        "the administrator is jane now, and no more than her"
    );
    let both = acting(Ask::new("GET", pods), "jane").header("impersonate-group", "system:masters");
    assert_eq!(rest.ask(both).await.code, 200);
    let joe = acting(Ask::new("GET", pods).by("joe", "people"), "admin");
    assert_eq!(
        rest.ask(joe).await.failure(),
        r#"403 Forbidden: users "admin" is forbidden: User "joe" cannot impersonate resource "users" in API group "" at the cluster scope"#
    );
    let role = json!({"metadata": {"name": "i"}, "rules": [
        {"apiGroups": [""], "resources": ["users"], "resourceNames": ["jane"], "verbs": ["impersonate"]}]});
    let roles = "/apis/rbac.authorization.k8s.io/v1";
    rest.send("POST", &format!("{roles}/clusterroles"), &role).await;
    let binding = json!({"metadata": {"name": "i"}, "subjects": [{"kind": "User", "name": "joe", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "i"}});
    rest.send("POST", &format!("{roles}/clusterrolebindings"), &binding).await;
    let jane = acting(Ask::new("GET", "/apis").by("joe", "people"), "jane");
    assert_eq!(rest.ask(jane).await.code, 200);
    let masters = acting(Ask::new("GET", pods).by("joe", "people"), "jane");
    let masters = rest.ask(masters.header("impersonate-group", "system:masters")).await;
    assert!(masters.failure().contains(r#"cannot impersonate resource "groups""#), "{}", masters.text());
    let uid = acting(Ask::new("GET", pods), "jane").header("impersonate-uid", "7");
    assert_eq!(rest.ask(uid).await.code, 501);
    assert_eq!(rest.ask(Ask::new("GET", pods).header("impersonate-group", "x")).await.code, 400);
}

/// Who sends slowly holds places of their own only, and those not for long.
#[tokio::test(start_paused = true)]
async fn bodies_that_do_not_come_keep_nobody_else_from_writing() {
    const MAPS: &str = "/api/v1/namespaces/default/configmaps";
    let rest = Rest::new().await;
    let role = json!({"metadata": {"name": "w"}, "rules": [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]}]});
    let roles = "/apis/rbac.authorization.k8s.io/v1";
    rest.send("POST", &format!("{roles}/clusterroles"), &role).await;
    let binding = json!({"metadata": {"name": "w"}, "subjects": [{"kind": "Group", "name": "people", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "w"}});
    rest.send("POST", &format!("{roles}/clusterrolebindings"), &binding).await;
    let places = rest.api.0.settings().max_in_flight;
    let slow = || Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let waiting: Vec<_> = (0..places)
        .map(|_| Ask::new("POST", MAPS).by("eve", "people").body("application/json", slow()).request)
        .map(|request| tokio::spawn(rest.router.clone().oneshot(request)))
        .collect();
    // All of them are waited for by then.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let map = |name: &str| json!({"metadata": {"name": name}});
    let made = rest.ask(Ask::new("POST", MAPS).by("jane", "people").json(&map("a"))).await;
    assert_eq!(made.code, 201, "{}", made.text());
    let mut late = 0;
    for answer in waiting {
        let code = answer.await.expect("it does not panic").expect("infallible").status().as_u16();
        assert!(matches!(code, 429 | 504), "{code}");
        late += usize::from(code == 504);
    }
    assert_eq!(late, places / 4, "those that held a place were given half a minute");
    let made = rest.ask(Ask::new("POST", MAPS).by("eve", "people").json(&map("b"))).await;
    assert_eq!(made.code, 201, "{}", made.text());
}
