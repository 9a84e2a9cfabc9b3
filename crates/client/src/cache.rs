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
use machine::{Action, Input, Listed, Machine, Objects};

/// Changes that a slow subscriber may lag behind before it has to look at the whole again.
const CHANGES_KEPT: usize = 1024;
/// A stream without events or bookmarks is opened anew, at the next master. A master says
/// every ten seconds that nothing happened, and one cut off from its peers ends the stream:
/// this is for one that does neither.
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
#[derive(Debug, PartialEq)]
pub enum Change<T = Object> {
    /// It is there in this form now.
    Applied(Arc<T>),
    /// It is gone; as it was last.
    Deleted(Arc<T>),
}

impl<T> Clone for Change<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Applied(object) => Self::Applied(Arc::clone(object)),
            Self::Deleted(object) => Self::Deleted(Arc::clone(object)),
        }
    }
}

/// The kept collection: whole objects, or what is needed of each. Dropping it ends its
/// task; [`Cache::stop`] waits for that.
pub struct Cache<T = Object> {
    objects: Arc<RwLock<Objects<T>>>,
    changes: broadcast::Sender<Change<T>>,
    synced: watch::Receiver<bool>,
    cancel: CancellationToken,
    task: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Cache {
    /// Starts to keep it. The receiver gets every change from the first list on.
    #[must_use]
    pub fn start(client: Client, selection: Selection) -> (Arc<Self>, broadcast::Receiver<Change>) {
        Self::start_with(client, selection, |object| object)
    }
}

impl<T: PartialEq + Send + Sync + 'static> Cache<T> {
    /// Starts to keep what `project` makes of each object, and nothing else of it. What it
    /// makes the same of is told as no change.
    #[must_use]
    pub fn start_with(
        client: Client,
        selection: Selection,
        project: fn(Object) -> T,
    ) -> (Arc<Self>, broadcast::Receiver<Change<T>>) {
        let (changes, receiver) = broadcast::channel(CHANGES_KEPT);
        let (synced_sender, synced) = watch::channel(false);
        let objects = Arc::new(RwLock::new(Objects::new()));
        let cancel = CancellationToken::new();
        let driver = Driver {
            client,
            selection,
            project,
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
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<T>> {
        let key = (namespace.to_owned(), name.to_owned());
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        objects.get(&key).map(|kept| Arc::clone(&kept.object))
    }

    /// All of it, sorted by namespace and name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<T>> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        objects.values().map(|kept| Arc::clone(&kept.object)).collect()
    }

    /// Changes from now on. Who lags behind by more than a thousand gets `Lagged`, and
    /// looks at [`Cache::list`] again.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change<T>> {
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

impl<T> Drop for Cache<T> {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

struct Driver<T> {
    client: Client,
    selection: Selection,
    project: fn(Object) -> T,
    objects: Arc<RwLock<Objects<T>>>,
    changes: broadcast::Sender<Change<T>>,
    synced: watch::Sender<bool>,
    stream: Option<WatchStream>,
}

impl<T: PartialEq + Send + Sync + 'static> Driver<T> {
    async fn run(mut self) {
        let mut machine = Machine::new(self.project);
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

    async fn execute(&mut self, action: Action) -> Input<T> {
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

    async fn list(&self) -> Result<crate::ObjectList<Listed<T>>, ApiError> {
        let Selection { resource, namespace, label_selector, field_selector } = &self.selection;
        let params =
            ListParams { label_selector: label_selector.clone(), field_selector: field_selector.clone() };
        let project = self.project;
        let listed = |object| machine::listed(object, project);
        self.client.list_with(resource, namespace, &params, listed).await
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

    async fn receive(&mut self) -> Input<T> {
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

    fn log(&self, input: &Input<T>) {
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
