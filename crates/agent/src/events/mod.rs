//! What the agent tells of its pods: Kubernetes Events. Best effort and never in the way:
//! a pod's worker hands them to a bounded queue, one task sends them.

mod correlator;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::mpsc;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_api::time::rfc3339;
use xebec_client::{Patch, Reason};

use self::correlator::{Correlator, Known, Sending};
use crate::clock::Clock;
use crate::run::Agent;

/// Events that wait to be sent; more are dropped.
const QUEUED: usize = 256;

/// So much of a message is sent, as Kubernetes has it: what a container says may be long.
const MESSAGE_BYTES: usize = 1024;
/// Stands for what was left out of one.
const LEFT_OUT: &str = "...";

/// One thing that happened to a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    namespace: String,
    pod: String,
    uid: String,
    /// Such as `spec.containers{web}`; `""` for the pod itself.
    field_path: String,
    warning: bool,
    reason: &'static str,
    message: String,
    at: Timestamp,
}

/// Takes events, at once.
pub(crate) struct Recorder {
    queue: mpsc::Sender<Told>,
    clock: Clock,
}

impl Recorder {
    /// A recorder, and the queue for [`run`].
    pub(crate) fn new(clock: Clock) -> (Self, mpsc::Receiver<Told>) {
        let (queue, told) = mpsc::channel(QUEUED);
        (Self { queue, clock }, told)
    }

    pub(crate) fn normal(&self, pod: &Object, container: &str, reason: &'static str, message: String) {
        self.tell(pod, container, false, reason, message);
    }

    pub(crate) fn warning(&self, pod: &Object, container: &str, reason: &'static str, message: String) {
        self.tell(pod, container, true, reason, message);
    }

    fn tell(&self, pod: &Object, container: &str, warning: bool, reason: &'static str, message: String) {
        let told = Told {
            namespace: pod.namespace().to_owned(),
            pod: pod.name().to_owned(),
            uid: pod.uid().to_owned(),
            field_path: field_path(pod, container),
            warning,
            reason,
            message: shortened(message),
            at: self.clock.now(),
        };
        if self.queue.try_send(told).is_err() {
            tracing::debug!(pod = pod.name(), reason, "an event was dropped: too many wait");
        }
    }
}

fn shortened(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES - LEFT_OUT.len()));
        message.push_str(LEFT_OUT);
    }
    message
}

fn field_path(pod: &Object, container: &str) -> String {
    if container.is_empty() {
        return String::new();
    }
    let init = pod.get(&["spec", "initContainers"]).and_then(|list| list.as_array());
    let init = init.into_iter().flatten().any(|c| c["name"] == container);
    format!("spec.{}{{{container}}}", if init { "initContainers" } else { "containers" })
}

/// Sends what is told until the agent stops.
pub(crate) async fn run(agent: Arc<Agent>, mut told: mpsc::Receiver<Told>) {
    let mut correlator = Correlator::default();
    loop {
        let told = tokio::select! {
            told = told.recv() => told,
            () = agent.stop.cancelled() => return,
        };
        let Some(told) = told else { return };
        let sent = agent.stop.run_until_cancelled(send(&agent, &mut correlator, &told)).await;
        if let Some(Err(error)) = sent {
            tracing::debug!(%error, reason = told.reason, "an event was not taken");
        }
    }
}

async fn send(agent: &Agent, correlator: &mut Correlator, told: &Told) -> Result<(), xebec_client::ApiError> {
    let row = table::find("", "events").expect("a built-in kind");
    match correlator.admit(told) {
        Sending::Nothing => Ok(()),
        Sending::New => {
            let made = agent.client.create(row, &event(&agent.config.name, told)).await?;
            correlator.made(told, made.name());
            Ok(())
        }
        Sending::Again(Known { name, count, .. }) => {
            let again = json!({"count": count, "lastTimestamp": rfc3339(told.at)});
            match agent.client.patch(row, &told.namespace, &name, &Patch::Merge(again)).await {
                // Its time was over: the next one is new.
                Err(error) if error.reason == Reason::NotFound => {
                    correlator.forget(told);
                    let made = agent.client.create(row, &event(&agent.config.name, told)).await?;
                    correlator.made(told, made.name());
                    Ok(())
                }
                outcome => outcome.map(drop),
            }
        }
    }
}

fn event(node: &str, told: &Told) -> Object {
    let time = rfc3339(told.at);
    let name = format!("{}.{:016x}", told.pod, rand::random::<u64>());
    let mut about = json!({
        "apiVersion": "v1", "kind": "Pod", "namespace": told.namespace, "name": told.pod, "uid": told.uid,
    });
    if !told.field_path.is_empty() {
        about["fieldPath"] = told.field_path.as_str().into();
    }
    let mut event = Object::default();
    event.set(&["apiVersion"], "v1");
    event.set(&["kind"], "Event");
    event.set(&["metadata"], json!({"name": name, "namespace": told.namespace}));
    event.set(&["involvedObject"], about);
    event.set(&["type"], if told.warning { "Warning" } else { "Normal" });
    event.set(&["reason"], told.reason);
    event.set(&["message"], told.message.as_str());
    event.set(&["source"], json!({"component": "kubelet", "host": node}));
    event.set(&["reportingComponent"], "kubelet");
    event.set(&["reportingInstance"], node);
    event.set(&["firstTimestamp"], time.as_str());
    event.set(&["lastTimestamp"], time);
    event.set(&["count"], 1);
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_two_characters() {
        let whole = "x".repeat(MESSAGE_BYTES);
        assert_eq!(shortened(whole.clone()), whole);
        let cut = shortened("ä".repeat(40_000));
        assert_eq!(cut, format!("{}...", "ä".repeat(510)));
    }
}
