//! Properties of the state machine over random histories, and the generators for them.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::ring::RING_BYTES;
use crate::{
    Decode, EventKind, Halt, HashAt, Key, Operation, Precondition, Refusal, Reply, State, Transaction,
};

/// Few keys, so that histories meet each other.
fn keys() -> impl Strategy<Value = Key> {
    let resources = prop::sample::select(vec!["pods", "apps/deployments", "nodes"]);
    let namespaces = prop::sample::select(vec!["", "a", "b"]);
    let names = prop::sample::select(vec!["x", "y", "z"]);
    (resources, namespaces, names).prop_map(|(resource, namespace, name)| Key::new(resource, namespace, name))
}

fn values() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn operations() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => (keys(), values()).prop_map(|(key, value)| Operation::Put(key, value)),
        1 => keys().prop_map(Operation::Delete),
    ]
}

fn preconditions() -> impl Strategy<Value = Precondition> {
    prop_oneof![
        keys().prop_map(Precondition::Absent),
        keys().prop_map(Precondition::Exists),
        (keys(), 0..30_u64).prop_map(|(key, revision)| Precondition::AtRevision(key, revision)),
    ]
}

fn any_transaction() -> impl Strategy<Value = Transaction> {
    let fence = prop::option::of(0..3_u64);
    (vec(preconditions(), 0..2), vec(operations(), 0..4), fence).prop_map(
        |(preconditions, operations, fence)| Transaction {
            preconditions,
            operations,
            fence,
            expect_hash: None,
        },
    )
}

/// A history: transactions, each in the term of its entry.
pub(crate) fn transactions() -> impl Strategy<Value = Vec<(Transaction, u64)>> {
    vec((any_transaction(), 0..3_u64), 0..40)
}

/// The state after a history.
pub(crate) fn replica(history: &[(Transaction, u64)]) -> State {
    let mut state = State::default();
    for (transaction, term) in history {
        state.apply(transaction, *term).expect("no hash is compared");
    }
    state
}

/// What `apply` must do, told with a plain map.
#[derive(Default)]
struct Model {
    objects: BTreeMap<Key, (Bytes, u64)>,
    revision: u64,
}

impl Model {
    fn apply(&mut self, transaction: &Transaction, term: u64) -> Reply {
        if transaction.fence.is_some_and(|fence| fence != term) {
            return Reply::Refused(Refusal::Fenced { term });
        }
        for (index, precondition) in transaction.preconditions.iter().enumerate() {
            let (Precondition::Absent(key) | Precondition::Exists(key) | Precondition::AtRevision(key, _)) =
                precondition;
            let found = self.objects.get(key).map(|(_, revision)| *revision);
            let holds = match precondition {
                Precondition::Absent(_) => found.is_none(),
                Precondition::Exists(_) => found.is_some(),
                Precondition::AtRevision(_, wanted) => found == Some(*wanted),
            };
            if !holds {
                return Reply::Refused(Refusal::Precondition { index, found });
            }
        }
        let revisions = transaction.operations.iter().map(|operation| self.perform(operation)).collect();
        Reply::Applied { revisions }
    }

    fn perform(&mut self, operation: &Operation) -> u64 {
        match operation {
            Operation::Put(key, value) => {
                self.revision += 1;
                self.objects.insert(key.clone(), (value.clone(), self.revision));
            }
            Operation::Delete(key) => self.revision += u64::from(self.objects.remove(key).is_some()),
        }
        self.revision
    }
}

proptest! {
    #[test]
    fn two_replicas_are_equal_to_the_last_bit(history in transactions()) {
        let (mut one, mut other) = (State::default(), State::default());
        for (transaction, term) in &history {
            // The other replica gets it from the log.
            let decoded = Transaction::decode(transaction.encode()).expect("our own bytes");
            prop_assert_eq!(one.apply(transaction, *term), other.apply(&decoded, *term));
            prop_assert_eq!(one.hash(), other.hash());
        }
        prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }

    #[test]
    fn apply_does_what_the_model_does(history in transactions()) {
        let (mut state, mut model) = (State::default(), Model::default());
        for (transaction, term) in &history {
            prop_assert_eq!(state.apply(transaction, *term), Ok(model.apply(transaction, *term)));
        }
        prop_assert_eq!(state.revision(), model.revision);
        let objects = state.objects().map(|(key, entry)| (key, (entry.value.clone(), entry.revision)));
        prop_assert!(objects.eq(model.objects));
    }

    #[test]
    fn a_clone_never_changes(before in transactions(), after in transactions()) {
        let mut state = replica(&before);
        let (clone, printed) = (state.clone(), format!("{state:?}"));
        for (transaction, term) in &after {
            state.apply(transaction, *term).expect("no hash is compared");
        }
        prop_assert_eq!(format!("{clone:?}"), printed);
    }

    #[test]
    fn events_from_any_revision_lead_to_the_present(before in transactions(), after in transactions()) {
        let mut state = replica(&before);
        let (past, from) = (state.clone(), state.revision());
        for (transaction, term) in &after {
            state.apply(transaction, *term).expect("no hash is compared");
        }
        for resource in ["pods", "apps/deployments", "nodes"] {
            let mut objects: BTreeMap<Key, Bytes> = listed(&past, resource);
            let mut last = from;
            for event in state.events_after(resource, from).expect("small histories stay in the ring") {
                prop_assert!(event.revision > last, "in order, none twice");
                last = event.revision;
                let old = match event.kind {
                    EventKind::Deleted => objects.remove(&event.key),
                    EventKind::Added | EventKind::Modified => objects.insert(event.key, event.value),
                };
                prop_assert_eq!(old.is_none(), event.kind == EventKind::Added);
                prop_assert_eq!(old.unwrap_or_default(), event.previous);
            }
            prop_assert_eq!(objects, listed(&state, resource));
        }
    }

    #[test]
    fn what_happened_can_be_undone(before in transactions(), after in transactions()) {
        let mut state = replica(&before);
        let past = state.clone();
        for (transaction, term) in &after {
            state.apply(transaction, *term).expect("no hash is compared");
        }
        for resource in ["pods", "apps/deployments", "nodes"] {
            let rewound = state.rewound(resource, past.revision()).expect("small histories stay in the ring");
            prop_assert_eq!(rewound.revision(), past.revision());
            prop_assert!(rewound.list(resource, None).eq(past.list(resource, None)));
        }
    }

    #[test]
    fn transactions_survive_their_encoding(
        transaction in any_transaction(), hash in prop::option::of((any::<u64>(), any::<u64>())),
    ) {
        let expect_hash = hash.map(|(revision, hash)| HashAt { revision, hash });
        let transaction = Transaction { expect_hash, ..transaction };
        prop_assert_eq!(Transaction::decode(transaction.encode()).expect("our own bytes"), transaction);
    }

    #[test]
    fn replies_survive_their_encoding(reply in replies()) {
        prop_assert_eq!(Reply::decode(reply.encode()).expect("our own bytes"), reply);
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        // Whether they happen to mean something is of no account.
        let _ = Transaction::decode(bytes.clone().into());
        let _ = Reply::decode(bytes.into());
    }

    #[test]
    fn a_list_is_a_range_of_the_objects(history in transactions(), key in keys()) {
        let state = replica(&history);
        let after = Some((&*key.namespace, &*key.name));
        let listed = state.list_after(&key.resource, Some(&key.namespace), after);
        let expected = state.objects().filter(|(found, _)| {
            (&found.resource, &found.namespace) == (&key.resource, &key.namespace) && found.name > key.name
        });
        prop_assert!(listed.map(|(_, name, _)| name.clone()).eq(expected.map(|(found, _)| found.name)));
    }
}

fn replies() -> impl Strategy<Value = Reply> {
    prop_oneof![
        vec(any::<u64>(), 0..5).prop_map(|revisions| Reply::Applied { revisions }),
        (0..9_usize, prop::option::of(any::<u64>()))
            .prop_map(|(index, found)| Reply::Refused(Refusal::Precondition { index, found })),
        any::<u64>().prop_map(|term| Reply::Refused(Refusal::Fenced { term })),
    ]
}

fn listed(state: &State, resource: &str) -> BTreeMap<Key, Bytes> {
    let objects = state.objects().filter(|(key, _)| &*key.resource == resource);
    objects.map(|(key, entry)| (key, entry.value.clone())).collect()
}

#[test]
fn a_newer_format_is_refused_not_guessed() {
    // Field 1, the format, is 7.
    let newer = Transaction::decode(vec![0x08, 7].into());
    assert!(matches!(newer, Err(Decode::Newer { found: 7 })));
}

#[test]
fn a_replica_that_drifted_halts_and_changes_nothing() {
    let key = Key::new("pods", "default", "a");
    let mut state = State::default();
    let first =
        Transaction { operations: vec![Operation::Put(key.clone(), "1".into())], ..Default::default() };
    state.apply(&first, 1).expect("applies");
    let (revision, hash) = (state.revision(), state.hash());
    let compare = |hash| Transaction {
        operations: vec![Operation::Delete(key.clone())],
        expect_hash: Some(HashAt { revision, hash }),
        ..Transaction::default()
    };
    assert_eq!(state.apply(&compare(1), 1), Err(Halt { revision, expected: 1, found: hash }));
    assert_eq!((state.revision(), state.hash()), (revision, hash));
    assert_eq!(state.apply(&compare(hash), 1), Ok(Reply::Applied { revisions: vec![2] }));
}

#[test]
fn a_ring_is_bounded_by_bytes_and_says_what_it_dropped() {
    let value = Bytes::from(vec![b'x'; 512 << 10]);
    let key = Key::new("pods", "default", "large");
    let mut state = State::default();
    for _ in 0..20 {
        let operations = vec![Operation::Put(key.clone(), value.clone())];
        state.apply(&Transaction { operations, ..Transaction::default() }, 1).expect("applies");
    }
    let floor = state.events_after("pods", 0).expect_err("the first are gone").floor;
    let kept = state.events_after("pods", floor).expect("right behind the floor");
    assert_eq!(kept.len() as u64, 20 - floor);
    assert_eq!(kept.first().map(|event| event.revision), Some(floor + 1));
    let bytes: usize = kept.iter().map(|event| event.value.len() + event.previous.len()).sum();
    assert!(bytes <= RING_BYTES && bytes > RING_BYTES / 2, "{bytes}");
    assert!(state.events_after("pods", floor - 1).is_err(), "one before the floor");
    assert_eq!(state.events_after("pods", 20).expect("the present"), []);
    assert_eq!(state.events_after("secrets", 0).expect("another ring"), []);
}
