//! From the API's changes to the next table: what comes in a burst is gathered, and only
//! what changed is compiled.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;
use xebec_api::object::Object;
use xebec_client::{Cache, Change, Client, Selection};
use xebec_dataplane::dns::{DnsService, DnsSlice, Settings, Table, Zone};

use crate::resolver::Resolver;

/// Changes come in bursts (a rollout, a dead node): so long after the first one, all are
/// taken at once.
const GATHER: Duration = Duration::from_millis(20);

/// What is kept of an object; a hundredth of it, mostly.
#[derive(Debug, PartialEq)]
struct Known {
    namespace: Box<str>,
    name: Box<str>,
    part: Part,
}

#[derive(Debug, PartialEq)]
enum Part {
    Namespace,
    Service(Arc<DnsService>),
    Slice(Option<Arc<DnsSlice>>),
}

/// What is kept of an object.
type Project = fn(Object) -> Known;

/// What is followed, by group and plural.
const KINDS: [(&str, &str, Project); 3] = [
    ("", "namespaces", |object| known(&object, Part::Namespace)),
    ("", "services", |object| known(&object, Part::Service(Arc::new(DnsService::of(&object))))),
    ("discovery.k8s.io", "endpointslices", |object| {
        known(&object, Part::Slice(DnsSlice::of(&object).map(Arc::new)))
    }),
];

fn known(object: &Object, part: Part) -> Known {
    Known { namespace: object.namespace().into(), name: object.name().into(), part }
}

/// One kind's objects.
struct Source {
    cache: Arc<Cache<Known>>,
    changes: Receiver<Change<Known>>,
}

/// The zone, and where its changes come from.
pub(crate) struct Follower {
    zone: Zone,
    sources: Vec<Source>,
    settings: Settings,
}

impl Follower {
    /// Begins to list.
    pub(crate) fn start(client: &Client, settings: Settings) -> Self {
        let sources = KINDS.map(|(group, plural, project)| {
            let selection = Selection::all((group, plural));
            let (cache, changes) = Cache::start_with(client.clone(), selection, project);
            Source { cache, changes }
        });
        Self { zone: Zone::new(settings.clone()), sources: sources.into(), settings }
    }

    /// The first whole table; `None` when it was stopped before.
    pub(crate) async fn first(&mut self) -> Option<Table> {
        for source in &self.sources {
            if !source.cache.synced().await {
                return None;
            }
        }
        self.rebuild();
        Some(self.zone.publish(serial()))
    }

    /// Brings every change into the resolver's table until `stop`.
    pub(crate) async fn follow(mut self, resolver: &Resolver, stop: &CancellationToken) {
        while stop.run_until_cancelled(self.changed()).await.is_some() {
            if stop.run_until_cancelled(tokio::time::sleep(GATHER)).await.is_none() {
                break;
            }
            self.take_all();
            resolver.set_table(self.zone.publish(serial()));
        }
        for source in &self.sources {
            source.cache.stop().await;
        }
    }

    /// Waits for the first change of any kind, and takes it.
    async fn changed(&mut self) {
        let [a, b, c] = &mut self.sources[..] else { unreachable!("there are three kinds") };
        let change = tokio::select! {
            change = a.changes.recv() => change,
            change = b.changes.recv() => change,
            change = c.changes.recv() => change,
        };
        match change {
            Ok(change) => set(&mut self.zone, &change),
            Err(RecvError::Lagged(_)) => self.rebuild(),
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    /// Takes every change that is there by now.
    fn take_all(&mut self) {
        use tokio::sync::broadcast::error::TryRecvError;
        let mut lagged = false;
        for source in &mut self.sources {
            loop {
                match source.changes.try_recv() {
                    Ok(change) => set(&mut self.zone, &change),
                    Err(TryRecvError::Lagged(_)) => lagged = true,
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
        }
        if lagged {
            self.rebuild();
        }
    }

    /// Makes the zone anew from what the caches hold: after the first list, and where more
    /// happened than was kept.
    fn rebuild(&mut self) {
        self.zone = Zone::new(self.settings.clone());
        for source in &mut self.sources {
            // What is told before this point is in the list that is read after it.
            source.changes = source.changes.resubscribe();
            for object in source.cache.list() {
                set(&mut self.zone, &Change::Applied(object));
            }
        }
    }
}

fn set(zone: &mut Zone, change: &Change<Known>) {
    let (object, there) = match change {
        Change::Applied(object) => (object, true),
        Change::Deleted(object) => (object, false),
    };
    let (namespace, name) = (&object.namespace, &object.name);
    match &object.part {
        Part::Namespace => zone.set_namespace(name, there),
        Part::Service(service) => zone.set_service(namespace, name, there.then(|| Arc::clone(service))),
        Part::Slice(slice) => zone.set_slice(namespace, name, slice.clone().filter(|_| there)),
    }
}

/// Two servers that tell the same at the same time say about the same number.
#[allow(clippy::disallowed_methods, reason = "a serial number is a time, and nothing is decided by it")]
fn serial() -> u32 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}
