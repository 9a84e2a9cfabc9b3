//! Small clusters, and what is answered for them.

mod answers;
mod changes;

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use xebec_api::object::Object;

use super::*;

fn object(value: &Value) -> Object {
    Object::from_json(value.to_string().as_bytes()).expect("a map")
}

fn zone() -> Zone {
    let name = |text| Name::parse(text).expect("a name");
    let network = |text: &str| text.parse().expect("a network");
    let networks = vec![network("10.43.0.0/16"), network("10.42.0.0/16")];
    let server = name("kube-dns.kube-system.svc.cluster.local");
    let mut zone = Zone::new(Settings { domain: name("cluster.local"), server, networks });
    zone.set_namespace("default", true);
    zone
}

fn service(spec: &Value) -> Option<Arc<DnsService>> {
    Some(Arc::new(DnsService::of(&object(&json!({"spec": spec})))))
}

fn slice(service: &str, ports: &Value, endpoints: &Value) -> Option<Arc<DnsSlice>> {
    let labels = json!({"kubernetes.io/service-name": service});
    let slice = DnsSlice::of(&object(&json!({"metadata": {"labels": labels}, "addressType": "IPv4",
        "ports": ports, "endpoints": endpoints})));
    slice.map(Arc::new)
}

/// What the table says to questions such as `A web.default.svc.cluster.local`, a line each.
fn answers(table: &Table, questions: &[&str]) -> String {
    let mut text = String::new();
    for question in questions {
        let (kind, name) = question.split_once(' ').expect("a kind and a name");
        let kind = match kind {
            "A" => RecordType::A,
            "AAAA" => RecordType::Aaaa,
            "SRV" => RecordType::Srv,
            "PTR" => RecordType::Ptr,
            "TXT" => RecordType::Txt,
            "SOA" => RecordType::Soa,
            "NS" => RecordType::Ns,
            "MX" => RecordType::Other,
            other => panic!("{other}"),
        };
        let name = Name::parse(name).expect("a name");
        writeln!(text, "{question}: {}", print(&table.lookup(name.wire(), kind))).expect("a String");
    }
    text
}

fn print(lookup: &Lookup<'_>) -> String {
    match lookup {
        Lookup::Elsewhere => "elsewhere".to_owned(),
        Lookup::Alias(name) => format!("alias {name}"),
        Lookup::NoData(zone) => format!("no data in {zone}"),
        Lookup::NoName(zone) => format!("no name in {zone}"),
        Lookup::Found(Records::Addresses(addresses, family)) => match family {
            Family::V4 => format!("{:?}", addresses.v4),
            Family::V6 => format!("{:?}", addresses.v6),
            Family::Any => format!("{:?} {:?}", addresses.v4, addresses.v6),
        },
        Lookup::Found(Records::Srv { service, port, service_at }) => {
            let target = |target: &Target| {
                let (label, addresses) = service.target(*target).expect("a target is there");
                let label = label.map_or("the Service".to_owned(), |label| label.escape_ascii().to_string());
                format!("{label}:{} {:?}", target.port, addresses.v4)
            };
            let targets: Vec<String> = port.targets().iter().map(target).collect();
            format!("from {service_at}: {}", targets.join(", "))
        }
        Lookup::Found(Records::Names(names)) => format!("{names:?}"),
        Lookup::Found(records) => format!("{records:?}"),
    }
}
