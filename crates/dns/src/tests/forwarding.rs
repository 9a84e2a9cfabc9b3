//! Names of others, asked of resolvers that behave well, badly, or not at all.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::expect;
use hickory_proto::op::{MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, SOA};
use hickory_proto::rr::{RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use super::*;

/// How a resolver behaves.
#[derive(Clone, Copy)]
enum Manner {
    Knows,
    Denies,
    Fails,
    /// By UDP it says that the answer is too long.
    Truncates,
    /// The same, with a part of it, and nobody listens by TCP.
    KnowsNoTcp,
    /// Sends others' answers first.
    IsImpersonated,
    Silent,
    /// Hears every second question only.
    IsFarAway,
    /// Says nothing about `dead.test`.
    KnowsNoneOfOne,
}

/// A resolver on loopback, which counts what it is asked by UDP.
struct Upstream {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Upstream {
    async fn start(manner: Manner) -> Self {
        let (udp, tcp) = one_port().await;
        let address = udp.local_addr().expect("bound");
        let asked = Arc::new(AtomicUsize::new(0));
        let (counter, mut tasks) = (Arc::clone(&asked), JoinSet::new());
        tasks.spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, peer)) = udp.recv_from(&mut buffer).await {
                let before = counter.fetch_add(1, Ordering::Relaxed);
                if matches!(manner, Manner::IsFarAway) && before % 2 == 0 {
                    continue;
                }
                for answer in answers(manner, &buffer[..length]) {
                    udp.send_to(&answer, peer).await.expect("sent");
                }
            }
        });
        tasks.spawn(async move {
            let tcp = Some(tcp).filter(|_| !matches!(manner, Manner::KnowsNoTcp));
            let Some(tcp) = tcp else { return };
            while let Ok((mut stream, _)) = tcp.accept().await {
                let mut query = vec![0; stream.read_u16().await.expect("a length").into()];
                stream.read_exact(&mut query).await.expect("a query");
                let answer = answers(Manner::Knows, &query).remove(0);
                stream.write_u16(u16::try_from(answer.len()).expect("short")).await.expect("sent");
                stream.write_all(&answer).await.expect("sent");
            }
        });
        Self { address, asked, _tasks: tasks }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// A port that is free for both: the kernel picks one of UDP's, which a connection of another
/// test may have by TCP.
async fn one_port() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("bound")).await {
            return (udp, tcp);
        }
    }
}

fn answers(manner: Manner, query: &[u8]) -> Vec<Vec<u8>> {
    let mut answer = Message::from_vec(query).expect("a query");
    answer.metadata.message_type = MessageType::Response;
    let name = answer.queries[0].name().clone();
    let address = |last| Record::from_rdata(name.clone(), 60, RData::A(A(Ipv4Addr::new(192, 0, 2, last))));
    match manner {
        Manner::Silent => return Vec::new(),
        Manner::Fails => answer.metadata.response_code = ResponseCode::ServFail,
        Manner::Denies => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            let (server, zone) =
                (Name::from_ascii("ns.test.").expect("a name"), Name::from_ascii("test.").expect("a name"));
            let head = SOA::new(server.clone(), server, 1, 2, 3, 4, 20);
            answer.add_authority(Record::from_rdata(zone, 600, RData::SOA(head)));
        }
        Manner::Truncates => answer.metadata.truncation = true,
        Manner::KnowsNoTcp => {
            answer.metadata.truncation = true;
            answer.add_answer(address(1));
        }
        Manner::KnowsNoneOfOne if name.to_string() == "dead.test." => return Vec::new(),
        Manner::Knows | Manner::IsFarAway | Manner::KnowsNoneOfOne => drop(answer.add_answer(address(1))),
        Manner::IsImpersonated => {
            let (mut other_id, mut other_name) = (answer.clone(), answer.clone());
            other_id.metadata.id = !answer.metadata.id;
            other_id.add_answer(address(66));
            other_name.queries[0].set_name(Name::from_ascii("bank.test.").expect("a name"));
            other_name.add_answer(address(66));
            answer.add_answer(address(1));
            return vec![b"noise".to_vec(), bytes(&other_id), bytes(&other_name), bytes(&answer)];
        }
    }
    vec![bytes(&answer)]
}

async fn ask(resolver: &Resolver, question: &str) -> String {
    print(&resolver.answer(&bytes(&query(question)), Transport::Udp).await.expect("an answer"))
}

#[tokio::test]
async fn answers_are_passed_on_and_remembered() {
    let upstream = Upstream::start(Manner::Knows).await;
    let resolver = resolver(vec![upstream.address]);
    let mut text = ask(&resolver, "A WWW.example.com.").await;
    text += &ask(&resolver, "A www.Example.com.").await;
    assert_eq!(upstream.asked(), 1, "in any case of letters");
    text += &ask(&resolver, "A out.default.svc.cluster.local.").await;
    assert_eq!(upstream.asked(), 1, "an alias of what is known");
    let with_options = with_edns(query("A www.example.com."), 1232, 0);
    let answer = resolver.answer(&bytes(&with_options), Transport::Udp).await;
    text += &print(&answer.expect("an answer"));
    assert_eq!(upstream.asked(), 2, "with signatures it is another question");
    expect![[r#"
        No Error rd ra
        ? WWW.example.com. A
          WWW.example.com. 60 IN A 192.0.2.1
        No Error rd ra
        ? www.Example.com. A
          www.Example.com. 60 IN A 192.0.2.1
        No Error rd ra
        ? out.default.svc.cluster.local. A
          out.default.svc.cluster.local. 5 IN CNAME www.example.com.
          www.example.com. 60 IN A 192.0.2.1
        No Error rd ra edns 1232
        ? www.example.com. A
          www.example.com. 60 IN A 192.0.2.1
    "#]]
    .assert_eq(&text);
}

#[tokio::test]
async fn a_denial_is_passed_on_with_its_time() {
    let upstream = Upstream::start(Manner::Denies).await;
    let resolver = resolver(vec![upstream.address]);
    let text = ask(&resolver, "A none.test.").await;
    assert_eq!(text, ask(&resolver, "A none.test.").await);
    assert_eq!(upstream.asked(), 1);
    expect![[r#"
        Non-Existent Domain rd ra
        ? none.test. A
        ! test. 600 IN SOA ns.test. ns.test. 1 2 3 4 20
    "#]]
    .assert_eq(&text);
}

#[tokio::test]
async fn a_long_answer_is_fetched_by_tcp_and_a_forged_one_is_not_taken() {
    for manner in [Manner::Truncates, Manner::IsImpersonated] {
        let upstream = Upstream::start(manner).await;
        let text = ask(&resolver(vec![upstream.address]), "A www.example.com.").await;
        assert!(text.contains("192.0.2.1") && !text.contains("tc"), "{text}");
    }
}

/// The part is passed on as one, and not kept; who knows all of it comes before.
#[tokio::test]
async fn a_part_of_an_answer_is_better_than_none() {
    let part = Upstream::start(Manner::KnowsNoTcp).await;
    let alone = resolver(vec![part.address]);
    let text = ask(&alone, "A www.example.com.").await;
    assert_eq!(text, ask(&alone, "A www.example.com.").await);
    assert_eq!(part.asked(), 2);
    expect![[r#"
        No Error tc rd ra
        ? www.example.com. A
          www.example.com. 60 IN A 192.0.2.1
    "#]]
    .assert_eq(&text);
    let whole = Upstream::start(Manner::Truncates).await;
    let text = ask(&resolver(vec![part.address, whole.address]), "A www.example.com.").await;
    assert!(text.starts_with("No Error rd ra") && text.contains("192.0.2.1"), "{text}");
}

#[tokio::test]
async fn the_next_one_is_asked_and_the_silent_one_avoided() {
    let (silent, failing) = (Upstream::start(Manner::Silent).await, Upstream::start(Manner::Fails).await);
    let good = Upstream::start(Manner::Knows).await;
    let resolver = resolver(vec![silent.address, failing.address, good.address]);
    for name in ["a", "b", "c"] {
        let text = ask(&resolver, &format!("A {name}.example.com.")).await;
        assert!(text.contains("192.0.2.1"), "{text}");
    }
    assert_eq!((silent.asked(), failing.asked(), good.asked()), (1, 3, 3));
}

/// Of a single resolver, as most hosts name, a lost datagram would be a name that does not resolve.
#[tokio::test]
async fn a_question_that_is_lost_is_asked_again() {
    let upstream = Upstream::start(Manner::IsFarAway).await;
    let text = ask(&resolver(vec![upstream.address]), "A www.example.com.").await;
    assert!(text.contains("192.0.2.1"), "{text}");
    assert_eq!(upstream.asked(), 2);
}

/// An application that asks for it over and over takes nobody else's answers.
#[tokio::test]
async fn a_name_that_nobody_answers_leaves_room_for_others() {
    let upstream = Upstream::start(Manner::KnowsNoneOfOne).await;
    let (resolver, mut asking) = (resolver(vec![upstream.address]), JoinSet::new());
    let begun = Arc::new(AtomicUsize::new(0));
    for _ in 0..2000 {
        let (resolver, query) = (Arc::clone(&resolver), bytes(&query("A dead.test.")));
        let begun = Arc::clone(&begun);
        asking.spawn(async move {
            begun.fetch_add(1, Ordering::Relaxed);
            resolver.answer(&query, Transport::Udp).await
        });
    }
    while begun.load(Ordering::Relaxed) < 2000 {
        tokio::task::yield_now().await;
    }
    let text = ask(&resolver, "A www.example.com.").await;
    assert!(text.contains("192.0.2.1"), "{text}");
    assert_eq!(upstream.asked(), 2, "and all of them are one question");
}

#[tokio::test]
async fn without_anybody_it_fails_and_what_we_know_is_still_answered() {
    let failing = Upstream::start(Manner::Fails).await;
    for upstreams in [vec![], vec![failing.address]] {
        let resolver = resolver(upstreams);
        let text = ask(&resolver, "A www.example.com.").await;
        assert!(text.starts_with("Server Failure"), "{text}");
        let text = ask(&resolver, "A web.default.svc.cluster.local.").await;
        assert!(text.contains("10.43.0.5"), "{text}");
    }
}

/// The resolver behind us asks us: its question waits for its own answer, and no more.
#[tokio::test]
async fn a_loop_ends_by_itself() {
    let looped = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let resolver = resolver(vec![looped.local_addr().expect("bound")]);
    let (back, asked) = (Arc::clone(&resolver), Arc::new(AtomicUsize::new(0)));
    let (counter, mut tasks) = (Arc::clone(&asked), JoinSet::new());
    tasks.spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, _)) = looped.recv_from(&mut buffer).await {
            counter.fetch_add(1, Ordering::Relaxed);
            // As a forwarder would: without our options, so that it is the same question.
            let mut query = Message::from_vec(&buffer[..length]).expect("a query");
            query.edns = None;
            let back = Arc::clone(&back);
            tokio::spawn(async move { back.answer(&bytes(&query), Transport::Udp).await });
        }
    });
    let text = ask(&resolver, "A www.example.com.").await;
    assert!(text.starts_with("Server Failure"), "{text}");
    assert_eq!(asked.load(Ordering::Relaxed), 2, "once a round");
}
