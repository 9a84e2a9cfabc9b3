//! What an Ingress's owner sees: addresses, and what cannot work.

use expect_test::expect;

use super::*;
use crate::world::World;

fn world() -> World {
    let mut world = World::new();
    for (name, address) in [("n1", "10.99.0.21"), ("n2", "10.99.0.22")] {
        world.put_node(name);
        world.poke(NODES, "", name, |node| {
            node.set(
                &["status", "addresses"],
                json!([{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}]),
            );
        });
    }
    world.put(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "web"},
        "spec": {"ports": [{"name": "http", "port": 80}]}}),
    );
    world
}

fn put(world: &mut World, name: &str, class: &str, service: &str) {
    let backend = json!({"service": {"name": service, "port": {"number": 80}}});
    world.put(json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"namespace": "default", "name": name},
        "spec": {"ingressClassName": class, "rules": [{"host": format!("{name}.com"),
            "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]}}));
}

fn reconcile(world: &mut World) -> Plan {
    world.reconcile(&Ingress, &ObjectKey::new(INGRESSES, "", "*"))
}

#[test]
fn ready_nodes_are_where_an_ingress_is_reached() {
    let mut world = world();
    put(&mut world, "ours", "xebec", "web");
    put(&mut world, "theirs", "nginx", "web");
    assert_eq!(world.writes(&[&Ingress]), "status Ingress ours\n");
    expect![[r#"
        {
          "loadBalancer": {
            "ingress": [
              {
                "ip": "10.99.0.21"
              },
              {
                "ip": "10.99.0.22"
              }
            ]
          }
        }
    "#]]
    .assert_eq(&world.status(INGRESSES, "default", "ours"));
    world.poke(NODES, "", "n1", |node| {
        node.set(&["status", "conditions"], json!([{"type": "Ready", "status": "Unknown"}]));
    });
    assert_eq!(world.writes(&[&Ingress]), "status Ingress ours\n");
    let left = world.get(INGRESSES, "default", "ours").expect("it is there");
    assert_eq!(left.get(&["status", "loadBalancer", "ingress"]), Some(&json!([{"ip": "10.99.0.22"}])));
}

#[test]
fn what_cannot_work_is_told_once_about_the_ingress_that_has_it() {
    let mut world = world();
    put(&mut world, "broken", "xebec", "gone");
    put(&mut world, "good", "xebec", "web");
    let plan = reconcile(&mut world);
    expect![[r#"
        status Ingress broken
        status Ingress good
          Warning Ingress/broken: ServiceNotFound
    "#]]
    .assert_eq(&world.take_log());
    let recorded = plan.actions.iter().find_map(|action| match action {
        crate::plan::Action::Record(event) => Some(event.clone()),
        _ => None,
    });
    let event = recorded.expect("one event");
    assert_eq!(
        event.message,
        "host \"broken.com\" path \"/\" (Prefix): service \"gone\" does not exist in namespace \"default\": create it, or name another"
    );
    world.put(json!({"apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "default", "name": "e"},
        "involvedObject": {"uid": event.involved.uid}, "reason": event.reason, "message": event.message}));
    assert_eq!(reconcile(&mut world), Plan::nothing());
}

/// PEM of the right form with hardly anything in it, in base64.
const CERTIFICATE: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BQT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";
const KEY: &str = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1BQT0KLS0tLS1FTkQgUFJJVkFURSBLRVktLS0tLQo=";

#[test]
fn a_secret_without_a_certificate_is_told_of_once_and_hurts_no_rule() {
    let mut world = world();
    put(&mut world, "site", "xebec", "web");
    world.poke(INGRESSES, "default", "site", |ingress| {
        let tls = json!([{"secretName": "bad", "hosts": ["a.com"]}, {"secretName": "bad", "hosts": ["b.com"]},
            {"secretName": "good", "hosts": ["c.com"]}, {"secretName": "gone"}, {}]);
        ingress.set(&["spec", "tls"], tls);
    });
    let mut secret = |name: &str, key: &str| {
        world.put(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "default", "name": name},
            "type": TLS, "data": {"tls.crt": CERTIFICATE, "tls.key": key}}),
        );
    };
    secret("bad", "dGV4dA==");
    secret("good", KEY);
    let plan = reconcile(&mut world);
    let told = plan.actions.iter().filter_map(|action| match action {
        crate::plan::Action::Record(event) => Some(format!("{}: {}\n", event.reason, event.message)),
        _ => None,
    });
    expect![[r#"
        SecretNotFound: tls: there is no Secret "gone" of type kubernetes.io/tls in namespace "default"; its hosts get the default certificate
        InvalidCertificate: tls: secret "bad" holds no certificate that can be used: tls.key has no PEM block "PRIVATE KEY"; its hosts get the default certificate: put a chain into tls.crt and its key into tls.key, both as PEM
    "#]]
    .assert_eq(&told.collect::<String>());
}

#[test]
fn only_what_matters_wakes_it() {
    let world = world();
    let woken = |resource: &str, value: Value| {
        !Ingress.keys(&world, resource, &crate::wanted::object(value)).is_empty()
    };
    assert!(
        woken(SERVICES, json!({}))
            && woken(INGRESS_CLASSES, json!({}))
            && woken(SECRETS, json!({"type": TLS}))
    );
    assert!(!woken(SECRETS, json!({"type": "Opaque"})) && !woken("pods", json!({})));
    assert_eq!(reconcile(&mut World::new()), Plan::nothing());
}
