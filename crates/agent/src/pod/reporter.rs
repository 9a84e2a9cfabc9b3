//! Writes a pod's status, so that its worker never waits for a master: what was said last
//! is compared with the object as the API has it, and written until it is there.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_client::{ApiError, Reason};

use crate::pod::status;
use crate::run::Agent;

/// Between two tries while no master takes it.
const RETRY: Duration = Duration::from_secs(1);
/// How often another writer may be quicker before it counts as a failure.
const CONFLICTS: usize = 5;
/// How long a last word may take.
const LAST_WORD: Duration = Duration::from_secs(3);

/// The object as the API had it, and what the agent says of it.
#[derive(Clone)]
struct Said {
    object: Arc<Object>,
    status: Value,
}

/// One pod's reporter.
pub(crate) struct Reporter {
    said: watch::Sender<Option<Said>>,
    task: JoinHandle<()>,
}

impl Reporter {
    pub(crate) fn start(agent: Arc<Agent>) -> Self {
        let (said, heard) = watch::channel(None);
        Self { said, task: tokio::spawn(follow(agent, heard)) }
    }

    pub(crate) fn say(&self, object: Arc<Object>, status: Value) {
        self.said.send_replace(Some(Said { object, status }));
    }

    /// Ends it when the last word is written, or cannot be.
    pub(crate) async fn finish(self) {
        drop(self.said);
        let mut task = self.task;
        if tokio::time::timeout(LAST_WORD, &mut task).await.is_err() {
            task.abort();
            // Cancelled is how it ends.
            let _ = task.await;
        }
    }
}

async fn follow(agent: Arc<Agent>, mut heard: watch::Receiver<Option<Said>>) {
    // What the last write made of the object: the watch may not have brought it yet.
    let mut stored: Option<Object> = None;
    while heard.changed().await.is_ok() {
        loop {
            let said = heard.borrow_and_update().clone();
            let Some(said) = said else { break };
            let Err(error) = write(&agent, &mut stored, &said).await else { break };
            tracing::warn!(%error, pod = said.object.name(), "a pod's status was not taken");
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                changed = heard.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// Writes what differs; another writer in between is read again.
async fn write(agent: &Agent, stored: &mut Option<Object>, said: &Said) -> Result<(), ApiError> {
    let row = table::find("", "pods").expect("a built-in kind");
    let mut base = newest(&said.object, stored.as_ref()).clone();
    for _ in 0..CONFLICTS {
        let old = base.get(&["status"]).cloned().unwrap_or_default();
        let merged = status::merge(&old, &said.status, agent.clock.now());
        if base.uid() != said.object.uid() || status::same(&old, &merged) {
            return Ok(());
        }
        base.set(&["status"], merged);
        match agent.client.update_status(row, &base).await {
            Ok(object) => {
                *stored = Some(object);
                return Ok(());
            }
            Err(error) if error.reason == Reason::NotFound => return Ok(()),
            Err(error) if error.reason == Reason::Conflict => {
                match agent.client.find(row, base.namespace(), base.name()).await? {
                    Some(object) => base = object,
                    None => return Ok(()),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(ApiError::new(Reason::Conflict, "another writer was always quicker"))
}

fn newest<'a>(seen: &'a Object, stored: Option<&'a Object>) -> &'a Object {
    let version = |object: &Object| object.resource_version().parse::<u64>().unwrap_or_default();
    stored.filter(|stored| version(stored) > version(seen)).unwrap_or(seen)
}
