//! Services of each type.

use expect_test::expect;
use serde_json::json;

use super::super::refused;
use super::named;

#[test]
fn services() {
    let bad = named(
        "v1",
        "Service",
        json!({"spec": {"clusterIP": "nowhere", "selector": {"a b": "c"},
        "externalTrafficPolicy": "Local",
        "ports": [{"port": 80, "nodePort": 30000}, {"port": 80, "name": "A"}, {"port": 0, "name": "x", "targetPort": "Web!"}]}}),
    );
    expect![[r#"
        spec.clusterIP: Invalid value: "nowhere": must be empty, 'None', or a valid IP address
        spec.ports[0].name: Required value
        spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'
        spec.ports[1].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}
        spec.ports[2].port: Invalid value: 0: must be between 1 and 65535, inclusive
        spec.ports[2].targetPort: Invalid value: "Web!": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)
        spec.selector: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services
    "#]].assert_eq(&refused(&bad));
    let ports = json!([{"port": 80, "name": "a", "nodePort": 80}, {"port": 81, "name": "b", "nodePort": 30000}, {"port": 82, "name": "c", "nodePort": 30000}]);
    let node_port =
        named("v1", "Service", json!({"spec": {"type": "NodePort", "clusterIP": "None", "ports": ports}}));
    expect![[r#"
        spec.clusterIP: Invalid value: "None": may not be set to 'None' for NodePort services
        spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767
        spec.ports[2].nodePort: Duplicate value: 30000
    "#]].assert_eq(&refused(&node_port));
    let external = named("v1", "Service", json!({"spec": {"type": "ExternalName"}}));
    expect![[r#"
        spec.externalName: Required value
    "#]]
    .assert_eq(&refused(&external));
    assert_eq!(refused(&named("v1", "Service", json!({"spec": {"clusterIP": "None"}}))), "");
}
