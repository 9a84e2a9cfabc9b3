//! How long flows stand, and how many.

use proptest::prelude::*;

use super::*;

fn key(client: u16) -> FlowKey {
    let address = |text: &str, port| SocketAddrV4::new(text.parse().expect("an address"), port);
    FlowKey { client: address("10.42.0.3", client), meant: address("10.43.0.10", 53) }
}

fn table(limit: usize) -> Flows<u16> {
    Flows::new(NonZeroUsize::new(limit).expect("not zero"))
}

fn stands(flows: &mut Flows<u16>, client: u16, now_ms: u64) -> bool {
    flows.asked(key(client), now_ms).is_some()
}

#[test]
fn a_question_is_forgotten_sooner_than_a_conversation() {
    let mut flows = table(8);
    let brief = flows.add(key(1), 1, 0);
    let lasting = flows.add(key(2), 2, 0);
    for number in [brief, lasting] {
        flows.answered(number, 10);
    }
    assert_eq!(flows.asked(key(2), 20), Some((lasting, &2)));
    flows.expire(BRIEF_IDLE_MS + 9);
    assert_eq!(flows.get(brief), Some(&1), "its answer began its time anew");
    flows.expire(BRIEF_IDLE_MS + 10);
    assert_eq!((flows.get(brief), flows.get(lasting)), (None, Some(&2)));
    flows.expire(LASTING_IDLE_MS + 20);
    assert!(flows.is_empty());
}

#[test]
fn the_quietest_flow_makes_room() {
    let mut flows = table(2);
    flows.add(key(1), 1, 0);
    flows.add(key(2), 2, 1);
    assert!(stands(&mut flows, 1, 2));
    flows.add(key(3), 3, 3);
    assert!(stands(&mut flows, 1, 4) && stands(&mut flows, 3, 4) && !stands(&mut flows, 2, 4));
}

#[test]
fn a_flood_of_either_kind_leaves_the_other_its_half() {
    let mut flows = table(8);
    let talk = |flows: &mut Flows<u16>, client| {
        let number = flows.add(key(client), client, 0);
        flows.answered(number, 0);
        assert!(stands(flows, client, 0));
        number
    };
    let first = talk(&mut flows, 1);
    for client in 2..100 {
        flows.add(key(client), client, 1);
    }
    assert_eq!(flows.get(first), Some(&1), "a conversation goes on, whoever asks");
    for client in 100..200 {
        talk(&mut flows, client);
    }
    assert_eq!((flows.brief.len(), flows.lasting.len()), (4, 4));
    assert!(stands(&mut flows, 99, 2) && stands(&mut flows, 199, 2) && !stands(&mut flows, 1, 2));
}

#[test]
fn flows_that_are_not_wanted_go() {
    let mut flows = table(8);
    let numbers: Vec<usize> = (0..4).map(|client| flows.add(key(client), client, 0)).collect();
    flows.retain(|_, flow| flow % 2 == 0);
    flows.remove(numbers[0]);
    flows.remove(numbers[0]);
    let left: Vec<bool> = (0..4).map(|client| stands(&mut flows, client, 1)).collect();
    assert_eq!(left, [false, false, true, false]);
}

#[derive(Clone, Debug)]
enum Step {
    Ask(u16),
    Answer(usize),
    Remove(usize),
    Expire,
}

fn step() -> impl Strategy<Value = (Step, u64)> {
    let step = prop_oneof![
        (0..12_u16).prop_map(Step::Ask),
        (0..12_usize).prop_map(Step::Answer),
        (0..12_usize).prop_map(Step::Remove),
        Just(Step::Expire),
    ];
    (step, 0..40_000_u64)
}

proptest! {
    /// Both ways to find a flow always agree, and the bound holds.
    #[test]
    fn keys_and_numbers_never_part(steps in prop::collection::vec(step(), 0..100)) {
        let (mut flows, mut now) = (table(5), 0);
        for (step, passed) in steps {
            now += passed;
            match step {
                Step::Ask(client) if !stands(&mut flows, client, now) => drop(flows.add(key(client), client, now)),
                Step::Ask(_) => {}
                Step::Answer(number) => drop(flows.answered(number, now)),
                Step::Remove(number) => flows.remove(number),
                Step::Expire => flows.expire(now),
            }
            let keys = flows.brief.len() + flows.lasting.len();
            prop_assert!(flows.entries.len() <= 5 && flows.entries.len() == keys);
            for (kind, lasting) in [(&flows.brief, false), (&flows.lasting, true)] {
                for (key, number) in kind {
                    let entry = &flows.entries[*number];
                    prop_assert_eq!((entry.key, entry.lasting), (*key, lasting));
                }
            }
        }
    }
}
