//! The rules of one host: exact paths, then prefixes by whole elements, the longest first,
//! then what an Ingress's default backend takes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::backend::Backend;
use super::spelling::plain;

/// How a rule's path is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathType {
    Exact,
    /// Also what is left to the implementation.
    Prefix,
}

/// Who made a rule first: `namespace/name` of an Ingress.
type Owner = Arc<str>;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    exact: HashMap<String, (Arc<Backend>, Owner)>,
    /// By their path without a slash at the end; `""` is `/`.
    prefixes: HashMap<String, (Arc<Backend>, Owner)>,
    /// The elements of the longest prefix: what bounds the work for one request.
    deepest: usize,
    fallback: Option<(Arc<Backend>, Owner)>,
}

impl Rules {
    /// Adds a rule; gives back who has the same one already, and keeps theirs.
    pub(super) fn add(
        &mut self,
        kind: PathType,
        path: &str,
        to: Arc<Backend>,
        owner: &Owner,
    ) -> Option<Owner> {
        let path = &*plain(path);
        let (map, path) = match kind {
            PathType::Exact => (&mut self.exact, path),
            PathType::Prefix => (&mut self.prefixes, path.trim_end_matches('/')),
        };
        self.deepest = self.deepest.max(path.matches('/').count());
        match map.entry(path.to_owned()) {
            Entry::Occupied(first) => Some(Arc::clone(&first.get().1)),
            Entry::Vacant(place) => {
                place.insert((to, Arc::clone(owner)));
                None
            }
        }
    }

    /// Adds what takes every other request for the host.
    pub(super) fn add_fallback(&mut self, to: Arc<Backend>, owner: &Owner) -> Option<Owner> {
        match &self.fallback {
            Some((_, first)) => Some(Arc::clone(first)),
            None => {
                self.fallback = Some((to, Arc::clone(owner)));
                None
            }
        }
    }

    /// The rule for a path, however that is written.
    pub(super) fn find(&self, path: &str) -> Option<&Arc<Backend>> {
        let path = &*plain(path);
        let exact = self.exact.get(path).or_else(|| self.longest_prefix(path));
        exact.map(|(backend, _)| backend)
    }

    fn longest_prefix(&self, path: &str) -> Option<&(Arc<Backend>, Owner)> {
        // What is deeper than every prefix need not be looked at.
        let mut cut = match path.match_indices('/').nth(self.deepest) {
            Some((end, _)) => &path[..end],
            None => path.trim_end_matches('/'),
        };
        loop {
            if let Some(found) = self.prefixes.get(cut) {
                return Some(found);
            }
            cut = &cut[..cut.rfind('/')?];
        }
    }

    /// What takes requests that no path takes.
    pub(super) fn fallback(&self) -> Option<&Arc<Backend>> {
        self.fallback.as_ref().map(|(backend, _)| backend)
    }
}
