//! Every kind of record of the specification, and what there is none of.

use expect_test::expect;

use super::*;

fn table() -> Table {
    let mut zone = zone();
    let ports =
        json!([{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}, {"port": 9}]);
    let dual = json!({"clusterIP": "10.43.0.5", "clusterIPs": ["10.43.0.5", "fd00::5"], "ports": ports});
    zone.set_service("default", "web", service(&dual));
    zone.set_service("default", "db", service(&json!({"clusterIP": "None"})));
    zone.set_service(
        "default",
        "early",
        service(&json!({"clusterIP": "None", "publishNotReadyAddresses": true})),
    );
    zone.set_service("default", "idle", service(&json!({"clusterIP": "None"})));
    zone.set_service(
        "default",
        "out",
        service(&json!({"type": "ExternalName", "externalName": "Example.COM."})),
    );
    zone.set_service("default", "new", service(&json!({"ports": ports})));
    let endpoints = json!([
        {"addresses": ["10.42.0.2"], "hostname": "db-0", "conditions": {"ready": true}},
        {"addresses": ["10.42.1.2"], "conditions": {}},
        {"addresses": ["10.42.1.3"], "hostname": "db-2", "conditions": {"ready": false}},
    ]);
    let ports = json!([{"name": "sql", "port": 5432}, {"name": "", "port": 1}]);
    zone.set_slice("default", "db-x", slice("db", &ports, &endpoints));
    zone.set_slice("default", "early-x", slice("early", &ports, &endpoints));
    zone.set_slice("default", "idle-x", slice("idle", &ports, &json!([endpoints[2]])));
    zone.publish(7)
}

#[test]
fn a_service_with_addresses() {
    expect![[r#"
        A web.default.svc.cluster.local: [10.43.0.5]
        A WEB.Default.SVC.cluster.LOCAL.: [10.43.0.5]
        AAAA web.default.svc.cluster.local: [fd00::5]
        MX web.default.svc.cluster.local: no data in cluster.local.
        SRV _http._tcp.web.default.svc.cluster.local: from 11: the Service:80 [10.43.0.5]
        SRV _dns._udp.web.default.svc.cluster.local: from 10: the Service:53 [10.43.0.5]
        A _http._tcp.web.default.svc.cluster.local: no data in cluster.local.
        SRV _tcp.web.default.svc.cluster.local: no data in cluster.local.
        SRV _sctp.web.default.svc.cluster.local: no name in cluster.local.
        SRV _http._udp.web.default.svc.cluster.local: no name in cluster.local.
        PTR 5.0.43.10.in-addr.arpa: [web.default.svc.cluster.local.]
        A 5.0.43.10.in-addr.arpa: no data in 43.10.in-addr.arpa.
        PTR 5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa: [web.default.svc.cluster.local.]
        A a.web.default.svc.cluster.local: no name in cluster.local.
        A new.default.svc.cluster.local: no name in cluster.local.
    "#]]
    .assert_eq(&answers(
        &table(),
        &[
            "A web.default.svc.cluster.local",
            "A WEB.Default.SVC.cluster.LOCAL.",
            "AAAA web.default.svc.cluster.local",
            "MX web.default.svc.cluster.local",
            "SRV _http._tcp.web.default.svc.cluster.local",
            "SRV _dns._udp.web.default.svc.cluster.local",
            "A _http._tcp.web.default.svc.cluster.local",
            "SRV _tcp.web.default.svc.cluster.local",
            "SRV _sctp.web.default.svc.cluster.local",
            "SRV _http._udp.web.default.svc.cluster.local",
            "PTR 5.0.43.10.in-addr.arpa",
            "A 5.0.43.10.in-addr.arpa",
            "PTR 5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
            "A a.web.default.svc.cluster.local",
            "A new.default.svc.cluster.local",
        ],
    ));
}

#[test]
fn a_headless_service_and_its_endpoints() {
    expect![[r#"
        A db.default.svc.cluster.local: [10.42.0.2, 10.42.1.2]
        AAAA db.default.svc.cluster.local: no data in cluster.local.
        A db-0.db.default.svc.cluster.local: [10.42.0.2]
        A 10-42-1-2.db.default.svc.cluster.local: [10.42.1.2]
        A db-2.db.default.svc.cluster.local: no name in cluster.local.
        SRV _sql._tcp.db.default.svc.cluster.local: from 10: 10-42-1-2:5432 [10.42.1.2], db-0:5432 [10.42.0.2]
        PTR 2.0.42.10.in-addr.arpa: [db-0.db.default.svc.cluster.local., db-0.early.default.svc.cluster.local.]
        PTR 3.1.42.10.in-addr.arpa: [db-2.early.default.svc.cluster.local.]
        A early.default.svc.cluster.local: [10.42.0.2, 10.42.1.2, 10.42.1.3]
        A idle.default.svc.cluster.local: no name in cluster.local.
    "#]]
    .assert_eq(&answers(
        &table(),
        &[
            "A db.default.svc.cluster.local",
            "AAAA db.default.svc.cluster.local",
            "A db-0.db.default.svc.cluster.local",
            "A 10-42-1-2.db.default.svc.cluster.local",
            "A db-2.db.default.svc.cluster.local",
            "SRV _sql._tcp.db.default.svc.cluster.local",
            "PTR 2.0.42.10.in-addr.arpa",
            "PTR 3.1.42.10.in-addr.arpa",
            "A early.default.svc.cluster.local",
            "A idle.default.svc.cluster.local",
        ],
    ));
}

#[test]
fn everything_else() {
    expect![[r#"
        A out.default.svc.cluster.local: alias example.com.
        A a.out.default.svc.cluster.local: no name in cluster.local.
        TXT dns-version.cluster.local: Version
        A dns-version.cluster.local: no data in cluster.local.
        SOA cluster.local: Soa(cluster.local.)
        NS cluster.local: Ns
        A cluster.local: no data in cluster.local.
        A svc.cluster.local: no data in cluster.local.
        A default.svc.cluster.local: no data in cluster.local.
        A other.svc.cluster.local: no name in cluster.local.
        A default.pod.cluster.local: no data in cluster.local.
        A 10-42-1-5.default.pod.cluster.local: Address(10.42.1.5)
        AAAA 10-42-1-5.default.pod.cluster.local: no data in cluster.local.
        AAAA fd00--5.default.pod.cluster.local: Address(fd00::5)
        A 10-42-1-5.other.pod.cluster.local: no name in cluster.local.
        A web.default.pod.cluster.local: no name in cluster.local.
        A a.b.cluster.local: no name in cluster.local.
        A example.com: elsewhere
        A local: elsewhere
        PTR 9.9.42.10.in-addr.arpa: no name in 42.10.in-addr.arpa.
        SOA 42.10.in-addr.arpa: Soa(42.10.in-addr.arpa.)
        PTR 9.42.10.in-addr.arpa: no data in 42.10.in-addr.arpa.
        PTR 1.2.0.192.in-addr.arpa: elsewhere
        PTR 10.in-addr.arpa: elsewhere
    "#]]
    .assert_eq(&answers(
        &table(),
        &[
            "A out.default.svc.cluster.local",
            "A a.out.default.svc.cluster.local",
            "TXT dns-version.cluster.local",
            "A dns-version.cluster.local",
            "SOA cluster.local",
            "NS cluster.local",
            "A cluster.local",
            "A svc.cluster.local",
            "A default.svc.cluster.local",
            "A other.svc.cluster.local",
            "A default.pod.cluster.local",
            "A 10-42-1-5.default.pod.cluster.local",
            "AAAA 10-42-1-5.default.pod.cluster.local",
            "AAAA fd00--5.default.pod.cluster.local",
            "A 10-42-1-5.other.pod.cluster.local",
            "A web.default.pod.cluster.local",
            "A a.b.cluster.local",
            "A example.com",
            "A local",
            "PTR 9.9.42.10.in-addr.arpa",
            "SOA 42.10.in-addr.arpa",
            "PTR 9.42.10.in-addr.arpa",
            "PTR 1.2.0.192.in-addr.arpa",
            "PTR 10.in-addr.arpa",
        ],
    ));
}

/// A label may hold the bytes that look like the domain.
#[test]
fn a_label_that_looks_like_the_domain_is_none() {
    let table = table();
    let inside = b"\x1aweb\x07default\x03svc\x07cluster\x05local\0";
    assert_eq!(table.lookup(inside, RecordType::A), Lookup::Elsewhere);
    assert_eq!(table.lookup(b"\0", RecordType::A), Lookup::Elsewhere);
}
