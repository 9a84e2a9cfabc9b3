//! Whole answers.

use expect_test::expect;

use super::*;

fn all(questions: &[&str]) -> String {
    let ask = |question: &&str| answer_to(&bytes(&query(question)), Transport::Udp).expect("at once");
    questions.iter().map(ask).map(|answer| print(&answer)).collect()
}

#[test]
fn services() {
    expect![[r#"
        No Error aa rd ra
        ? Web.default.svc.cluster.local. A
          Web.default.svc.cluster.local. 5 IN A 10.43.0.5
        No Error aa rd ra
        ? web.default.svc.cluster.local. AAAA
          web.default.svc.cluster.local. 5 IN AAAA fd00::5
        No Error aa rd ra
        ? _http._tcp.web.default.svc.cluster.local. SRV
          _http._tcp.web.default.svc.cluster.local. 5 IN SRV 0 10 80 web.default.svc.cluster.local.
        + web.default.svc.cluster.local. 5 IN A 10.43.0.5
        No Error aa rd ra
        ? _sql._tcp.db.default.svc.cluster.local. SRV
          _sql._tcp.db.default.svc.cluster.local. 5 IN SRV 0 10 5432 db-1.db.default.svc.cluster.local.
          _sql._tcp.db.default.svc.cluster.local. 5 IN SRV 0 10 5432 db-2.db.default.svc.cluster.local.
        + db-1.db.default.svc.cluster.local. 5 IN A 10.42.1.1
        + db-2.db.default.svc.cluster.local. 5 IN A 10.42.1.2
        No Error aa rd ra
        ? 5.0.43.10.in-addr.arpa. PTR
          5.0.43.10.in-addr.arpa. 5 IN PTR web.default.svc.cluster.local.
        No Error aa rd ra
        ? 1.1.42.10.in-addr.arpa. PTR
          1.1.42.10.in-addr.arpa. 5 IN PTR db-1.db.default.svc.cluster.local.
          1.1.42.10.in-addr.arpa. 5 IN PTR db-1.big.default.svc.cluster.local.
        No Error aa rd ra
        ? 10-42-1-5.default.pod.cluster.local. A
          10-42-1-5.default.pod.cluster.local. 5 IN A 10.42.1.5
        No Error aa rd ra
        ? dns-version.cluster.local. TXT
          dns-version.cluster.local. 28800 IN TXT 1.1.0
        No Error aa rd ra
        ? cluster.local. SOA
          cluster.local. 5 IN SOA kube-dns.kube-system.svc.cluster.local. hostmaster.kube-dns.kube-system.svc.cluster.local. 7 7200 1800 86400 5
        No Error aa rd ra
        ? cluster.local. NS
          cluster.local. 5 IN NS kube-dns.kube-system.svc.cluster.local.
    "#]].assert_eq(&all(&[
        "A Web.default.svc.cluster.local.",
        "AAAA web.default.svc.cluster.local.",
        "SRV _http._tcp.web.default.svc.cluster.local.",
        "SRV _sql._tcp.db.default.svc.cluster.local.",
        "PTR 5.0.43.10.in-addr.arpa.",
        "PTR 1.1.42.10.in-addr.arpa.",
        "A 10-42-1-5.default.pod.cluster.local.",
        "TXT dns-version.cluster.local.",
        "SOA cluster.local.",
        "NS cluster.local.",
    ]));
}

#[test]
fn aliases() {
    expect![[r#"
        No Error aa rd ra
        ? near.default.svc.cluster.local. A
          near.default.svc.cluster.local. 5 IN CNAME far.default.svc.cluster.local.
          far.default.svc.cluster.local. 5 IN CNAME web.default.svc.cluster.local.
          web.default.svc.cluster.local. 5 IN A 10.43.0.5
        No Error aa rd ra
        ? near.default.svc.cluster.local. CNAME
          near.default.svc.cluster.local. 5 IN CNAME far.default.svc.cluster.local.
        No Error aa rd ra
        ? near.default.svc.cluster.local. MX
          near.default.svc.cluster.local. 5 IN CNAME far.default.svc.cluster.local.
          far.default.svc.cluster.local. 5 IN CNAME web.default.svc.cluster.local.
        ! cluster.local. 5 IN SOA kube-dns.kube-system.svc.cluster.local. hostmaster.kube-dns.kube-system.svc.cluster.local. 7 7200 1800 86400 5
        Non-Existent Domain aa rd ra
        ? stale.default.svc.cluster.local. A
          stale.default.svc.cluster.local. 5 IN CNAME gone.default.svc.cluster.local.
        ! cluster.local. 5 IN SOA kube-dns.kube-system.svc.cluster.local. hostmaster.kube-dns.kube-system.svc.cluster.local. 7 7200 1800 86400 5
        Server Failure rd ra
        ? a.default.svc.cluster.local. A
    "#]].assert_eq(&all(&[
        "A near.default.svc.cluster.local.",
        "CNAME near.default.svc.cluster.local.",
        "MX near.default.svc.cluster.local.",
        "A stale.default.svc.cluster.local.",
        "A a.default.svc.cluster.local.",
    ]));
}

#[test]
fn what_there_is_not() {
    expect![[r#"
        Non-Existent Domain aa rd ra
        ? none.default.svc.cluster.local. A
        ! cluster.local. 5 IN SOA kube-dns.kube-system.svc.cluster.local. hostmaster.kube-dns.kube-system.svc.cluster.local. 7 7200 1800 86400 5
        No Error aa rd ra
        ? web.default.svc.cluster.local. MX
        ! cluster.local. 5 IN SOA kube-dns.kube-system.svc.cluster.local. hostmaster.kube-dns.kube-system.svc.cluster.local. 7 7200 1800 86400 5
        Non-Existent Domain aa rd ra
        ? 9.9.43.10.in-addr.arpa. PTR
        ! 43.10.in-addr.arpa. 5 IN SOA kube-dns.kube-system.svc.cluster.local. hostmaster.kube-dns.kube-system.svc.cluster.local. 7 7200 1800 86400 5
    "#]].assert_eq(&all(&[
        "A none.default.svc.cluster.local.",
        "MX web.default.svc.cluster.local.",
        "PTR 9.9.43.10.in-addr.arpa.",
    ]));
}

#[test]
fn edns_says_what_fits_and_what_does_not_is_marked() {
    let big = || query("A big.default.svc.cluster.local.");
    let size = |message: &Message, transport| {
        let answer = answer_to(&bytes(message), transport).expect("at once");
        let read = Message::from_vec(&answer).expect("it can be read");
        (answer.len(), read.answers.len(), read.metadata.truncation, read.edns.is_some())
    };
    assert_eq!(size(&big(), Transport::Udp), (511, 29, true, false));
    assert_eq!(size(&with_edns(big(), 100, 0), Transport::Udp), (506, 28, true, true));
    assert_eq!(
        size(&with_edns(big(), 4096, 0), Transport::Udp),
        (1226, 73, true, true),
        "no path takes more"
    );
    assert_eq!(size(&big(), Transport::Tcp), (3247, 200, false, false));
}

#[test]
fn each_client_meets_another_endpoint_first() {
    let first = |id: u16| {
        let mut message = query("A big.default.svc.cluster.local.");
        message.metadata.id = id;
        let answer = answer_to(&bytes(&message), Transport::Tcp).expect("at once");
        Message::from_vec(&answer).expect("it can be read").answers[0].data.to_string()
    };
    assert_eq!([first(0), first(1), first(200)], ["10.42.1.1", "10.42.1.2", "10.42.1.1"]);
}

#[test]
fn what_is_no_question_of_ours_is_refused() {
    let mut texts = String::new();
    let mut show = |what: &str, message: &[u8]| {
        let answer = answer_to(message, Transport::Udp);
        let text = answer.map_or("no answer\n".to_owned(), |answer| print(&answer));
        write!(texts, "{what}: {text}").expect("a String");
    };
    let good = bytes(&query("A web.default.svc.cluster.local."));
    let patched = |at: usize, value: u8| {
        let mut message = good.clone();
        message[at] = value;
        message
    };
    show("an answer", &patched(2, 0x80));
    show("eleven bytes", &good[..11]);
    show("a header", &good[..12]);
    show("an update", &patched(2, 0x28));
    show("two questions", &patched(5, 2));
    show("a record that is not there", &patched(11, 1));
    show("a cut question", &good[..20]);
    show("a name that points", &patched(12, 0xC0));
    show("another class", &patched(good.len() - 1, 3));
    show("a transfer", &bytes(&query("AXFR cluster.local.")));
    show("EDNS of the future", &bytes(&with_edns(query("A web.default.svc.cluster.local."), 1232, 1)));
    expect![[r#"
        an answer: no answer
        eleven bytes: no answer
        a header: Form Error rd ra
        an update: Not Implemented ra
        two questions: Form Error rd ra
        a record that is not there: Form Error rd ra
        ? web.default.svc.cluster.local. A
        a cut question: Form Error rd ra
        a name that points: Form Error rd ra
        another class: Query Refused rd ra
        ? web.default.svc.cluster.local. A
        a transfer: Query Refused rd ra
        ? cluster.local. AXFR
        EDNS of the future: TSIG Failure rd ra edns 1232
        ? web.default.svc.cluster.local. A
    "#]]
    .assert_eq(&texts);
}
