//! The loops over a store in memory, with paused time: what they make, and that they
//! make nothing once leadership is gone.

use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_apiserver::clock::SystemClock;
use xebec_apiserver::testing::{Fault, MemoryStore};
use xebec_apiserver::{ApiServer, RequestContext, Settings, Target, system_objects};
use xebec_controllers::ClusterSettings;
use xebec_raft::Leadership;

use super::{Surroundings, feed, lead};

struct Cluster {
    api: Arc<ApiServer>,
    store: Arc<MemoryStore>,
    leadership: watch::Sender<Leadership>,
    stop: CancellationToken,
    loops: JoinHandle<()>,
}

fn leading(term: Option<u64>) -> Leadership {
    Leadership { leading: term, ..Leadership::default() }
}

impl Cluster {
    async fn start() -> Self {
        let store = Arc::new(MemoryStore::default());
        let api = Arc::new(ApiServer::new(store.clone(), Settings::default()));
        let (leadership, receiver) = watch::channel(leading(None));
        let stop = CancellationToken::new();
        let around = Surroundings {
            api: api.clone(),
            settings: ClusterSettings { ca_pem: "ca".to_owned(), ..ClusterSettings::default() },
            clock: Arc::new(SystemClock),
            last_seen: Arc::new(|_| Some(SystemNow::now())),
            masters: Arc::new(|| vec!["10.99.0.11:6443".to_owned()]),
            returned: Arc::new(Notify::new()),
        };
        let loops = tokio::spawn(lead(Arc::new(around), receiver, stop.clone()));
        let cluster = Self { api, store, leadership, stop, loops };
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
async fn a_pod_whose_binding_was_not_written_is_not_forgotten() {
    let cluster = Cluster::start().await;
    cluster.leadership.send_replace(leading(Some(1)));
    cluster.join_node("n1", "4").await;
    cluster.rest().await;
    cluster
        .create_json(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": "default", "generateName": "web-0-", "name": "web-0-a"},
            "spec": {"containers": [{"name": "main", "image": "busybox"}]}}))
        .await;
    // Nobody leads for a moment; and then nothing changes any more.
    cluster.store.inject(Fault::NoLeader);
    cluster.rest().await;
    assert_eq!(cluster.pods(), ["web on \"n1\""]);
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
