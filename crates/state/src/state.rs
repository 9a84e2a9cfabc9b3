//! The state itself, and how it is read.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use imbl::OrdMap;

use crate::Key;
use crate::ring::{Compacted, Event, EventKind, Ring};

/// Namespace and name, the order of a list.
type Name = (Arc<str>, Arc<str>);

/// Everything the cluster agreed on. Clones share; a clone never changes.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(crate) objects: OrdMap<Arc<str>, OrdMap<Name, Entry>>,
    pub(crate) rings: OrdMap<Arc<str>, Ring>,
    pub(crate) revision: u64,
    pub(crate) hash: u64,
    /// No event up to this revision is known: the state came from a snapshot then.
    pub(crate) floor: u64,
}

/// One stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Canonical JSON without `metadata.resourceVersion`.
    pub value: Bytes,
    /// The revision of its last change: its `resourceVersion`.
    pub revision: u64,
}

impl State {
    /// The revision of the last mutation, 0 for an empty state.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// A hash of every object and its revision, independent of how the state came
    /// about. Kept up to date in O(1) a mutation.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// One object.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.objects.get(&key.resource)?.get(&(key.namespace.clone(), key.name.clone()))
    }

    /// The objects of a resource in order of namespace and name: those of one
    /// namespace, or with `None` all.
    pub fn list<'a>(
        &'a self,
        resource: &str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>, &'a Entry)> + use<'a> {
        self.list_after(resource, namespace, None)
    }

    /// As [`State::list`], from behind the object `after`.
    pub fn list_after<'a>(
        &'a self,
        resource: &str,
        namespace: Option<&'a str>,
        after: Option<(&str, &str)>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>, &'a Entry)> + use<'a> {
        let from = match (after, namespace) {
            (Some((namespace, name)), _) => Bound::Excluded((namespace.into(), name.into())),
            (None, Some(namespace)) => Bound::Included((namespace.into(), "".into())),
            (None, None) => Bound::Unbounded,
        };
        let objects = self.objects.get(resource);
        objects
            .into_iter()
            .flat_map(move |objects| objects.range::<_, Name>((from.clone(), Bound::Unbounded)))
            .take_while(move |((found, _), _)| namespace.is_none_or(|wanted| **found == *wanted))
            .map(|((namespace, name), entry)| (namespace, name, entry))
    }

    /// Objects of a resource.
    #[must_use]
    pub fn count(&self, resource: &str) -> usize {
        self.objects.get(resource).map_or(0, OrdMap::len)
    }

    /// The names of all resources that hold objects.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<str>> {
        self.objects.keys()
    }

    /// The revision of the last change to a resource, or of the snapshot that this state
    /// came from: while it is the same, so are the resource's objects.
    #[must_use]
    pub fn changed_at(&self, resource: &str) -> u64 {
        self.rings.get(resource).and_then(Ring::last).unwrap_or(self.floor)
    }

    /// What happened to a resource after a revision, oldest first.
    ///
    /// # Errors
    /// [`Compacted`] when events behind `revision` are gone: list again.
    pub fn events_after(&self, resource: &str, revision: u64) -> Result<Vec<Event>, Compacted> {
        if revision < self.floor {
            return Err(Compacted { floor: self.floor });
        }
        match self.rings.get(resource) {
            Some(ring) => ring.after(revision),
            None => Ok(Vec::new()),
        }
    }

    /// A state whose objects of one resource are those of an earlier revision: what
    /// happened since is undone. The other resources, the events and the hash are not.
    ///
    /// # Errors
    /// [`Compacted`] when events behind `revision` are gone.
    pub fn rewound(&self, resource: &str, revision: u64) -> Result<Self, Compacted> {
        let mut past = self.clone();
        for event in self.events_after(resource, revision)?.into_iter().rev() {
            let name = (event.key.namespace, event.key.name);
            let objects = past.objects.entry(event.key.resource).or_default();
            match event.kind {
                EventKind::Added => objects.remove(&name),
                EventKind::Modified | EventKind::Deleted => {
                    objects.insert(name, Entry { value: event.previous, revision: event.previous_revision })
                }
            };
        }
        past.revision = revision.min(self.revision);
        Ok(past)
    }
}
