//! The loops over a store in memory, with paused time: what they make, and that they
//! make nothing once leadership is gone.

use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use xebec_api::error::Reason;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_apiserver::clock::SystemClock;
use xebec_apiserver::testing::{Fault, MemoryStore};
use xebec_apiserver::{ApiServer, DeleteOptions, RequestContext, Settings, Target, system_objects};
use xebec_controllers::{Action, ClusterSettings, Controller, ObjectKey, Plan, View};
use xebec_raft::Leadership;

use super::execute::execute;
use super::{Surroundings, Term, driver, feed, lead};

struct Cluster {
    store: Arc<MemoryStore>,
    api: Arc<ApiServer>,
    leadership: watch::Sender<Leadership>,
    stop: CancellationToken,
    loops: JoinHandle<()>,
}

fn leading(term: Option<u64>) -> Leadership {
    Leadership { leading: term, ..Leadership::default() }
}

fn term(api: &Arc<ApiServer>) -> Term {
    let over = CancellationToken::new();
    Term { number: 1, since: Instant::now(), around: surroundings(api), similar: Arc::default(), over }
}

fn surroundings(api: &Arc<ApiServer>) -> Arc<Surroundings> {
    Arc::new(Surroundings {
        api: api.clone(),
        settings: ClusterSettings { ca_pem: "ca".to_owned(), ..ClusterSettings::default() },
        clock: Arc::new(SystemClock),
        last_seen: Arc::new(|_| Some(SystemNow::now())),
        masters: Arc::new(|| vec!["10.99.0.11:6443".to_owned()]),
        returned: Arc::new(Notify::new()),
    })
}

impl Cluster {
    async fn start() -> Self {
        let store = Arc::new(MemoryStore::default());
        let api = Arc::new(ApiServer::new(store.clone(), Settings::default()));
        let (leadership, receiver) = watch::channel(leading(None));
        let stop = CancellationToken::new();
        let loops = tokio::spawn(lead(surroundings(&api), receiver, stop.clone()));
        let cluster = Self { store, api, leadership, stop, loops };
        for object in system_objects::all() {
            cluster.create(object).await;
        }
        cluster
    }

    async fn create(&self, object: Object) {
        let row = table::by_kind(object.api_version(), object.kind()).expect("a known kind");
        let target = Target::object(row, object.namespace(), "");
        self.api.create(&RequestContext::system("test", 1), &target, object).await.expect("created");
    }

    async fn create_json(&self, value: Value) {
        self.create(Object::from_typed(&value)).await;
    }

    /// A node joins, and its agent says how it is.
    async fn join_node(&self, name: &str, cpu: &str) {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {
            "allocatable": {"cpu": cpu, "memory": "1Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}]}});
        self.create_json(node.clone()).await;
        let row = table::find("", "nodes").expect("nodes are in the table");
        let target = Target::object(row, "", name).subresource("status");
        let context = RequestContext::system("test", 1);
        self.api.update(&context, &target, Object::from_typed(&node)).await.expect("its status is taken");
    }

    /// Lets the loops come to rest: with paused time, this much passes only once
    /// nothing is left to do.
    async fn rest(&self) {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    fn list(&self, resource: &str, namespace: &str) -> Vec<Object> {
        let state = self.api.store().state();
        state.list(resource, Some(namespace)).filter_map(|(_, _, entry)| feed::of_entry(entry)).collect()
    }

    fn pods(&self) -> Vec<String> {
        let pod = |pod: &Object| {
            let scheduled = xebec_api::pod::condition(pod, "PodScheduled");
            let message = scheduled.and_then(|scheduled| scheduled["message"].as_str()).unwrap_or_default();
            let (name, node) = (pod.text(&["metadata", "generateName"]), pod.text(&["spec", "nodeName"]));
            let name = name.rsplitn(3, '-').last().unwrap_or_default();
            format!("{name} on {node:?} {message}").trim().to_owned()
        };
        self.list("pods", "default").iter().map(pod).collect()
    }

    fn events(&self) -> Vec<String> {
        let of_pods = |event: &&Object| event.text(&["involvedObject", "kind"]) == "Pod";
        let events = self.list("events", "default");
        let shown = |event: &Object| format!("{} {}", event.text(&["type"]), event.text(&["reason"]));
        events.iter().filter(of_pods).map(shown).collect()
    }

    async fn end(self) {
        self.stop.cancel();
        self.loops.await.expect("the loops end in order");
    }
}

fn config_map(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": name}})
}

struct SystemNow;

impl SystemNow {
    fn now() -> jiff::Timestamp {
        use xebec_apiserver::clock::Clock as _;
        SystemClock.now()
    }
}

fn deployment(name: &str, replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "default", "name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "main", "image": "busybox", "resources": {"requests": {"cpu": "100m"}}}]}}}})
}

#[tokio::test(start_paused = true)]
async fn pods_wait_for_a_node_and_say_why_then_are_bound() {
    let cluster = Cluster::start().await;
    cluster.leadership.send_replace(leading(Some(1)));
    cluster.create_json(deployment("web", 2)).await;
    cluster.rest().await;
    expect![[r#"
        [
            "web on \"\" no nodes available to schedule pods",
            "web on \"\" no nodes available to schedule pods",
        ]
    "#]]
    .assert_debug_eq(&cluster.pods());
    cluster.join_node("n1", "4").await;
    cluster.rest().await;
    expect![[r#"
        [
            "web on \"n1\"",
            "web on \"n1\"",
        ]
    "#]]
    .assert_debug_eq(&cluster.pods());
    let mut events = cluster.events();
    events.sort();
    expect![[r#"
        [
            "Normal Scheduled",
            "Normal Scheduled",
            "Warning FailedScheduling",
            "Warning FailedScheduling",
        ]
    "#]]
    .assert_debug_eq(&events);
    let before = cluster.api.store().state().revision();
    cluster.rest().await;
    assert_eq!(cluster.api.store().state().revision(), before, "nothing is written at rest");
    cluster.end().await;
}

/// Events end after an hour, and somebody may describe the pod after two.
#[tokio::test(start_paused = true)]
async fn a_pod_that_waits_says_why_again_and_again() {
    let cluster = Cluster::start().await;
    cluster.leadership.send_replace(leading(Some(1)));
    cluster.create_json(deployment("web", 1)).await;
    cluster.rest().await;
    assert_eq!(cluster.events(), ["Warning FailedScheduling"]);
    let row = table::find("", "events").expect("events are in the table");
    for event in cluster.list("events", "default") {
        let target = Target::object(row, "default", event.name());
        let context = RequestContext::system("test", 1);
        cluster.api.delete(&context, &target, &DeleteOptions::default()).await.expect("it is gone");
    }
    cluster.rest().await;
    assert_eq!(cluster.events(), Vec::<String>::new());
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(cluster.events(), ["Warning FailedScheduling"]);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_of_an_hour_works_as_one_of_a_second() {
    let cluster = Cluster::start().await;
    cluster.leadership.send_replace(leading(Some(1)));
    cluster.join_node("n1", "4").await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    cluster.create_json(deployment("web", 1)).await;
    cluster.rest().await;
    assert_eq!(cluster.pods(), ["web on \"n1\""]);
    assert_eq!(cluster.events(), ["Normal Scheduled"]);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_without_leadership_or_in_another_term() {
    let cluster = Cluster::start().await;
    cluster.create_json(deployment("early", 1)).await;
    cluster.rest().await;
    assert_eq!(cluster.pods(), Vec::<String>::new(), "it does not lead yet");
    cluster.leadership.send_replace(leading(Some(1)));
    cluster.rest().await;
    assert_eq!(cluster.pods().len(), 1, "what is there is found by a new leader");
    cluster.leadership.send_replace(leading(None));
    cluster.rest().await;
    cluster.create_json(deployment("late", 1)).await;
    cluster.rest().await;
    assert_eq!(cluster.pods().len(), 1, "its loops have stopped");
    // The store's entries are of term 1: the fence of another term refuses its loops.
    cluster.leadership.send_replace(leading(Some(2)));
    cluster.rest().await;
    assert_eq!(cluster.pods().len(), 1, "a deposed leader's loops change nothing");
    cluster.leadership.send_replace(leading(Some(1)));
    cluster.rest().await;
    assert_eq!(cluster.pods().len(), 2);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_failed_is_tried_again_though_nothing_changes() {
    let cluster = Cluster::start().await;
    cluster.leadership.send_replace(leading(Some(1)));
    cluster.join_node("n1", "4").await;
    cluster.rest().await;
    let spec = json!({"containers": [{"name": "main", "image": "busybox"}]});
    let metadata = json!({"namespace": "default", "name": "lone"});
    cluster.create_json(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})).await;
    cluster.store.inject(Fault::NoLeader);
    cluster.rest().await;
    assert_eq!(cluster.pods(), ["on \"n1\""]);
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_made_beside_something_refused_is_made_before_the_plan_ends() {
    let cluster = Cluster::start().await;
    let maps = [config_map("nowhere", "a"), config_map("default", "b"), config_map("default", "c")];
    let creates = maps.iter().map(|map| Action::Create(Object::from_typed(map))).collect();
    let refused = execute(&term(&cluster.api), "test", creates).await;
    assert_eq!(refused.expect_err("there is no such namespace").reason, Reason::NotFound);
    let maps = cluster.list("configmaps", "default");
    assert_eq!(maps.iter().map(Object::name).collect::<Vec<_>>(), ["b", "c"]);
    cluster.end().await;
}

/// Marks what it sees, but for what a defect of it lies in.
struct Brittle;

impl Controller for Brittle {
    fn name(&self) -> &'static str {
        "brittle"
    }

    fn keys(&self, _view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        let concerns = resource == "configmaps";
        concerns.then(|| ObjectKey::of(resource, object)).into_iter().collect()
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, _now: jiff::Timestamp) -> Plan {
        assert_ne!(key.name, "bad", "a defect, as this test wants one");
        let mut plan = Plan::nothing();
        let seen = view.get(&key.resource, &key.namespace, &key.name);
        if let Some(mut map) = seen.filter(|map| map.get(&["data"]).is_none()) {
            map.set(&["data", "seen"], "yes");
            plan.actions.push(Action::Update(map));
        }
        plan
    }

    fn initial(&self, _view: &dyn View) -> Vec<ObjectKey> {
        Vec::new()
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_a_controller_panics_at_stops_no_other() {
    let cluster = Cluster::start().await;
    let term = term(&cluster.api);
    let driver = tokio::spawn(driver::run(term.clone(), vec![Box::new(Brittle)]));
    cluster.rest().await;
    cluster.create_json(config_map("default", "bad")).await;
    cluster.create_json(config_map("default", "good")).await;
    cluster.rest().await;
    let maps = cluster.list("configmaps", "default");
    let seen: Vec<(&str, &str)> = maps.iter().map(|map| (map.name(), map.text(&["data", "seen"]))).collect();
    assert_eq!(seen, [("bad", ""), ("good", "yes")]);
    term.over.cancel();
    driver.await.expect("it ends in order");
    cluster.end().await;
}

#[tokio::test(start_paused = true)]
async fn events_of_many_pods_become_one() {
    let cluster = Cluster::start().await;
    cluster.leadership.send_replace(leading(Some(1)));
    cluster.create_json(deployment("web", 12)).await;
    cluster.rest().await;
    let events = cluster.list("events", "default");
    let created = events.iter().filter(|event| event.text(&["reason"]) == "SuccessfulCreate");
    let (many, single): (Vec<&Object>, Vec<&Object>) =
        created.partition(|event| event.text(&["message"]).starts_with("(combined from similar events): "));
    assert_eq!((many.len(), single.len()), (1, 9));
    cluster.end().await;
}
