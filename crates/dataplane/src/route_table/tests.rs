//! Whole tables of small clusters.

use expect_test::expect;
use serde_json::json;

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
        format!(
            "{:?} sticky={} -> {}{}\n",
            port.addresses,
            port.sticky,
            list(&port.endpoints),
            node_port.unwrap_or_default()
        )
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
            json!({"clusterIP": "10.43.0.6", "sessionAffinity": "ClientIP", "ports": [{"port": 5432}]}),
        ),
        service("headless", json!({"clusterIP": "None", "ports": [{"port": 1}]})),
        service("outside", json!({"type": "ExternalName", "ports": [{"port": 1}]})),
        service("empty", json!({"clusterIP": "10.43.0.7", "ports": [{"port": 1}]})),
    ];
    let slices = [
        slice(
            "web",
            json!([{"name": "http", "port": 8080, "protocol": "TCP"}]),
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
        [10.43.0.5:80, 192.0.2.7:80] sticky=false -> 10.42.0.2:8080* 10.42.1.2:8080
          30080 -> 10.42.0.2:8080*
        [10.43.0.6:5432] sticky=true -> 10.42.1.9:5432
        [10.43.0.7:1] sticky=false -> 
    "#]]
    .assert_eq(&lines(&services, &slices));
}
