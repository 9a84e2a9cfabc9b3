//! A pod's DNS settings, host aliases, host ports and spread.

use expect_test::expect;
use serde_json::{Value, json};

use super::super::refused;
use super::{named, pod};

/// The words are Kubernetes' own, of `pkg/apis/core/validation` at 1.35.
#[test]
fn network_and_spread_of_pods() {
    let containers = json!([{"name": "a", "image": "b"}]);
    let dns = |policy: &str, config: Value| {
        refused(&pod(json!({"containers": containers, "dnsPolicy": policy, "dnsConfig": config})))
    };
    let good = json!({"nameservers": ["10.0.0.1", "fd00::1"], "searches": ["a.test.", ".", "_tcp.b_c"],
        "options": [{"name": "ndots", "value": "2"}]});
    assert_eq!(dns("None", good), "");
    expect![[r#"
        spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None
    "#]]
    .assert_eq(&dns("None", Value::Null));
    expect![[r#"
        spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None
    "#]]
    .assert_eq(&dns("None", json!({"searches": ["A"]})));
    expect![[r#"
        spec.dnsConfig.nameservers: Invalid value: ["10.0.0.1","10.0.0.2","10.0.0.3","x"]: must not have more than 3 nameservers
        spec.dnsConfig.nameservers[3]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        spec.dnsConfig.searches[0]: Invalid value: "a b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')
        spec.dnsConfig.options[0]: Required value: must not be empty
    "#]]
    .assert_eq(&dns(
        "Default",
        json!({"nameservers": ["10.0.0.1", "10.0.0.2", "10.0.0.3", "x"], "searches": ["a b."],
            "options": [{"value": "2"}]}),
    ));
    let many = |count: usize, bytes: usize| json!({"searches": vec!["a".repeat(bytes); count]});
    assert_eq!(dns("Default", many(32, 63)), "");
    assert!(dns("Default", many(33, 1)).ends_with(": must not have more than 32 search paths\n"));
    let long = dns("Default", many(32, 64));
    assert!(long.ends_with("more than 2048 characters (including spaces) in the search list\n"), "{long}");
    let ports = json!([{"containerPort": 80}, {"containerPort": 81, "hostPort": 0}, {"containerPort": 82, "hostPort": 8082}]);
    let spec = json!({"hostNetwork": true, "containers": [{"name": "a", "image": "b", "ports": ports}],
        "hostAliases": [{"ip": "localhost", "hostnames": ["db", "A"]}, {"hostnames": []}],
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"},
            {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
            {"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "Never"}]});
    let told = expect![[r#"
        spec.containers[0].ports[2].hostPort: Invalid value: 8082: must match `containerPort` when `hostNetwork` is true
        spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, DoNotSchedule}"
        spec.topologySpreadConstraints[3].maxSkew: Invalid value: 0: must be greater than zero
        spec.topologySpreadConstraints[3].topologyKey: Required value: can not be empty
        spec.topologySpreadConstraints[3].whenUnsatisfiable: Unsupported value: "Never": supported values: "DoNotSchedule", "ScheduleAnyway"
        spec.hostAliases[0].ip: Invalid value: "localhost": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        spec.hostAliases[0].hostnames[1]: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.hostAliases[1].ip: Invalid value: "": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
    "#]];
    told.assert_eq(&refused(&pod(spec.clone())));
    // A template leaves the ports of the host to its pods.
    let set = named(
        "apps/v1",
        "DaemonSet",
        json!({"spec": {"selector": {"matchLabels": {"app": "b"}},
        "template": {"metadata": {"labels": {"app": "b"}}, "spec": spec}}}),
    );
    told.assert_eq(&refused(&set).replace("spec.template.spec.", "spec."));
}
