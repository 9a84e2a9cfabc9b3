//! The fake's store: objects by address, one counter, and every event since the last
//! compaction.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::table;
use xebec_rpc::v1::watch_event::Type;

/// Storage name, namespace, name.
pub(crate) type Address = (String, String, String);

/// One change, as the watch tells it.
#[derive(Clone)]
pub(crate) struct Logged {
    pub(crate) revision: u64,
    pub(crate) resource: String,
    pub(crate) kind: Type,
    pub(crate) object: Object,
}

#[derive(Default)]
struct Inner {
    objects: BTreeMap<Address, Object>,
    log: Vec<Logged>,
    revision: u64,
    floor: u64,
    uids: u64,
}

/// Objects and their history.
pub struct Store {
    inner: Mutex<Inner>,
    revisions: watch::Sender<u64>,
}

impl Default for Store {
    fn default() -> Self {
        Self { inner: Mutex::default(), revisions: watch::channel(0).0 }
    }
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn revisions(&self) -> watch::Receiver<u64> {
        self.revisions.subscribe()
    }

    pub(crate) fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// Makes or replaces an object by its own kind and name; gives it with its uid and version.
    ///
    /// # Panics
    /// On a kind that is not in the resource table.
    pub fn put(&self, object: Object) -> Object {
        let row = table::by_kind(object.api_version(), object.kind()).expect("a kind of the table");
        self.put_at(&row.storage_name(), object)
    }

    pub(crate) fn put_at(&self, resource: &str, mut object: Object) -> Object {
        let mut inner = self.lock();
        let address = (resource.to_owned(), object.namespace().to_owned(), object.name().to_owned());
        inner.revision += 1;
        let kind = match inner.objects.get(&address) {
            Some(old) => {
                object.set(&["metadata", "uid"], old.uid());
                Type::Modified
            }
            None => {
                inner.uids += 1;
                object.set(&["metadata", "uid"], format!("uid-{}", inner.uids));
                Type::Added
            }
        };
        object.set(&["metadata", "resourceVersion"], inner.revision.to_string());
        inner.objects.insert(address, object.clone());
        self.log(inner, resource, kind, object)
    }

    /// Takes an object away.
    #[must_use]
    pub fn remove(&self, resource: &str, namespace: &str, name: &str) -> Option<Object> {
        let mut inner = self.lock();
        let address = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        let mut object = inner.objects.remove(&address)?;
        inner.revision += 1;
        object.set(&["metadata", "resourceVersion"], inner.revision.to_string());
        Some(self.log(inner, resource, Type::Deleted, object))
    }

    fn log(&self, mut inner: MutexGuard<'_, Inner>, resource: &str, kind: Type, object: Object) -> Object {
        let revision = inner.revision;
        inner.log.push(Logged { revision, resource: resource.to_owned(), kind, object: object.clone() });
        drop(inner);
        self.revisions.send_replace(revision);
        object
    }

    /// One object, by its name in the store (`apps/deployments`).
    #[must_use]
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Object> {
        let address = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.lock().objects.get(&address).cloned()
    }

    /// A collection; the namespace `""` means all.
    #[must_use]
    pub fn list(&self, resource: &str, namespace: &str) -> Vec<Object> {
        let inner = self.lock();
        let all = inner
            .objects
            .iter()
            .filter(|((r, n, _), _)| r == resource && (namespace.is_empty() || n == namespace));
        all.map(|(_, object)| object.clone()).collect()
    }

    /// Forgets every event so far: a watch from an older revision is `Expired`.
    pub fn compact(&self) {
        let mut inner = self.lock();
        inner.floor = inner.revision;
        inner.log.clear();
    }

    /// The events after a revision.
    pub(crate) fn since(&self, revision: u64) -> Result<Vec<Logged>, ApiError> {
        let inner = self.lock();
        if revision < inner.floor {
            return Err(ApiError::new(Reason::Expired, format!("too old resource version: {revision}")));
        }
        Ok(inner.log.iter().filter(|logged| logged.revision > revision).cloned().collect())
    }
}
