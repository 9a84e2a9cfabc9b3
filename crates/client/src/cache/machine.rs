//! List and watch as a state machine: what happened goes in, what changed comes out, and
//! [`Machine::action`] says what to do next. No clock, no I/O.
//!
//! ```text
//!            listed               opened
//!  Listing ─────────► Opening ─────────────► Following ──┐ event: revision moves on
//!     ▲ ▲──┐ failed    ▲ ▲──┐ failed          │  │  ▲─────┘
//!     │ └──┘ wait      │ └──┘ wait            │  │
//!     │                └── ended, silent ─────┘  │
//!     └─────────────── Expired ──────────────────┘  (from Opening too)
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;

use crate::backoff::Backoff;
use crate::cache::Change;
use crate::read::ObjectList;
use crate::watch::Event;

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Namespace and name.
pub(crate) type Key = (String, String);
pub(crate) type Objects<T> = BTreeMap<Key, Kept<T>>;
/// One of a list.
pub(crate) type Listed<T> = (Key, Kept<T>);

/// What is kept of an object, and which object it was.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    pub(crate) object: Arc<T>,
    uid: Box<str>,
}

/// What is kept of an object, and under which key.
pub(crate) fn listed<T>(object: Object, project: fn(Object) -> T) -> Listed<T> {
    let (key, uid) = (key(&object), object.uid().into());
    (key, Kept { object: Arc::new(project(object)), uid })
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Listing,
    Opening { revision: String },
    Following { revision: String },
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Input<T> {
    Listed(Result<ObjectList<Listed<T>>, ApiError>),
    Opened(Result<(), ApiError>),
    Received(Event, String),
    /// The stream closed, broke (with why) or was silent for too long.
    Ended(Option<ApiError>),
}

/// What to do next, after waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    List,
    Open { revision: String },
    Receive,
}

pub(crate) struct Machine<T> {
    project: fn(Object) -> T,
    state: State,
    backoff: Backoff,
    wait: Duration,
}

impl<T: PartialEq> Machine<T> {
    pub(crate) fn new(project: fn(Object) -> T) -> Self {
        let backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        Self { project, state: State::Listing, backoff, wait: Duration::ZERO }
    }

    /// What to do next, and how long to wait before.
    pub(crate) fn action(&self) -> (Duration, Action) {
        let action = match &self.state {
            State::Listing => Action::List,
            State::Opening { revision } => Action::Open { revision: revision.clone() },
            State::Following { .. } => Action::Receive,
        };
        (self.wait, action)
    }

    /// Takes in what happened; changes `objects` and tells how, in order.
    pub(crate) fn step(&mut self, objects: &mut Objects<T>, input: Input<T>) -> Vec<Change<T>> {
        self.wait = Duration::ZERO;
        match input {
            Input::Listed(Ok(list)) => {
                self.state = State::Opening { revision: list.resource_version };
                replace(objects, list.items)
            }
            Input::Opened(Ok(())) => {
                let revision = self.revision();
                self.state = State::Following { revision };
                Vec::new()
            }
            Input::Received(event, revision) => {
                self.backoff.reset();
                self.state = State::Following { revision };
                apply(objects, event, self.project).into_iter().collect()
            }
            Input::Listed(Err(error)) | Input::Opened(Err(error)) => self.fall_back(Some(&error)),
            Input::Ended(error) => self.fall_back(error.as_ref()),
        }
    }

    fn fall_back(&mut self, error: Option<&ApiError>) -> Vec<Change<T>> {
        self.wait = self.backoff.next_wait();
        let expired = error.is_some_and(|error| error.reason == Reason::Expired);
        self.state = match &self.state {
            State::Opening { .. } | State::Following { .. } if !expired => {
                State::Opening { revision: self.revision() }
            }
            _ => State::Listing,
        };
        Vec::new()
    }

    fn revision(&self) -> String {
        match &self.state {
            State::Listing => String::new(),
            State::Opening { revision } | State::Following { revision } => revision.clone(),
        }
    }
}

fn key(object: &Object) -> Key {
    (object.namespace().to_owned(), object.name().to_owned())
}

fn apply<T: PartialEq>(
    objects: &mut Objects<T>,
    event: Event,
    project: fn(Object) -> T,
) -> Option<Change<T>> {
    match event {
        Event::Added(object) | Event::Modified(object) => {
            let (key, kept) = listed(object, project);
            let object = Arc::clone(&kept.object);
            let before = objects.insert(key, kept);
            let same = before.is_some_and(|before| before.object == object);
            (!same).then_some(Change::Applied(object))
        }
        Event::Deleted(object) => {
            let (key, kept) = listed(object, project);
            objects.remove(&key);
            Some(Change::Deleted(kept.object))
        }
        Event::Bookmark => None,
    }
}

/// What the watch would have told, had it not been interrupted.
fn replace<T: PartialEq>(objects: &mut Objects<T>, items: Vec<Listed<T>>) -> Vec<Change<T>> {
    let old = std::mem::replace(objects, items.into_iter().collect());
    let mut changes = Vec::new();
    for (key, kept) in &old {
        if objects.get(key).is_none_or(|new| new.uid != kept.uid) {
            changes.push(Change::Deleted(Arc::clone(&kept.object)));
        }
    }
    for (key, kept) in objects.iter() {
        if old.get(key).is_none_or(|old| old.uid != kept.uid || old.object != kept.object) {
            changes.push(Change::Applied(Arc::clone(&kept.object)));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, revision: u64) -> Object {
        let value = json!({"metadata": {"name": name, "namespace": "a", "uid": name,
            "resourceVersion": revision.to_string()}});
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    fn listed(revision: &str, items: Vec<Object>) -> Input<Object> {
        let resource_version = revision.to_owned();
        let items = items.into_iter().map(|object| super::listed(object, whole)).collect();
        let (kind, api_version) = Default::default();
        Input::Listed(Ok(ObjectList { items, resource_version, kind, api_version }))
    }

    fn whole(object: Object) -> Object {
        object
    }

    fn error(reason: Reason) -> ApiError {
        ApiError::new(reason, "why")
    }

    fn open(revision: &str) -> Action {
        Action::Open { revision: revision.into() }
    }

    struct World(Machine<Object>, Objects<Object>);

    impl World {
        fn step(&mut self, input: Input<Object>) -> (Vec<String>, u64, Action) {
            let changes = self.0.step(&mut self.1, input);
            let (wait, action) = self.0.action();
            let words = changes.iter().map(|change| match change {
                Change::Applied(o) => format!("+{}@{}", o.name(), o.resource_version()),
                Change::Deleted(o) => format!("-{}", o.name()),
            });
            (words.collect(), u64::try_from(wait.as_millis()).expect("short"), action)
        }
    }

    fn none() -> Vec<String> {
        Vec::new()
    }

    #[test]
    fn it_lists_then_follows_and_resumes_where_it_was() {
        let mut world = World(Machine::new(whole), Objects::new());
        assert_eq!(world.0.action(), (Duration::ZERO, Action::List));
        let step = world.step(listed("5", vec![pod("x", 3), pod("y", 5)]));
        assert_eq!(step, (vec!["+x@3".into(), "+y@5".into()], 0, open("5")));
        assert_eq!(world.step(Input::Opened(Ok(()))), (none(), 0, Action::Receive));
        let step = world.step(Input::Received(Event::Modified(pod("x", 7)), "7".into()));
        assert_eq!(step, (vec!["+x@7".into()], 0, Action::Receive));
        let step = world.step(Input::Received(Event::Bookmark, "9".into()));
        assert_eq!(step, (none(), 0, Action::Receive));
        assert_eq!(world.step(Input::Ended(None)), (none(), 50, open("9")));
        let away = Input::Opened(Err(error(Reason::ServiceUnavailable)));
        assert_eq!(world.step(away), (none(), 100, open("9")));
    }

    #[test]
    fn what_expired_is_listed_again_and_told_as_a_difference() {
        let mut world = World(Machine::new(whole), Objects::new());
        world.step(listed("5", vec![pod("gone", 1), pod("same", 2), pod("new", 3)]));
        let expired = Input::Opened(Err(error(Reason::Expired)));
        assert_eq!(world.step(expired), (none(), 50, Action::List));
        let mut remade = pod("new", 8);
        remade.set(&["metadata", "uid"], "another");
        let step = world.step(listed("9", vec![pod("same", 2), remade, pod("more", 9)]));
        let changes = ["-gone", "-new", "+more@9", "+new@8"].map(String::from).to_vec();
        assert_eq!(step, (changes, 0, open("9")));
        assert_eq!(world.1.len(), 3);
    }

    #[test]
    fn what_is_kept_is_what_changes() {
        let (mut machine, mut objects) = (Machine::new(|object| object.uid().to_owned()), Objects::new());
        let mut told = |revision| {
            let event = Event::Modified(pod("x", revision));
            let changes = machine.step(&mut objects, Input::Received(event, revision.to_string()));
            changes.into_iter().map(|change| format!("{change:?}")).collect::<String>()
        };
        assert_eq!(told(1), "Applied(\"x\")");
        assert_eq!(told(2), "", "another version, of which the same is kept");
    }

    #[test]
    fn failed_lists_wait_longer_each_time() {
        let mut world = World(Machine::new(whole), Objects::new());
        let waits: Vec<u64> =
            (0..8).map(|_| world.step(Input::Listed(Err(error(Reason::Timeout)))).1).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
    }
}
