//! An agent's pods without an agent: its source and workers between a fake API and a fake
//! runtime, and a clock that both share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_client::fake::{Fake, client_of};
use xebec_client::{Cache, Client, Selection};
use xebec_runtime::fake::FakeRuntime;

use crate::clock::Clock;
use crate::config::Config;
use crate::events::{self, Recorder};
use crate::eviction::{self, Eviction, Figure, Figures, Host, Signal};
use crate::pod::source;
use crate::run::Agent;

/// What a test waits for must come within this, of paused time.
const PATIENCE: Duration = Duration::from_secs(1000);
/// Between two looks.
const STEP: Duration = Duration::from_millis(100);

pub(super) struct World {
    pub(super) fake: Fake,
    pub(super) runtime: Arc<FakeRuntime>,
    pub(super) agent: Arc<Agent>,
    /// What the host has left.
    figures: Arc<Mutex<Figures>>,
    tasks: JoinSet<()>,
    _dir: TempDir,
}

impl World {
    /// An agent that runs, and has no pods yet.
    pub(super) async fn start() -> Self {
        Self::start_with(Eviction::default()).await
    }

    /// The same, with thresholds of its own.
    pub(super) async fn start_with(eviction: Eviction) -> Self {
        let fake = Fake::start().await;
        let client = client_of(&[&fake]);
        let dir = TempDir::new().expect("a folder");
        let config = Config {
            name: "n1".into(),
            data_dir: dir.path().to_owned(),
            address: [192, 0, 2, 1].into(),
            masters: Vec::new(),
            token_file: None,
            images_dir: None,
            labels: [("tier".to_owned(), "front".to_owned())].into(),
            eviction,
        };
        std::fs::create_dir(dir.path().join("pki")).expect("a folder");
        std::fs::write(dir.path().join("pki/ca.crt"), "the CA").expect("a file");
        let runtime = Arc::new(FakeRuntime::new());
        let (base, started) = ("2026-01-01T00:00:00Z".parse::<Timestamp>().expect("a time"), Instant::now());
        let clock = Clock::new(move || base + started.elapsed());
        let figures = Arc::new(Mutex::new(Figures::new()));
        let measured = figures.clone();
        let host = Host::new(move || measured.lock().expect("no panic").clone());
        let (agent, tasks) = run(config, client, runtime.clone(), clock, host);
        Self { fake, runtime, agent, figures, tasks, _dir: dir }
    }

    /// Ends the agent and runs another, which knows nothing but what lies in its folder, in
    /// the runtime and in the API.
    pub(super) async fn restart(&mut self) {
        self.restart_after(|_| ()).await;
    }

    /// The same, with something that happens between the two.
    pub(super) async fn restart_after(&mut self, meanwhile: impl FnOnce(&Self)) {
        self.agent.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no task panics");
        }
        meanwhile(self);
        let Agent { config, clock, host, .. } = &*self.agent;
        let (config, clock, host) = (config.clone(), clock.clone(), host.clone());
        (self.agent, self.tasks) = run(config, client_of(&[&self.fake]), self.runtime.clone(), clock, host);
    }

    /// From now on the host has so much left of so much.
    pub(super) fn leave(&self, signal: Signal, available: u64, capacity: u64) {
        self.figures.lock().expect("no panic").insert(signal, Figure { available, capacity });
    }

    /// Binds a pod to this node, as the API would store it. Gives its uid.
    pub(super) fn bind(&self, name: &str, mut spec: Value) -> String {
        spec["nodeName"] = "n1".into();
        spec["automountServiceAccountToken"] =
            spec["automountServiceAccountToken"].as_bool().unwrap_or(false).into();
        self.put(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": spec, "status": {"phase": "Pending", "qosClass": "BestEffort"},
        }))
    }

    /// Stores any object; gives its uid.
    pub(super) fn put(&self, object: Value) -> String {
        let object = Object::from_json(object.to_string().as_bytes()).expect("an object");
        self.fake.store.put(object).uid().to_owned()
    }

    pub(super) fn pod(&self, name: &str) -> Option<Object> {
        self.fake.store.get("pods", "default", name)
    }

    /// Changes a stored pod, as somebody else would.
    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut Object)) {
        let mut pod = self.pod(name).expect("a pod");
        change(&mut pod);
        self.fake.store.put(pod);
    }

    pub(super) fn status(&self, name: &str) -> Value {
        self.pod(name).and_then(|pod| pod.get(&["status"]).cloned()).unwrap_or_default()
    }

    /// The pod's only container's status.
    pub(super) fn container(&self, name: &str) -> Value {
        self.status(name)["containerStatuses"][0].clone()
    }

    /// The status of one of its conditions.
    pub(super) fn condition(&self, name: &str, kind: &str) -> Value {
        let conditions = self.status(name)["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|c| c["type"] == kind).map(|c| c["status"].clone()).unwrap_or_default()
    }

    /// Waits, in steps of paused time, for something to be so.
    pub(super) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            if Instant::now() > deadline {
                let pods = self.fake.store.list("pods", "");
                panic!("{what}: {pods:#?}");
            }
            tokio::time::sleep(STEP).await;
        }
    }

    /// Waits for the pod's only container to be in a state for a reason.
    pub(super) async fn until_state(&self, name: &str, state: &str, reason: &str) {
        let what = format!("{name} {state} {reason}");
        self.until(&what, |world| world.container(name)["state"][state]["reason"] == reason).await;
    }

    pub(super) async fn until_running(&self, name: &str) {
        self.until(name, |world| world.container(name)["state"]["running"].is_object()).await;
    }

    /// Lets so much of paused time pass: in small steps, for requests are answered in real time.
    pub(super) async fn pass(&self, seconds: u64) {
        for _ in 0..seconds * 10 {
            tokio::time::sleep(STEP).await;
        }
    }

    /// Its events, `COUNT TYPE REASON MESSAGE`, in the order of their making.
    pub(super) fn events(&self) -> Vec<String> {
        let mut events = self.fake.store.list("events", "");
        events.sort_by_key(|event| event.uid().trim_start_matches("uid-").parse::<u64>().expect("a number"));
        let line = |event: &Object| {
            let count = event.get(&["count"]).cloned().unwrap_or_default();
            let (kind, reason) = (event.text(&["type"]), event.text(&["reason"]));
            format!("{count} {kind} {reason} {}", event.text(&["message"]))
        };
        events.iter().map(line).collect()
    }

    /// Waits for an event of this line.
    pub(super) async fn until_event(&self, line: &str) {
        self.until(line, |world| world.events().iter().any(|event| event == line)).await;
    }

    /// Ends everything.
    pub(super) async fn stop(mut self) {
        self.agent.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no task panics");
        }
    }
}

fn run(
    config: Config,
    client: Client,
    runtime: Arc<FakeRuntime>,
    clock: Clock,
    host: Host,
) -> (Arc<Agent>, JoinSet<()>) {
    let services = table::find("", "services").expect("a kind");
    let (services, _) = Cache::start(client.clone(), Selection::all(services));
    let (events, told) = Recorder::new(clock.clone());
    let (sources, volumes) = Default::default();
    let stop = CancellationToken::new();
    let pressure = watch::Sender::new(eviction::first_look(&config.eviction, &host, clock.now()));
    let agent =
        Agent { config, client, runtime, stop, services, clock, events, sources, volumes, host, pressure };
    let (agent, mut tasks) = (Arc::new(agent), JoinSet::new());
    tasks.spawn(source::run(agent.clone()));
    tasks.spawn(events::run(agent.clone(), told));
    (agent, tasks)
}

/// A spec of one container named `web`.
pub(super) fn one(image: &str, policy: &str) -> Value {
    json!({"restartPolicy": policy, "containers": [{"name": "web", "image": image}]})
}
