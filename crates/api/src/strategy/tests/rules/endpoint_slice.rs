//! EndpointSlices, and the addresses that may stand in them.

use expect_test::expect;
use serde_json::json;

use super::super::refused;
use super::named;

#[test]
fn endpoint_slices() {
    let slice = named(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        json!({"addressType": "IPv4", "ports": [{"port": 80}, {"port": 70000}],
        "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": []}, {"addresses": ["::1"]}]}),
    );
    expect![[r#"
        endpoints[1].addresses: Required value: must contain at least 1 address
        endpoints[2].addresses[0]: Invalid value: "::1": must be a valid IPv4 address
        endpoints[2].addresses[0]: Invalid value: "::1": may not be in the loopback range (127.0.0.0/8, ::1/128)
        ports[1].name: Duplicate value: ""
        ports[1].port: Invalid value: 70000: must be between 1 and 65535, inclusive
    "#]]
    .assert_eq(&refused(&slice));
}

#[test]
fn only_the_masters_may_listen_on_loopback() {
    let slice = |namespace: &str| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "a", "namespace": namespace, "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "endpoints": [{"addresses": ["127.0.0.1"]}, {"addresses": ["169.254.169.254"]}]})
    };
    assert_eq!(refused(&slice("default")), "");
    expect![[r#"
        endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)
        endpoints[1].addresses[0]: Invalid value: "169.254.169.254": may not be in the link-local range (169.254.0.0/16, 224.0.0.0/24, fe80::/10, ff02::/10)
    "#]].assert_eq(&refused(&slice("other")));
}
