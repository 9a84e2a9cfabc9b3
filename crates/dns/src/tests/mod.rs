//! The server from the outside: messages in, messages out, read and written by another
//! codec than its own.

mod forwarding;
mod hostile;
mod messages;
mod serving;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::{Name, RecordType};
use ipnet::Ipv4Net;
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_dataplane::dns::{self, DnsService, DnsSlice, Settings, Table, Zone};

use crate::forward::Forwarder;
use crate::resolver::{Resolver, Transport, Verdict};

fn object(value: &Value) -> Object {
    Object::from_json(value.to_string().as_bytes()).expect("a map")
}

fn settings() -> Settings {
    let name = |text| dns::Name::parse(text).expect("a name");
    let networks = ["10.43.0.0/16", "10.42.0.0/16"].map(|text| text.parse::<Ipv4Net>().expect("a network"));
    let server = name("kube-dns.kube-system.svc.cluster.local");
    Settings { domain: name("cluster.local"), server, networks: networks.into() }
}

/// A Service of every kind; `big` has 200 endpoints.
fn table() -> Table {
    let mut zone = Zone::new(settings());
    zone.set_namespace("default", true);
    let mut service = |name, spec: Value| {
        zone.set_service("default", name, Some(Arc::new(DnsService::of(&object(&json!({"spec": spec}))))));
    };
    let ports = json!([{"name": "http", "port": 80}]);
    service("web", json!({"clusterIP": "10.43.0.5", "clusterIPs": ["10.43.0.5", "fd00::5"], "ports": ports}));
    service("db", json!({"clusterIP": "None"}));
    service("big", json!({"clusterIP": "None"}));
    service("out", json!({"type": "ExternalName", "externalName": "www.example.com"}));
    service("near", json!({"type": "ExternalName", "externalName": "far.default.svc.cluster.local"}));
    service("far", json!({"type": "ExternalName", "externalName": "web.default.svc.cluster.local"}));
    service("stale", json!({"type": "ExternalName", "externalName": "gone.default.svc.cluster.local"}));
    service("a", json!({"type": "ExternalName", "externalName": "b.default.svc.cluster.local"}));
    service("b", json!({"type": "ExternalName", "externalName": "a.default.svc.cluster.local"}));
    let mut slice = |service: &str, ports: Value, endpoints: Vec<Value>| {
        let labels = json!({"kubernetes.io/service-name": service});
        let slice = json!({"metadata": {"labels": labels}, "ports": ports, "endpoints": endpoints});
        zone.set_slice("default", service, DnsSlice::of(&object(&slice)).map(Arc::new));
    };
    let endpoint =
        |number: u32| json!({"addresses": [format!("10.42.1.{number}")], "hostname": format!("db-{number}")});
    slice("db", json!([{"name": "sql", "port": 5432}]), (1..3).map(endpoint).collect());
    slice("big", json!([]), (1..201).map(endpoint).collect());
    zone.publish(7)
}

fn resolver(upstreams: Vec<SocketAddr>) -> Arc<Resolver> {
    Resolver::new(table(), Forwarder::new(upstreams))
}

/// A question such as `A web.default.svc.cluster.local`.
fn query(question: &str) -> Message {
    let (kind, name) = question.split_once(' ').expect("a kind and a name");
    let mut message = Message::query();
    message.metadata.id = 4660;
    message.metadata.recursion_desired = true;
    let kind: RecordType = kind.parse().expect("a kind");
    message.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
    message
}

fn with_edns(mut message: Message, udp_bytes: u16, version: u8) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(udp_bytes).set_version(version).set_dnssec_ok(true);
    message.set_edns(edns);
    message
}

fn bytes(message: &Message) -> Vec<u8> {
    message.to_vec().expect("it can be written")
}

/// The bytes of the answer, when there is one at once.
fn answer_to(message: &[u8], transport: Transport) -> Option<Vec<u8>> {
    static ALONE: LazyLock<Arc<Resolver>> = LazyLock::new(|| resolver(Vec::new()));
    let mut out = Vec::new();
    let verdict = ALONE.answer_at_once(&ALONE.table(), message, transport, &mut out);
    (verdict == Verdict::Answered).then_some(out)
}

/// An answer as text: its head, then a line for each record.
fn print(answer: &[u8]) -> String {
    let answer = Message::from_vec(answer).expect("it can be read");
    let head = &answer.metadata;
    let mut text = format!("{}", head.response_code);
    for (flag, name) in [
        (head.authoritative, "aa"),
        (head.truncation, "tc"),
        (head.recursion_desired, "rd"),
        (head.recursion_available, "ra"),
    ] {
        text.push_str(if flag { " " } else { "" });
        text.push_str(if flag { name } else { "" });
    }
    if let Some(edns) = &answer.edns {
        write!(text, " edns {}", edns.max_payload()).expect("a String");
    }
    text.push('\n');
    for question in &answer.queries {
        writeln!(text, "? {} {}", question.name(), question.query_type()).expect("a String");
    }
    for (mark, records) in [(' ', &answer.answers), ('!', &answer.authorities), ('+', &answer.additionals)] {
        for record in records {
            writeln!(text, "{mark} {record}").expect("a String");
        }
    }
    text
}
