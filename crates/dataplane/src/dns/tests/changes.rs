//! However changes come, the table is as if made anew from what is there.

use proptest::prelude::*;

use super::*;

/// The Service of a slice, and its endpoints: address, whether named, whether ready.
type Contents = (u8, Vec<(u8, bool, bool)>);

#[derive(Clone, Debug)]
enum Step {
    Service(u8, Option<Value>),
    Slice(u8, Option<Contents>),
    Publish,
}

fn spec() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0_u8..3)
            .prop_map(|n| json!({"clusterIP": format!("10.43.0.{n}"), "ports": [{"name": "a", "port": 1}]})),
        any::<bool>().prop_map(|all| json!({"clusterIP": "None", "publishNotReadyAddresses": all})),
        (0_u8..3).prop_map(
            |n| json!({"type": "ExternalName", "externalName": format!("s{n}.default.svc.cluster.local")})
        ),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let endpoint = (0_u8..4, any::<bool>(), any::<bool>());
    let contents = (0_u8..3, prop::collection::vec(endpoint, 0..4));
    prop_oneof![
        (0_u8..3, prop::option::of(spec())).prop_map(|(name, spec)| Step::Service(name, spec)),
        (0_u8..4, prop::option::of(contents)).prop_map(|(name, contents)| Step::Slice(name, contents)),
        Just(Step::Publish),
    ]
}

fn make_slice((service, endpoints): &Contents) -> Option<Arc<DnsSlice>> {
    let endpoint = |(address, named, ready): &(u8, bool, bool)| {
        let hostname = if *named { format!("h{address}") } else { String::new() };
        json!({"addresses": [format!("10.42.0.{address}")], "hostname": hostname, "conditions": {"ready": ready}})
    };
    let endpoints: Vec<Value> = endpoints.iter().map(endpoint).collect();
    slice(&format!("s{service}"), &json!([{"name": "a", "port": 1}]), &json!(endpoints))
}

/// Everything that can be asked of such a cluster.
fn all(table: &Table) -> String {
    let services = (0..3).map(|n| format!("A s{n}.default.svc.cluster.local"));
    let ports = (0..3).map(|n| format!("SRV _a._tcp.s{n}.default.svc.cluster.local"));
    let hosts = (0..3).flat_map(|n| (0..4).map(move |h| format!("A h{h}.s{n}.default.svc.cluster.local")));
    let pods = (0..4).map(|n| format!("PTR {n}.0.42.10.in-addr.arpa"));
    let addresses = (0..3).map(|n| format!("PTR {n}.0.43.10.in-addr.arpa"));
    let questions: Vec<String> = services.chain(ports).chain(hosts).chain(pods).chain(addresses).collect();
    answers(table, &questions.iter().map(String::as_str).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn a_table_depends_on_what_is_there_and_not_on_how_it_came(steps in prop::collection::vec(step(), 0..40)) {
        let (mut gradual, mut services, mut slices) = (zone(), [None, None, None], [None, None, None, None]);
        for step in &steps {
            match step {
                Step::Service(name, spec) => {
                    services[usize::from(*name)] = spec.as_ref();
                    gradual.set_service("default", &format!("s{name}"), spec.as_ref().and_then(service));
                }
                Step::Slice(name, contents) => {
                    slices[usize::from(*name)] = contents.as_ref();
                    gradual.set_slice("default", &format!("x{name}"), contents.as_ref().and_then(make_slice));
                }
                Step::Publish => drop(gradual.publish(1)),
            }
        }
        let mut fresh = zone();
        for (name, spec) in services.iter().enumerate() {
            fresh.set_service("default", &format!("s{name}"), spec.and_then(service));
        }
        for (name, contents) in slices.iter().enumerate() {
            fresh.set_slice("default", &format!("x{name}"), contents.and_then(make_slice));
        }
        let (gradual, fresh) = (gradual.publish(2), fresh.publish(2));
        prop_assert_eq!(all(&gradual), all(&fresh));
        prop_assert_eq!(gradual.pointers.len(), fresh.pointers.len());
        prop_assert_eq!(gradual.services.len(), fresh.services.len());
    }
}

#[test]
fn a_table_that_was_given_out_stays_as_it_is() {
    let mut zone = zone();
    zone.set_service("default", "web", service(&json!({"clusterIP": "10.43.0.5"})));
    let before = zone.publish(1);
    zone.set_service("default", "web", None);
    zone.set_namespace("default", false);
    let after = zone.publish(2);
    let question =
        ["A web.default.svc.cluster.local", "PTR 5.0.43.10.in-addr.arpa", "A default.svc.cluster.local"];
    assert!(answers(&before, &question).contains("[10.43.0.5]"));
    assert_eq!(answers(&after, &question).matches("no name").count(), 3);
}
