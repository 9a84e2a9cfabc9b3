//! ConfigMaps and Secrets as pods use them. A node may only get them one by one, so what
//! running pods are kept up to date with is remembered for a moment and shared by them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use tokio::time::Instant;
use xebec_api::object::Object;
use xebec_api::table;

use crate::run::Agent;

/// The entries of a ConfigMap or a Secret.
pub(crate) type Entries = BTreeMap<String, Vec<u8>>;

/// How old what is known may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// For a start: as it is now.
    Fresh,
    /// For a container that runs already.
    Recent,
}

/// What is asked again after this.
const RECENT: Duration = Duration::from_secs(4);

/// Which one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference<'a> {
    pub(crate) plural: &'static str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) optional: bool,
}

type Key = (&'static str, String, String);

/// What was asked for lately.
#[derive(Default)]
pub(crate) struct Sources(Mutex<BTreeMap<Key, (Instant, Option<Entries>)>>);

impl Sources {
    fn recent(&self, key: &Key) -> Option<Option<Entries>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(at, _)| at.elapsed() < RECENT).map(|(_, entries)| entries.clone())
    }

    fn remember(&self, key: Key, entries: Option<Entries>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody takes what is older: it is bounded by what is asked for within a moment.
        known.retain(|_, (at, _)| at.elapsed() < RECENT);
        known.insert(key, (Instant::now(), entries));
    }
}

/// The entries; none of an optional one that is not there.
///
/// # Errors
/// It is not there, or the API does not say.
pub(crate) async fn entries(agent: &Agent, reference: Reference<'_>, age: Age) -> Result<Entries, String> {
    let Reference { plural, namespace, name, optional } = reference;
    let key = (plural, namespace.to_owned(), name.to_owned());
    let known = if age == Age::Recent { agent.sources.recent(&key) } else { None };
    let found = match known {
        Some(found) => found,
        None => {
            let row = table::find("", plural).expect("a built-in kind");
            let found = agent.client.find(row, namespace, name).await.map_err(|error| error.message)?;
            let found = found.map(|object| of(&object)).transpose()?;
            agent.sources.remember(key, found.clone());
            found
        }
    };
    match found {
        Some(found) => Ok(found),
        None if optional => Ok(Entries::new()),
        None => Err(format!("{} {name:?} not found", plural.trim_end_matches('s'))),
    }
}

fn of(object: &Object) -> Result<Entries, String> {
    let unreadable = |error| format!("{} {:?}: {error}", object.kind(), object.name());
    if object.kind() == "Secret" {
        let secret: Secret = object.typed().map_err(unreadable)?;
        return Ok(secret.data.into_iter().flatten().map(|(key, value)| (key, value.0)).collect());
    }
    let map: ConfigMap = object.typed().map_err(unreadable)?;
    let text = map.data.into_iter().flatten().map(|(key, value)| (key, value.into_bytes()));
    Ok(text.chain(map.binary_data.into_iter().flatten().map(|(key, value)| (key, value.0))).collect())
}
