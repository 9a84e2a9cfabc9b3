//! Service addresses and ports: no two Services have the same, and none is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use xebec_api::object::Object;
use xebec_state::{Key, Operation, Precondition, Transaction};

use super::{Api, admin, api, object, target};
use crate::testing::{CountedIds, Fixture};
use crate::{ApiServer, DeleteOptions, Settings, Target};

fn service(name: &str, spec: Value) -> Object {
    let mut service = object(json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}));
    for (key, value) in spec.as_object().expect("a map") {
        service.set(&["spec", key], value.clone());
    }
    service
}

async fn refusal(api: &Api, target: &Target, service: Object) -> String {
    api.0.create(&admin(), target, service).await.expect_err("refused").message
}

fn held(api: &Api) -> Vec<String> {
    let state = api.0.state();
    let mut held: Vec<String> =
        state.list("xebec/clusterips", None).map(|(_, name, _)| name.to_string()).collect();
    held.extend(state.list("xebec/nodeports", None).map(|(_, name, _)| name.to_string()));
    held
}

#[tokio::test]
async fn fixed_values_are_honoured_or_refused() {
    let api = api().await;
    let services = target("services", "");
    let fixed = api.create("services", service("a", json!({"clusterIP": "10.43.7.7"}))).await;
    assert_eq!(fixed.get(&["spec", "clusterIPs"]), Some(&json!(["10.43.7.7"])));
    for (spec, wanted) in [
        (json!({"clusterIP": "10.43.7.7"}), "provided IP is already allocated"),
        (json!({"clusterIP": "10.44.0.9"}), "the provided IP is not in the valid range 10.43.0.0/16"),
        (json!({"clusterIP": "10.43.0.1"}), "reserved for the Service default/kubernetes"),
        (json!({"clusterIP": "10.43.0.10"}), "reserved for the Service kube-system/kube-dns"),
        (
            json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]}),
            "The range of valid ports is 30000-32767",
        ),
    ] {
        let message = refusal(&api, &services, service("b", spec)).await;
        assert!(message.contains(wanted), "{message}");
    }
    let kubernetes = api.create("services", service("kubernetes", json!({"clusterIP": "10.43.0.1"}))).await;
    assert_eq!(kubernetes.text(&["spec", "clusterIP"]), "10.43.0.1");
    let headless = api.create("services", service("headless", json!({"clusterIP": "None"}))).await;
    assert_eq!(headless.get(&["spec", "clusterIPs"]), Some(&json!(["None"])));
    assert_eq!(held(&api), ["10.43.0.1", "10.43.7.7"]);
}

#[tokio::test]
async fn what_a_service_gives_up_is_free_again() {
    let api = api().await;
    let ports = json!([{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP", "name": "u"}]);
    let ports = json!({"type": "NodePort", "ports": ports});
    let mut spec = ports.clone();
    spec["ports"][0]["name"] = "t".into();
    let made = api.create("services", service("a", spec)).await;
    let ip = made.text(&["spec", "clusterIP"]).to_owned();
    let given =
        made.get(&["spec", "ports"]).and_then(|ports| ports[1].get("nodePort")).and_then(Value::as_u64);
    let given = given.expect("a port is given").to_string();
    assert_eq!(held(&api).len(), 3);

    let target = target("services", "a");
    let narrowed = api.patch(&target, json!({"spec": {"type": "ClusterIP"}})).await;
    assert_eq!(narrowed.text(&["spec", "clusterIP"]), ip, "an address is kept");
    assert_eq!(held(&api), [ip.as_str()], "30080 and {given} are free");
    let widened = api.patch(&target, json!({"spec": {"type": "NodePort"}})).await;
    assert_eq!(held(&api).len(), 3, "{widened:?}");
    let patch = json!({"spec": {"type": "ExternalName", "externalName": "example.com", "ports": null}});
    let external = api.patch(&target, patch).await;
    assert_eq!((external.get(&["spec", "clusterIP"]), held(&api)), (None, vec![]));
    let back = api
        .patch(&target, json!({"spec": {"type": "ClusterIP", "externalName": null, "ports": [{"port": 80}]}}))
        .await;
    assert_eq!(held(&api), [back.text(&["spec", "clusterIP"])]);
    api.0.delete(&admin(), &target, &DeleteOptions::default()).await.expect("deleted");
    assert_eq!(held(&api), Vec::<String>::new());
}

/// One number in two protocols is one node port, which nobody else gets and which is free
/// again once neither has it.
#[tokio::test]
async fn one_number_in_two_protocols_is_one_node_port() {
    let api = api().await;
    let (services, dns) = (target("services", ""), target("services", "dns"));
    let ports = json!([{"name": "u", "port": 53, "protocol": "UDP"}, {"name": "t", "port": 53},
        {"name": "other", "port": 9153}]);
    let made = api.create("services", service("dns", json!({"type": "NodePort", "ports": ports}))).await;
    let given = |service: &Object| -> Vec<u64> {
        let ports = service.get(&["spec", "ports"]).and_then(Value::as_array).expect("ports");
        ports.iter().filter_map(|port| port.get("nodePort")?.as_u64()).collect()
    };
    let numbers = given(&made);
    assert!(numbers[0] == numbers[1] && numbers[1] != numbers[2], "{numbers:?}");
    let taken =
        json!({"type": "NodePort", "ports": [{"port": 53, "protocol": "UDP", "nodePort": numbers[0]}]});
    let message = refusal(&api, &services, service("b", taken)).await;
    assert!(message.contains("provided port is already allocated"), "{message}");
    let ports = json!([{"name": "t", "port": 53}, {"name": "other", "port": 9153}]);
    let narrowed = api.patch(&dns, json!({"spec": {"ports": ports}})).await;
    assert_eq!(given(&narrowed), numbers[1..], "each port keeps its own");
    assert_eq!(held(&api).len(), 3);
    let ports =
        json!([{"name": "t", "port": 54, "nodePort": 31000}, {"name": "u", "port": 54, "protocol": "UDP"}]);
    let moved = api.patch(&dns, json!({"spec": {"ports": ports}})).await;
    assert_eq!(given(&moved), [31000, 31000]);
    assert_eq!(held(&api)[1..], ["31000"]);
}

/// Three masters that draw the same numbers give away a whole range at the same time: no
/// port twice, none left over, and one more is refused.
#[tokio::test]
async fn three_masters_give_away_a_range_without_a_collision() {
    const EACH: u16 = 20;
    let Fixture { store, clock, .. } = Fixture::new().await;
    let master = |_| {
        let node_ports = 30_000..=30_000 + 3 * EACH - 1;
        let ids = Arc::new(CountedIds::default());
        let settings = Settings { clock: clock.clone(), ids, node_ports, ..Settings::default() };
        Arc::new(ApiServer::new(store.clone(), settings))
    };
    let masters: [Arc<ApiServer>; 3] = std::array::from_fn(master);
    let mut writes = JoinSet::new();
    for number in 0..3 * EACH {
        let master = Arc::clone(&masters[usize::from(number % 3)]);
        let service = service(&format!("s{number}"), json!({"type": "NodePort"}));
        writes.spawn(async move { master.create(&admin(), &target("services", ""), service).await });
    }
    let (mut addresses, mut node_ports) = (BTreeSet::new(), BTreeSet::new());
    while let Some(made) = writes.join_next().await {
        let made = made.expect("it did not panic").expect("there is one for everybody");
        assert!(addresses.insert(made.text(&["spec", "clusterIP"]).to_owned()), "{made:?}");
        let port = made.get(&["spec", "ports"]).and_then(|ports| ports[0]["nodePort"].as_u64());
        assert!(node_ports.insert(port.expect("a port is given")), "{made:?}");
    }
    assert_eq!(node_ports, (30_000..30_000 + u64::from(3 * EACH)).collect());
    let api = Api(Arc::clone(&masters[0]));
    let message = refusal(&api, &target("services", ""), service("b", json!({"type": "NodePort"}))).await;
    assert!(message.contains("spec.ports[0].nodePort: the node port range has no free port"), "{message}");
    masters[1].delete(&admin(), &target("services", "s7"), &DeleteOptions::default()).await.expect("deleted");
    api.create("services", service("b", json!({"type": "NodePort"}))).await;
}

#[tokio::test]
async fn two_masters_never_give_the_same_address() {
    let Fixture { server, store, .. } = Fixture::new().await;
    // What this master would draw next was taken by another one a moment ago.
    let dry = crate::RequestContext { dry_run: true, ..admin() };
    let services = target("services", "");
    let drawn = server.create(&dry, &services, service("a", json!({}))).await.expect("drawn");
    let next: u32 =
        u32::from(drawn.text(&["spec", "clusterIP"]).parse::<std::net::Ipv4Addr>().expect("an address"));
    let operations = (0..50)
        .map(|step| Key::new("xebec/clusterips", "", &std::net::Ipv4Addr::from(next + step).to_string()))
        .map(|key| Operation::Put(key, "{}".into()))
        .collect();
    store.propose_elsewhere(&Transaction { operations, ..Transaction::default() });
    let made = server.create(&admin(), &services, service("a", json!({}))).await.expect("drawn again");
    let address: u32 =
        u32::from(made.text(&["spec", "clusterIP"]).parse::<std::net::Ipv4Addr>().expect("an address"));
    assert!(!(next..next + 50).contains(&address), "{made:?}");
    let key = Key::new("xebec/clusterips", "", made.text(&["spec", "clusterIP"]));
    let again = Transaction { preconditions: vec![Precondition::Absent(key)], ..Transaction::default() };
    assert!(matches!(store.propose_elsewhere(&again), xebec_state::Reply::Refused(_)));
}
