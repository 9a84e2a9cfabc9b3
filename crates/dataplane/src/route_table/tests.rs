//! Whole tables of small clusters.

use expect_test::expect;
use proptest::prelude::*;
use serde_json::json;

use xebec_api::well_known::SERVICE_NAME;

use super::*;

fn object(value: Value) -> Object {
    Object::from_json(value.to_string().as_bytes()).expect("a map")
}

fn service(name: &str, spec: Value) -> Object {
    object(json!({"metadata": {"namespace": "default", "name": name}, "spec": spec}))
}

fn slice(service: &str, ports: Value, endpoints: Value) -> Object {
    let labels = json!({SERVICE_NAME: service});
    let metadata = json!({"namespace": "default", "name": service, "labels": labels});
    object(json!({"metadata": metadata, "addressType": "IPv4", "ports": ports, "endpoints": endpoints}))
}

fn endpoint(address: &str, node: &str, ready: bool, serving: bool, terminating: bool) -> Value {
    let conditions = json!({"ready": ready, "serving": serving, "terminating": terminating});
    json!({"addresses": [address], "nodeName": node, "conditions": conditions})
}

fn lines(services: &[Object], slices: &[Object]) -> String {
    let line = |port: &ServicePort| {
        let list = |endpoints: &[Endpoint]| {
            let words: Vec<String> = endpoints
                .iter()
                .map(|e| format!("{}{}", e.address, if e.local { "*" } else { "" }))
                .collect();
            words.join(" ")
        };
        let node_port = port.node_port.map(|n| format!("\n  {n} -> {}", list(&port.node_port_endpoints)));
        let outside = [("external", &port.external_addresses), ("balanced", &port.balanced_addresses)];
        let outside = outside.into_iter().filter(|(_, addresses)| !addresses.is_empty());
        let outside: String = outside
            .map(|(kind, addresses)| {
                let (far, near) = (list(&port.node_port_endpoints), list(&port.inside_endpoints));
                format!("  {kind} {addresses:?} -> {far}; from inside {near}\n")
            })
            .collect();
        let ranges =
            Some(format!("  for {:?}\n", port.source_ranges)).filter(|_| !port.source_ranges.is_empty());
        let retired = Some(list(&port.retired)).filter(|list| !list.is_empty());
        let retired = retired.map(|list| format!("  retired {list}\n"));
        format!(
            "{} {:?} {:?} sticky={} -> {}{}\n",
            port.name,
            port.protocol,
            port.addresses,
            port.affinity.map_or(0, |time| time.as_secs()),
            list(&port.endpoints),
            node_port.unwrap_or_default()
        ) + &outside
            + &ranges.unwrap_or_default()
            + &retired.unwrap_or_default()
    };
    route_table(services, slices, "n1").iter().map(line).collect()
}

#[test]
fn services_of_every_kind() {
    let http = json!([{"name": "http", "port": 80, "nodePort": 30080}, {"name": "dns", "port": 53, "protocol": "UDP"}]);
    let services = [
        service(
            "web",
            json!({"clusterIP": "10.43.0.5", "clusterIPs": ["10.43.0.5", "fd00::1"], "type": "NodePort",
            "externalIPs": ["192.0.2.7"], "externalTrafficPolicy": "Local", "ports": http}),
        ),
        service(
            "db",
            json!({"clusterIP": "10.43.0.6", "sessionAffinity": "ClientIP", "ports": [{"port": 5432}],
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}}}),
        ),
        service("headless", json!({"clusterIP": "None", "ports": [{"port": 1}]})),
        service("outside", json!({"type": "ExternalName", "ports": [{"port": 1}]})),
        service("empty", json!({"clusterIP": "10.43.0.7", "ports": [{"port": 1}]})),
    ];
    let slices = [
        slice(
            "web",
            json!([{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "dns", "port": 5353, "protocol": "UDP"}]),
            json!([
                endpoint("10.42.1.2", "n2", true, true, false),
                endpoint("10.42.0.2", "n1", true, true, false),
                endpoint("10.42.0.3", "n1", false, false, false),
                endpoint("10.42.0.4", "n1", false, true, true),
            ]),
        ),
        slice(
            "db",
            json!([{"name": "", "port": 5432}]),
            json!([endpoint("10.42.1.9", "n2", false, true, true)]),
        ),
    ];
    expect![[r#"
        default/web:http Tcp [10.43.0.5:80] sticky=0 -> 10.42.0.2:8080* 10.42.1.2:8080
          30080 -> 10.42.0.2:8080*
          external [192.0.2.7:80] -> 10.42.0.2:8080*; from inside 10.42.0.2:8080* 10.42.1.2:8080
          retired 10.42.0.3:8080* 10.42.0.4:8080*
        default/web:dns Udp [10.43.0.5:53] sticky=0 -> 10.42.0.2:5353* 10.42.1.2:5353
          external [192.0.2.7:53] -> 10.42.0.2:5353*; from inside 10.42.0.2:5353* 10.42.1.2:5353
          retired 10.42.0.3:5353* 10.42.0.4:5353*
        default/db: Tcp [10.43.0.6:5432] sticky=60 -> 10.42.1.9:5432
        default/empty: Tcp [10.43.0.7:1] sticky=0 -> 
    "#]]
    .assert_eq(&lines(&services, &slices));
}

#[test]
fn an_external_address_takes_no_other_services_clients() {
    let ports = json!([{"port": 80}]);
    let service = |name, ip, external: Value| {
        service(name, json!({"clusterIP": ip, "externalIPs": external, "ports": ports}))
    };
    let services = [
        service("a-thief", "10.43.0.5", json!(["10.43.0.6", "192.0.2.7"])),
        service("b", "10.43.0.6", json!(["192.0.2.7"])),
    ];
    expect![[r#"
        default/a-thief: Tcp [10.43.0.5:80] sticky=0 -> 
          external [192.0.2.7:80] -> ; from inside 
        default/b: Tcp [10.43.0.6:80] sticky=0 -> 
    "#]]
    .assert_eq(&lines(&services, &[]));
}

#[test]
fn local_policies_keep_to_the_node() {
    let spec = json!({"clusterIP": "10.43.0.5", "internalTrafficPolicy": "Local", "ports": [{"port": 80}]});
    let endpoints = json!([
        endpoint("10.42.0.2", "n1", true, true, false),
        endpoint("10.42.1.2", "n2", true, true, false)
    ]);
    let slices = [slice("web", json!([{"name": "", "port": 80}]), endpoints)];
    expect![[r#"
        default/web: Tcp [10.43.0.5:80] sticky=0 -> 10.42.0.2:80*
          retired 10.42.1.2:80
    "#]]
    .assert_eq(&lines(&[service("web", spec)], &slices));
}

/// An address of a load balancer goes by the policy for what comes from outside, and only
/// where the balancer sends on what comes to it as it is.
#[test]
fn addresses_of_load_balancers() {
    let spec = json!({"clusterIP": "10.43.0.5", "type": "LoadBalancer", "ports": [{"port": 80}],
        "internalTrafficPolicy": "Local", "externalTrafficPolicy": "Local",
        "loadBalancerSourceRanges": ["192.0.2.0/24", " 198.51.100.0/24", "2001:db8::/32"]});
    let ingress = json!([{"ip": "203.0.113.1", "ipMode": "VIP"}, {"ip": "203.0.113.2", "ipMode": "Proxy"},
        {"ip": "203.0.113.3"}, {"ip": "2001:db8::1"}, {"hostname": "a.test"}]);
    let service = object(json!({"metadata": {"namespace": "default", "name": "web"}, "spec": spec,
        "status": {"loadBalancer": {"ingress": ingress}}}));
    let endpoints = json!([
        endpoint("10.42.0.2", "n1", true, true, false),
        endpoint("10.42.1.2", "n2", true, true, false)
    ]);
    let slices = [slice("web", json!([{"name": "", "port": 80}]), endpoints)];
    expect![[r#"
        default/web: Tcp [10.43.0.5:80] sticky=0 -> 10.42.0.2:80*
          balanced [203.0.113.1:80, 203.0.113.3:80] -> 10.42.0.2:80*; from inside 10.42.0.2:80* 10.42.1.2:80
          for [192.0.2.0/24, 198.51.100.0/24]
    "#]]
    .assert_eq(&lines(&[service], &slices));
}

#[test]
fn a_headless_service_has_no_other_addresses_either() {
    let spec = json!({"clusterIP": "None", "externalIPs": ["192.0.2.7"], "ports": [{"port": 80}]});
    assert_eq!(lines(&[service("web", spec)], &[]), "");
}

/// A node's own pod that is leaving is used before another node's ready one, and only there.
#[test]
fn a_local_policy_drains_the_nodes_own_last_pod() {
    let spec = json!({"clusterIP": "10.43.0.5", "type": "NodePort", "externalTrafficPolicy": "Local",
        "sessionAffinity": "ClientIP", "ports": [{"port": 80, "nodePort": 30080}]});
    let endpoints = json!([
        endpoint("10.42.0.2", "n1", false, true, true),
        endpoint("10.42.0.3", "n1", false, false, true),
        endpoint("10.42.1.2", "n2", true, true, false)
    ]);
    let slices = [slice("web", json!([{"name": "", "port": 80}]), endpoints)];
    expect![[r#"
        default/web: Tcp [10.43.0.5:80] sticky=10800 -> 10.42.1.2:80
          30080 -> 10.42.0.2:80*
          retired 10.42.0.3:80*
    "#]]
    .assert_eq(&lines(&[service("web", spec)], &slices));
}

/// TCP and UDP may share a number, and each finds its own endpoints.
#[test]
fn one_number_may_speak_both_protocols() {
    let ports = json!([{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53},
        {"name": "sctp", "port": 53, "protocol": "SCTP"}]);
    let targets =
        json!([{"name": "dns", "port": 5353, "protocol": "UDP"}, {"name": "dns-tcp", "port": 5354}]);
    let slices = [slice("web", targets, json!([endpoint("10.42.0.2", "n1", true, true, false)]))];
    expect![[r#"
        default/web:dns Udp [10.43.0.10:53] sticky=0 -> 10.42.0.2:5353*
        default/web:dns-tcp Tcp [10.43.0.10:53] sticky=0 -> 10.42.0.2:5354*
    "#]]
    .assert_eq(&lines(&[service("web", json!({"clusterIP": "10.43.0.10", "ports": ports}))], &slices));
}

fn arbitrary_service() -> impl Strategy<Value = Object> {
    let ip = prop::sample::select(vec!["10.43.0.1", "10.43.0.2", "None", "", "no ip"]);
    let kind = prop::sample::select(vec!["ClusterIP", "NodePort", "ExternalName", ""]);
    let external = prop::collection::vec("10\\.43\\.0\\.[1-4]", 0..3);
    (ip, kind, external, 0_i64..70_000).prop_map(|(ip, kind, external, port)| {
        let ports = json!([{"port": port, "nodePort": 30_000}]);
        service("a", json!({"type": kind, "clusterIP": ip, "externalIPs": external, "ports": ports}))
    })
}

proptest! {
    #[test]
    fn no_address_and_port_leads_two_ways(services in prop::collection::vec(arbitrary_service(), 0..6)) {
        let mut seen = BTreeSet::new();
        for port in route_table(&services, &[], "n1") {
            let others = port.external_addresses.into_iter().chain(port.balanced_addresses);
            for address in port.addresses.into_iter().chain(others) {
                prop_assert!(seen.insert((port.protocol, address)), "{} stands twice", address);
            }
        }
    }
}
