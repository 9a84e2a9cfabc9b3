//! A collection kept at hand by list and watch. It resumes over any master at the last
//! revision, so that no event is missed or told twice, and lists again when that revision
//! was compacted. What it holds may be older than the store, never newer or torn.

mod machine;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use xebec_api::error::ApiError;
use xebec_api::object::Object;

use crate::client::Client;
use crate::read::ListParams;
use crate::resource_name::ResourceName;
use crate::watch::{WatchParams, WatchStream};
use machine::{Action, Input, Machine, Objects};

/// Changes that a slow subscriber may lag behind before it has to look at the whole again.
const CHANGES_KEPT: usize = 1024;
/// A stream without events or bookmarks is opened anew, at the next master: a master cut
/// off from its peers would keep it open and have nothing to tell.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);

/// Which part of a collection to keep.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Which kind.
    pub resource: ResourceName,
    /// `""` for all.
    pub namespace: String,
    /// `""` for all.
    pub label_selector: String,
    /// `""` for all.
    pub field_selector: String,
}

impl Selection {
    /// The whole collection, over all namespaces.
    pub fn all(resource: impl Into<ResourceName>) -> Self {
        let (namespace, label_selector, field_selector) = Default::default();
        Self { resource: resource.into(), namespace, label_selector, field_selector }
    }
}

/// How the cache changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is there in this form now.
    Applied(Arc<Object>),
    /// It is gone; as it was last.
    Deleted(Arc<Object>),
}

/// The kept collection. Dropping it ends its task; [`Cache::stop`] waits for that.
pub struct Cache {
    objects: Arc<RwLock<Objects>>,
    changes: broadcast::Sender<Change>,
    synced: watch::Receiver<bool>,
    cancel: CancellationToken,
    task: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Cache {
    /// Starts to keep it. The receiver gets every change from the first list on.
    #[must_use]
    pub fn start(client: Client, selection: Selection) -> (Arc<Self>, broadcast::Receiver<Change>) {
        let (changes, receiver) = broadcast::channel(CHANGES_KEPT);
        let (synced_sender, synced) = watch::channel(false);
        let objects = Arc::new(RwLock::new(Objects::new()));
        let cancel = CancellationToken::new();
        let driver = Driver {
            client,
            selection,
            objects: Arc::clone(&objects),
            changes: changes.clone(),
            synced: synced_sender,
            stream: None,
        };
        let token = cancel.clone();
        let task = tokio::spawn(async move {
            let _ = token.run_until_cancelled(driver.run()).await;
        });
        (Arc::new(Self { objects, changes, synced, cancel, task: Some(task).into() }), receiver)
    }

    /// One object, by namespace (`""` for cluster scope) and name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<Object>> {
        let key = (namespace.to_owned(), name.to_owned());
        self.objects.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// All of it, sorted by namespace and name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Object>> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Changes from now on. Who lags behind by more than a thousand gets `Lagged`, and
    /// looks at [`Cache::list`] again.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Whether it was listed at least once.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// Waits until it was listed once. `false` when it was stopped before.
    pub async fn synced(&self) -> bool {
        self.synced.clone().wait_for(|synced| *synced).await.is_ok()
    }

    /// Ends the task and waits for it. What was kept stays readable.
    pub async fn stop(&self) {
        self.cancel.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // It ends at its next wait; a panic in it was reported where it happened.
            let _ = task.await;
        }
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

struct Driver {
    client: Client,
    selection: Selection,
    objects: Arc<RwLock<Objects>>,
    changes: broadcast::Sender<Change>,
    synced: watch::Sender<bool>,
    stream: Option<WatchStream>,
}

impl Driver {
    async fn run(mut self) {
        let mut machine = Machine::new();
        loop {
            let (wait, action) = machine.action();
            if !wait.is_zero() {
                sleep(wait).await;
            }
            let input = self.execute(action).await;
            self.log(&input);
            let listed = matches!(input, Input::Listed(Ok(_)));
            {
                let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
                for change in machine.step(&mut objects, input) {
                    // Err means that nobody listens.
                    let _ = self.changes.send(change);
                }
            }
            if listed {
                self.synced.send_replace(true);
            }
        }
    }

    async fn execute(&mut self, action: Action) -> Input {
        match action {
            Action::List => Input::Listed(self.list().await),
            Action::Open { revision } => match self.open(revision).await {
                Ok(stream) => {
                    self.stream = Some(stream);
                    Input::Opened(Ok(()))
                }
                Err(error) => Input::Opened(Err(error)),
            },
            Action::Receive => self.receive().await,
        }
    }

    async fn list(&self) -> Result<crate::ObjectList, ApiError> {
        let Selection { resource, namespace, label_selector, field_selector } = &self.selection;
        let params =
            ListParams { label_selector: label_selector.clone(), field_selector: field_selector.clone() };
        self.client.list(resource, namespace, &params).await
    }

    async fn open(&self, revision: String) -> Result<WatchStream, ApiError> {
        let Selection { resource, namespace, label_selector, field_selector } = &self.selection;
        let params = WatchParams {
            label_selector: label_selector.clone(),
            field_selector: field_selector.clone(),
            resource_version: revision,
            timeout_seconds: 0,
        };
        self.client.watch(resource, namespace, &params).await
    }

    async fn receive(&mut self) -> Input {
        let Some(stream) = self.stream.as_mut() else {
            return Input::Ended(None);
        };
        let input = match timeout(LONGEST_SILENCE, stream.next()).await {
            Ok(Ok(Some((event, revision)))) => return Input::Received(event, revision),
            Ok(Ok(None)) => Input::Ended(None),
            Ok(Err(error)) => Input::Ended(Some(error)),
            Err(_) => {
                stream.pass_over();
                Input::Ended(None)
            }
        };
        self.stream = None;
        input
    }

    fn log(&self, input: &Input) {
        let resource = &self.selection.resource.plural;
        match input {
            Input::Listed(Err(error)) => tracing::warn!(%resource, %error, "list failed, trying again"),
            Input::Opened(Err(error)) => tracing::warn!(%resource, %error, "watch failed, trying again"),
            Input::Ended(Some(error)) => tracing::debug!(%resource, %error, "watch ended"),
            Input::Ended(None) => tracing::trace!(%resource, "watch ended"),
            _ => {}
        }
    }
}
