//! What a resolver may send: bytes of any kind, and good answers gone bad. None of it
//! panics, and what is taken of it is passed on within the size that was asked for.

use hickory_proto::op::{MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, SOA, TXT};
use hickory_proto::rr::{RData, Record};
use proptest::prelude::*;
use xebec_dataplane::dns;

use super::*;
use crate::query::{self, HEADER_BYTES};

/// `www.example.com`, its type and its class.
const QUESTION: &[u8] = b"\x03www\x07example\x03com\0\0\x01\0\x01";
const ID: u16 = 4660;
/// See [`good`].
const KINDS: usize = 5;

/// What is asked, always under the same number.
fn asked() -> Message {
    let name: Box<[u8]> = Box::from(&QUESTION[..QUESTION.len() - 4]);
    let question = Question { name, kind: 1, dnssec_ok: false, checking_disabled: false };
    let mut message = message(&question).expect("a question");
    message.metadata.id = ID;
    message
}

/// One of several good answers to it.
fn good(kind: usize) -> Vec<u8> {
    let mut answer = asked();
    answer.metadata.message_type = MessageType::Response;
    let own = answer.queries[0].name().clone();
    let other = Name::from_ascii("a.b.example.com.").expect("a name");
    let address = |name: &Name, last: u8| {
        Record::from_rdata(name.clone(), 60, RData::A(A(Ipv4Addr::new(192, 0, 2, last))))
    };
    match kind {
        0 => {
            for last in 1..4 {
                answer.add_answer(address(&own, last));
            }
        }
        1 => {
            answer.add_answer(Record::from_rdata(own, 30, RData::CNAME(CNAME(other.clone()))));
            answer.add_answer(address(&other, 1));
        }
        2 => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            let head = SOA::new(other.clone(), own, 1, 2, 3, 4, 20);
            answer.add_authority(Record::from_rdata(other, 600, RData::SOA(head)));
        }
        3 => {
            let texts = TXT::new(vec!["x".repeat(255), String::new()]);
            answer.add_answer(Record::from_rdata(own, 0, RData::TXT(texts)));
        }
        _ => answer.metadata.truncation = true,
    }
    answer.to_vec().expect("it can be written")
}

/// Takes it as an answer, and passes it on. Gives whether it was one.
fn exercise(bytes: &[u8]) -> bool {
    let asked = asked();
    let Some(answer) = answer(bytes, &asked) else { return false };
    let Ok(reply) = Reply::new(answer, Instant::now()) else { return false };
    let client = asked.to_vec().expect("it can be written");
    let query = query::Query::read(&client).expect("a query");
    let aliases = ["b.test", "www.example.com"].map(|name| dns::Name::parse(name).expect("a name"));
    assert!(reply.good_until() >= reply.came());
    let mut out = Vec::new();
    for limit in [512, MOST_UDP_BYTES, usize::from(u16::MAX)] {
        reply.write(&mut out, &query, limit);
        assert!(out.len() <= limit && out[..2] == ID.to_be_bytes(), "{}", out.escape_ascii());
        reply.write_below(&mut out, &query, &aliases, limit);
        assert!(out.len() <= limit && out[..2] == ID.to_be_bytes(), "{}", out.escape_ascii());
    }
    true
}

#[test]
fn good_answers_are_taken() {
    assert!((0..KINDS).all(|kind| exercise(&good(kind))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn noise(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        exercise(&bytes);
    }

    #[test]
    fn noise_behind_a_good_question(
        tail in prop::collection::vec(any::<u8>(), 0..600),
        flags in any::<u8>(),
        counts in prop::array::uniform3(0_u8..4),
    ) {
        let [high, low] = ID.to_be_bytes();
        let head = [high, low, 0x81, flags, 0, 1, 0, counts[0], 0, counts[1], 0, counts[2]];
        exercise(&[&head, QUESTION, &*tail].concat());
    }

    #[test]
    fn good_answers_gone_bad(
        kind in 0..KINDS,
        records_only in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = good(kind);
        // Behind the question more of it is taken for an answer, and gets further.
        let first = if records_only { HEADER_BYTES + QUESTION.len() } else { 0 };
        for (at, value) in changes {
            let at = first + at.index(bytes.len() - first);
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        exercise(&bytes);
    }

    /// Records of odd types, whose contents each have a parser of their own.
    #[test]
    fn records_of_any_type(
        records in prop::collection::vec(
            (any::<u16>(), prop::collection::vec(any::<u8>(), 0..40), any::<u32>()),
            0..4,
        ),
        low_types in any::<bool>(),
    ) {
        let [high, low] = ID.to_be_bytes();
        let count = u8::try_from(records.len()).expect("a few");
        let mut bytes = vec![high, low, 0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0];
        bytes.extend_from_slice(QUESTION);
        for (kind, data, ttl) in &records {
            // The name of the question; nearly all types that there are stand below 70.
            bytes.extend_from_slice(&[0xC0, 12]);
            let kind = if low_types { kind % 70 } else { *kind };
            bytes.extend_from_slice(&kind.to_be_bytes());
            bytes.extend_from_slice(&[0, 1]);
            bytes.extend_from_slice(&ttl.to_be_bytes());
            bytes.extend_from_slice(&u16::try_from(data.len()).expect("short").to_be_bytes());
            bytes.extend_from_slice(data);
        }
        exercise(&bytes);
    }
}
