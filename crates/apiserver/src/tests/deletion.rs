//! How objects end: grace, propagation, namespaces, evictions; and the way back of scale.

use serde_json::{Value, json};
use xebec_api::error::{FieldError, Reason};
use xebec_api::object::Object;
use xebec_api::table;

use super::{Api, admin, api, config_map, object, pod, target};
use crate::{Binding, DeleteOptions, Patch, Propagation, RequestContext, Target};

/// A pod on node n1.
async fn bound_pod(api: &Api, name: &str) -> Target {
    let node = object(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}));
    api.0.apply_missing(&admin(), node).await.expect("a node");
    let mut pod = pod(name);
    pod.set(&["spec", "terminationGracePeriodSeconds"], 20);
    api.create("pods", pod).await;
    let binding =
        Binding { namespace: "default".into(), name: name.into(), uid: String::new(), node: "n1".into() };
    api.0.bind_many(&admin(), &[binding]).await.remove(0).expect("bound");
    target("pods", name)
}

async fn delete(api: &Api, target: &Target, options: DeleteOptions) -> Object {
    api.0.delete(&admin(), target, &options).await.expect("deleted")
}

async fn is_gone(api: &Api, target: &Target) -> bool {
    api.0.get(&admin(), target).await.is_err_and(|error| error.reason == Reason::NotFound)
}

fn ends(object: &Object) -> (&str, Option<&Value>) {
    let seconds = object.get(&["metadata", "deletionGracePeriodSeconds"]);
    (object.text(&["metadata", "deletionTimestamp"]), seconds)
}

fn grace(seconds: u64) -> DeleteOptions {
    DeleteOptions { grace_seconds: Some(seconds), ..DeleteOptions::default() }
}

#[tokio::test]
async fn grace_is_the_pods_own_and_can_only_be_shortened() {
    let api = api().await;
    let target = bound_pod(&api, "web").await;
    let marked = delete(&api, &target, DeleteOptions::default()).await;
    assert_eq!(ends(&marked), ("2026-11-24T10:00:20Z", Some(&json!(20))));
    let same = delete(&api, &target, grace(60)).await;
    assert_eq!(same, marked, "a longer grace changes nothing");
    let sooner = delete(&api, &target, grace(5)).await;
    assert_eq!(ends(&sooner), ("2026-11-24T10:00:05Z", Some(&json!(5))));
    let wrong = DeleteOptions { uid: Some("another".into()), ..grace(0) };
    assert_eq!(api.0.delete(&admin(), &target, &wrong).await.expect_err("another").reason, Reason::Conflict);
    let agent = DeleteOptions { uid: Some(marked.uid().into()), ..grace(0) };
    delete(&api, &target, agent).await;
    assert!(is_gone(&api, &target).await);
}

#[tokio::test]
async fn pods_that_run_nowhere_go_at_once() {
    let api = api().await;
    api.create("pods", pod("pending")).await;
    delete(&api, &target("pods", "pending"), DeleteOptions::default()).await;
    assert!(is_gone(&api, &target("pods", "pending")).await);
    let done = bound_pod(&api, "done").await;
    api.patch(&done.clone().subresource("status"), json!({"status": {"phase": "Succeeded"}})).await;
    delete(&api, &done, DeleteOptions::default()).await;
    assert!(is_gone(&api, &done).await);
    let evicted = bound_pod(&api, "evicted").await;
    let eviction =
        object(json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "evicted"},
        "deleteOptions": {"gracePeriodSeconds": 3}}));
    api.0.create(&admin(), &evicted.clone().subresource("eviction"), eviction).await.expect("evicted");
    assert_eq!(ends(&api.0.get(&admin(), &evicted).await.expect("on its way out")).1, Some(&json!(3)));
}

/// As `kubectl drain --dry-run=server` asks.
#[tokio::test]
async fn an_eviction_that_is_tried_out_evicts_nobody() {
    let api = api().await;
    let target = bound_pod(&api, "web").await;
    let before = api.0.get(&admin(), &target).await.expect("a pod");
    let evict = async |options: Value| {
        let eviction = object(json!({"metadata": {"name": "web"}, "deleteOptions": options}));
        api.0.create(&admin(), &target.clone().subresource("eviction"), eviction).await
    };
    evict(json!({"dryRun": ["All"]})).await.expect("it would be evicted");
    for wrong in [
        json!({"dryRun": ["Some"]}),
        json!({"gracePeriodSeconds": -1}),
        json!({"propagationPolicy": "Nearly"}),
        json!({"kind": "Pod"}),
        json!([]),
    ] {
        assert!(evict(wrong.clone()).await.is_err(), "{wrong}");
    }
    let another = json!({"preconditions": {"uid": "another"}});
    assert_eq!(evict(another).await.expect_err("refused").reason, Reason::Conflict);
    assert_eq!(api.0.get(&admin(), &target).await.expect("it is left alone"), before);
    evict(json!({"dryRun": []})).await.expect("evicted");
    assert!(api.0.get(&admin(), &target).await.expect("for its grace").is_terminating());
}

/// A ready pod of a ReplicaSet.
async fn ready_pod(api: &Api, name: &str, set: &Object) -> Target {
    let pod = bound_pod(api, name).await;
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set.name(), "uid": set.uid(),
        "controller": true});
    api.patch(&pod, json!({"metadata": {"labels": {"app": "a"}, "ownerReferences": [owner]}})).await;
    let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    api.patch(&pod.clone().subresource("status"), json!({"status": ready})).await;
    pod
}

#[tokio::test]
async fn a_budget_refuses_evictions_that_it_cannot_bear() {
    let api = api().await;
    let template =
        json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = json!({"replicas": 2, "selector": {"matchLabels": {"app": "a"}}, "template": template});
    let set = api.create("replicasets", object(json!({"metadata": {"name": "web"}, "spec": spec}))).await;
    let (one, two) = (ready_pod(&api, "one", &set).await, ready_pod(&api, "two", &set).await);
    let spec = json!({"maxUnavailable": "50%", "selector": {"matchLabels": {"app": "a"}}});
    api.create("poddisruptionbudgets", object(json!({"metadata": {"name": "b"}, "spec": spec}))).await;
    let evict = async |pod: &Target, options: Value| {
        let eviction = object(json!({"deleteOptions": options}));
        api.0.create(&admin(), &pod.clone().subresource("eviction"), eviction).await
    };
    evict(&one, json!({"dryRun": ["All"]})).await.expect("it would go");
    let (first, second) = tokio::join!(evict(&one, json!({})), evict(&two, json!({})));
    // Whichever comes first; but not both, also at once.
    let (two, refused) = match (first, second) {
        (Ok(_), Err(refused)) => (two, refused),
        (Err(refused), Ok(_)) => (one, refused),
        _ => panic!("one of two may go"),
    };
    let words = "Cannot evict pod as it would violate the pod's disruption budget.";
    assert_eq!((refused.reason, refused.message.as_str()), (Reason::TooManyRequests, words));
    let why = "The disruption budget b needs 1 healthy pods and has 1 currently";
    assert_eq!(refused.causes, [FieldError::new("DisruptionBudget", "", why)]);
    let budget = target("poddisruptionbudgets", "b");
    let told = api.0.get(&admin(), &budget).await.expect("a budget");
    let wanted = json!({"currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0, "expectedPods": 2,
        "observedGeneration": 1});
    assert_eq!(told.get(&["status"]), Some(&wanted));

    let unready = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    api.patch(&two.clone().subresource("status"), unready).await;
    evict(&two, json!({})).await.expect_err("there are too few healthy ones as it is");
    api.patch(&budget, json!({"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}})).await;
    evict(&two, json!({})).await.expect("it serves nobody");
    api.0.delete(&admin(), &two, &grace(0)).await.expect("a delete asks no budget");
}

#[tokio::test]
async fn two_budgets_for_one_pod_are_an_error() {
    let api = api().await;
    let pod = bound_pod(&api, "web").await;
    api.patch(&pod.clone().subresource("status"), json!({"status": {"phase": "Running"}})).await;
    for name in ["a", "b"] {
        let budget = json!({"metadata": {"name": name}, "spec": {"minAvailable": 0, "selector": {}}});
        api.create("poddisruptionbudgets", object(budget)).await;
    }
    let eviction = pod.subresource("eviction");
    let refused = api.0.create(&admin(), &eviction, object(json!({}))).await.expect_err("which one?");
    let words =
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    assert_eq!((refused.reason, refused.message.as_str()), (Reason::InternalError, words));
}

#[tokio::test]
async fn propagation_waits_for_the_garbage_collector() {
    let api = api().await;
    for (propagation, finalizer) in
        [(Propagation::Foreground, "foregroundDeletion"), (Propagation::Orphan, "orphan")]
    {
        api.create("configmaps", config_map("owner", "1")).await;
        let target = target("configmaps", "owner");
        let marked = delete(&api, &target, DeleteOptions { propagation, ..DeleteOptions::default() }).await;
        assert_eq!(marked.get(&["metadata", "finalizers"]), Some(&json!([finalizer])));
        assert!(marked.is_terminating());
        let again = delete(&api, &target, DeleteOptions::default()).await;
        assert_eq!(again, marked, "a second delete does not hurry the first");
        api.patch(&target, json!({"metadata": {"finalizers": []}})).await;
        assert!(is_gone(&api, &target).await);
    }
}

#[tokio::test]
async fn a_namespace_closes_before_it_goes() {
    let api = api().await;
    let row = table::resolve("namespaces").expect("a kind");
    let namespace = Target::object(row, "", "team");
    let made = object(json!({"metadata": {"name": "team"}}));
    let made = api.0.create(&admin(), &Target::collection(row, ""), made).await.expect("created");
    assert_eq!(
        (made.get(&["spec"]), made.get(&["status"]), made.labels().collect::<Vec<_>>()),
        (
            Some(&json!({"finalizers": ["kubernetes"]})),
            Some(&json!({"phase": "Active"})),
            vec![("kubernetes.io/metadata.name", "team")]
        )
    );
    let inside = Target::collection(table::resolve("configmaps").expect("a kind"), "team");
    api.0.create(&admin(), &inside, config_map("a", "1")).await.expect("it is open");
    let closing = delete(&api, &namespace, DeleteOptions::default()).await;
    assert_eq!(closing.get(&["status", "phase"]), Some(&json!("Terminating")));
    let error = api.0.create(&admin(), &inside, config_map("b", "1")).await.expect_err("it is closed");
    assert_eq!(
        (error.reason, error.message.as_str()),
        (
            Reason::Forbidden,
            "configmaps \"b\" is forbidden: unable to create new content in namespace team because it is being terminated"
        )
    );
    let cause =
        FieldError::new("NamespaceTerminating", "metadata.namespace", "namespace team is being terminated");
    assert_eq!(error.causes, [cause], "controllers of clients look for it");
    let mut open = closing.clone();
    open.set(&["spec", "finalizers"], json!([]));
    let kept = api.0.update(&admin(), &namespace, open.clone()).await.expect("a main write");
    assert_eq!(kept.get(&["spec", "finalizers"]), Some(&json!(["kubernetes"])));
    api.0.update(&admin(), &namespace.clone().subresource("finalize"), open).await.expect("finalized");
    assert!(is_gone(&api, &namespace).await);
    for name in ["default", "kube-system", "kube-public"] {
        let immortal = Target::object(row, "", name);
        let error = api.0.delete(&admin(), &immortal, &DeleteOptions::default()).await.expect_err("immortal");
        assert_eq!(error.reason, Reason::Forbidden, "{name}");
    }
}

#[tokio::test]
async fn scale_is_the_replicas_and_nothing_else() {
    let api = api().await;
    let template =
        json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = json!({"replicas": 2, "selector": {"matchLabels": {"app": "a"}}, "template": template});
    for kind in ["deployments", "replicasets", "statefulsets", "replicationcontrollers"] {
        let mut spec = spec.clone();
        if kind == "statefulsets" {
            spec["serviceName"] = "s".into();
        }
        if kind == "replicationcontrollers" {
            spec["selector"] = json!({"app": "a"});
        }
        api.create(kind, object(json!({"metadata": {"name": "web"}, "spec": spec}))).await;
        let scale = target(kind, "web").subresource("scale");
        let read = api.0.get(&admin(), &scale).await.expect("a scale");
        assert_eq!((read.api_version(), read.kind()), ("autoscaling/v1", "Scale"));
        assert_eq!(read.get(&["spec"]), Some(&json!({"replicas": 2})));
        assert_eq!(read.get(&["status"]), Some(&json!({"replicas": 0, "selector": "app=a"})));
        let patched = api.patch(&scale, json!({"spec": {"replicas": 5}})).await;
        assert_eq!(patched.get(&["spec", "replicas"]), Some(&json!(5)));
        let stale = api.0.update(&admin(), &scale, read.clone()).await.expect_err("it was patched since");
        assert_eq!(stale.reason, Reason::Conflict, "{kind}");
        let mut fresh = read;
        fresh.remove(&["metadata", "resourceVersion"]);
        api.0.update(&admin(), &scale, fresh).await.expect("updated");
        let whole = api.0.get(&admin(), &target(kind, "web")).await.expect("it is there");
        assert_eq!((whole.get(&["spec", "replicas"]), whole.generation()), (Some(&json!(2)), 3));
        let negative = Patch::Merge(json!({"spec": {"replicas": -1}}));
        let error = api.0.patch(&admin(), &scale, &negative).await.expect_err("less than none");
        assert_eq!(error.causes[0].field, "spec.replicas");
    }
}

#[tokio::test]
async fn a_taken_generated_name_is_drawn_again() {
    let api = api().await;
    let mut asked = config_map("", "1");
    asked.remove(&["metadata", "name"]);
    asked.set(&["metadata", "generateName"], "made-");
    let dry = RequestContext { dry_run: true, ..admin() };
    let drawn = api.0.create(&dry, &target("configmaps", ""), asked.clone()).await.expect("drawn");
    assert!(drawn.name().starts_with("made-"));
    // Takes the next three draws of the counting ids.
    for step in 1..4 {
        let random = 1 + step + api.draws_before(&drawn);
        api.create("configmaps", config_map(&format!("made-{}", crate::clock::suffix(random)), "1")).await;
    }
    let made = api.create("configmaps", asked).await;
    assert_eq!(made.text(&["data", "key"]), "1");
}

impl Api {
    /// What the counting ids had drawn before this name.
    fn draws_before(&self, drawn: &Object) -> u64 {
        let suffix = drawn.name().trim_start_matches("made-");
        (0..1000).find(|random| crate::clock::suffix(*random + 1) == suffix).expect("a small number")
    }
}
