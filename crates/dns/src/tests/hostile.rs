//! Bytes of any kind: no panic, and no answer that is longer than asked for, belongs to
//! another query, or cannot be read.

use hickory_proto::op::Message;
use proptest::prelude::*;

use super::*;

const UDP_BYTES: usize = 1232;

fn assert_sane(message: &[u8], transport: Transport) {
    let Some(answer) = answer_to(message, transport) else { return };
    assert_eq!(answer[..2], message[..2], "the query's own number");
    assert_ne!(answer[2] & 0x80, 0, "an answer");
    if transport == Transport::Udp {
        assert!(answer.len() <= UDP_BYTES, "{} bytes", answer.len());
    }
    let read = Message::from_vec(&answer);
    assert!(read.is_ok(), "{:?} to {}", read, message.escape_ascii());
}

const QUESTIONS: [&str; 8] = [
    "A web.default.svc.cluster.local.",
    "A big.default.svc.cluster.local.",
    "SRV _sql._tcp.db.default.svc.cluster.local.",
    "A near.default.svc.cluster.local.",
    "ANY cluster.local.",
    "PTR 1.1.42.10.in-addr.arpa.",
    "PTR 5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.",
    "TXT www.example.com.",
];

fn transport() -> impl Strategy<Value = Transport> {
    prop::sample::select(vec![Transport::Udp, Transport::Tcp])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn noise(message in prop::collection::vec(any::<u8>(), 0..600), transport in transport()) {
        assert_sane(&message, transport);
    }

    #[test]
    fn noise_behind_a_good_header(
        tail in prop::collection::vec(any::<u8>(), 0..600),
        counts in prop::array::uniform3(0_u8..3),
        transport in transport(),
    ) {
        let head = [0x12, 0x34, 1, 0, 0, 1, 0, counts[0], 0, counts[1], 0, counts[2]];
        assert_sane(&[&head, &*tail].concat(), transport);
    }

    #[test]
    fn good_queries_gone_bad(
        question in prop::sample::select(QUESTIONS.to_vec()),
        edns in prop::option::of((any::<u16>(), 0_u8..2)),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        transport in transport(),
    ) {
        let mut message = query(question);
        if let Some((udp_bytes, version)) = edns {
            message = with_edns(message, udp_bytes, version);
        }
        let mut message = bytes(&message);
        for (at, value) in changes {
            let at = at.index(message.len());
            message[at] = value;
        }
        if let Some(cut) = cut {
            message.truncate(cut.index(message.len()));
        }
        assert_sane(&message, transport);
    }

    /// Names of labels that look like other labels' lengths.
    #[test]
    fn odd_names(labels in prop::collection::vec(prop::collection::vec(0_u8..12, 1..20), 0..20)) {
        let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in &labels {
            message.push(u8::try_from(label.len()).expect("short"));
            message.extend(label);
        }
        message.extend(b"\x03svc\x07cluster\x05local\0\0\x01\0\x01");
        assert_sane(&message, Transport::Udp);
    }
}
