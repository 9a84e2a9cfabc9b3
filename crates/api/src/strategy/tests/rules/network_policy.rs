//! NetworkPolicies.

use expect_test::expect;
use serde_json::json;

use super::super::refused;
use super::named;

#[test]
fn network_policies() {
    let policy = named(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        json!({"spec": {"podSelector": {}, "policyTypes": ["Sideways"],
        "ingress": [{"from": [{}, {"ipBlock": {"cidr": ""}, "podSelector": {}}], "ports": [{"port": 90, "endPort": 80}]}]}}),
    );
    expect![[r#"
        spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Egress", "Ingress"
        spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`
        spec.ingress[0].from[0]: Required value: must specify a peer
        spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer
        spec.ingress[0].from[1].ipBlock.cidr: Required value
    "#]]
    .assert_eq(&refused(&policy));
}
