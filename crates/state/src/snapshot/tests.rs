//! Snapshots keep a whole state, rings included, and nothing damaged becomes a state.

use bytes::Bytes;
use proptest::prelude::*;

use super::{SnapshotError, SnapshotReader, StateBuilder, encode_object};
use crate::properties::{replica, transactions};
use crate::{Compacted, Key, Operation, State, Transaction};

fn whole(state: &State) -> Vec<u8> {
    state.clone().into_snapshot(1 << 20).flatten().collect()
}

fn read(bytes: &[u8], piece: usize) -> Result<State, SnapshotError> {
    let mut reader = SnapshotReader::default();
    for piece in bytes.chunks(piece) {
        reader.add(piece)?;
    }
    reader.finish()
}

fn put(state: &mut State, name: &str, value: Bytes) {
    let operations = vec![Operation::Put(Key::new("pods", "default", name), value)];
    state.apply(&Transaction { operations, ..Transaction::default() }, 1).expect("applies");
}

proptest! {
    #[test]
    fn a_snapshot_is_the_state_however_it_is_cut(
        history in transactions(), out in 1..5_000_usize, back in 1..5_000_usize,
    ) {
        let state = replica(&history);
        let pieces: Vec<Bytes> = state.clone().into_snapshot(out).collect();
        let again = read(&pieces.concat(), back).expect("whole");
        // Everything is printed: objects, revisions, rings, floors and the hash.
        prop_assert_eq!(format!("{again:?}"), format!("{state:?}"));
    }

    #[test]
    fn a_replica_goes_on_from_a_snapshot_like_the_others(
        before in transactions(), after in transactions(),
    ) {
        let mut kept = replica(&before);
        let mut installed = read(&whole(&kept), 999).expect("whole");
        for (transaction, term) in &after {
            let replies = (kept.apply(transaction, *term), installed.apply(transaction, *term));
            prop_assert_eq!(replies.0, replies.1);
        }
        prop_assert_eq!(format!("{installed:?}"), format!("{kept:?}"));
    }

    #[test]
    fn one_flipped_bit_makes_no_state(history in transactions(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = whole(&replica(&history));
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(read(&bytes, 4_096).is_err());
    }

    #[test]
    fn a_cut_snapshot_makes_no_state(history in transactions(), at in any::<prop::sample::Index>()) {
        let bytes = whole(&replica(&history));
        prop_assert!(read(&bytes[..at.index(bytes.len())], 4_096).is_err());
    }

    #[test]
    fn the_hash_does_not_depend_on_the_history(history in transactions()) {
        let state = replica(&history);
        let mut builder = StateBuilder::default();
        let records: Vec<Bytes> = state.objects().map(|(key, entry)| encode_object(&key, entry)).collect();
        for record in records.into_iter().rev() {
            builder.add(record).expect("a record");
        }
        let rebuilt = builder.finish(state.revision(), state.hash()).expect("the same hash");
        prop_assert!(rebuilt.objects().eq(state.objects()));
    }
}

#[test]
fn values_are_sent_once_and_shared_again() {
    let mut state = State::default();
    for round in 0..10_u8 {
        put(&mut state, "big", vec![round; 100_000].into());
    }
    let bytes = whole(&state);
    // Ten values, although each is an event's value, the next one's previous, and the
    // last one is the object.
    assert!((1_000_000..1_010_000).contains(&bytes.len()), "{}", bytes.len());
    let again = read(&bytes, 1 << 20).expect("whole");
    let events = again.events_after("pods", 0).expect("all there");
    let last = again.get(&Key::new("pods", "default", "big")).expect("there");
    assert_eq!(events[9].value.as_ptr(), last.value.as_ptr());
    assert_eq!(events[8].value.as_ptr(), events[9].previous.as_ptr());
}

#[test]
fn a_watch_goes_on_over_a_member_that_got_a_snapshot() {
    let mut state = State::default();
    put(&mut state, "a", "1".into());
    let seen = state.revision();
    put(&mut state, "b", "2".into());
    let installed = read(&whole(&state), 64).expect("whole");
    let names: Vec<String> = installed
        .events_after("pods", seen)
        .expect("still in the ring")
        .iter()
        .map(|event| event.key.name.to_string())
        .collect();
    assert_eq!(names, ["b"]);
}

#[test]
fn a_state_from_the_disk_sends_older_watches_to_list_again() {
    let mut state = State::default();
    put(&mut state, "a", "1".into());
    let mut builder = StateBuilder::default();
    for (key, entry) in state.objects() {
        builder.add(encode_object(&key, entry)).expect("a record");
    }
    let loaded = builder.finish(state.revision(), state.hash()).expect("whole");
    assert_eq!(loaded.events_after("pods", 0), Err(Compacted { floor: 1 }));
    assert_eq!(loaded.events_after("pods", 1), Ok(Vec::new()));
}

#[test]
fn what_is_no_snapshot_says_so() {
    let newer = {
        let mut piece = bytes::BytesMut::new();
        let head = super::wire::Head { magic: super::MAGIC, format: 9, ..Default::default() };
        super::writer::put_frame(&mut piece, super::wire::Record::Head(head));
        piece
    };
    let short = whole(&State::default());
    let twice = [short.clone(), short].concat();
    let errors: Vec<String> = [b"".as_slice(), &newer, &[0xff; 64], &twice]
        .iter()
        .map(|bytes| read(bytes, 10).expect_err("no snapshot").to_string())
        .collect();
    expect_test::expect![[r#"
        [
            "a damaged snapshot: it has no head",
            "snapshot format 9 is newer than this binary's 1: upgrade this master",
            "a damaged snapshot: a record is too large",
            "a damaged snapshot: there are bytes behind its end",
        ]
    "#]]
    .assert_debug_eq(&errors);
}
