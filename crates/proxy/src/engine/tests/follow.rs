//! The whole proxy, from a master's objects to connections.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use xebec_api::object::Object;
use xebec_client::fake::{Fake, Store, client_of};

use super::*;
use crate::config::Config;
use crate::serve::follow;

fn put(store: &Store, object: &Value) {
    store.put(Object::from_json(object.to_string().as_bytes()).expect("a map"));
}

fn slice(address: &str) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"namespace": "default", "name": "web", "labels": {"kubernetes.io/service-name": "web"}},
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": true}}],
    })
}

#[test]
fn services_and_endpoints_are_followed_as_they_change() {
    let Some(lab) = Lab::new() else { return };
    let (near, far) = (lab.serve("pod1", "10.42.0.2:8080"), lab.serve("pod3", "10.42.1.2:8080"));
    let store = Arc::new(Store::default());
    put(&store, &slice("10.42.0.2"));
    let (cancel, seen) = (CancellationToken::new(), Arc::clone(&store));
    let stop = cancel.clone();
    let proxy = lab.start_on_node(move || async move {
        let mut master = Fake::on(seen).await;
        let config = Config::from_environment(|key| (key == "XEBEC_SERVERS").then(|| "unused".to_owned()));
        follow(client_of(&[&master]), &config.expect("complete"), &stop).await.expect("served");
        master.stop().await;
    });
    put(
        &store,
        &json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "web"},
            "spec": {"clusterIP": "10.43.0.5", "ports": [{"port": 80}]}}),
    );
    let answers = |address: &'static str| {
        move |answer: &std::io::Result<String>| {
            answer.as_ref().is_ok_and(|answer| answer.starts_with(address))
        }
    };
    lab.ask_until("pod2", "10.43.0.5:80", answers("10.42.0.2:8080"));
    put(&store, &slice("10.42.1.2"));
    lab.ask_until("pod2", "10.43.0.5:80", answers("10.42.1.2:8080"));
    assert!(store.remove("services", "default", "web").is_some());
    let refused = |answer: &std::io::Result<String>| {
        answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    };
    lab.ask_until("pod2", "10.43.0.5:80", refused);
    cancel.cancel();
    proxy.join().expect("it ended well");
    drop((near, far));
}
