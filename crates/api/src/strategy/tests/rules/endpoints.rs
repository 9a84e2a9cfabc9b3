//! Endpoints.

use expect_test::expect;
use serde_json::json;

use super::super::{admitted, refused};
use super::named;

#[test]
fn endpoints() {
    let of = |subsets| named("v1", "Endpoints", json!({"subsets": subsets}));
    let wrong = json!([{}, {"addresses": [{"ip": "127.0.0.1"}, {"ip": "x", "hostname": "A.b"}, {}],
        "ports": [{"port": 0}, {"name": "a", "port": 1, "protocol": "tcp"}]}]);
    expect![[r#"
        subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`
        subsets[1].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)
        subsets[1].addresses[1].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        subsets[1].addresses[1].hostname: Invalid value: "A.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        subsets[1].addresses[2].ip: Required value
        subsets[1].ports[0].name: Required value
        subsets[1].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive
        subsets[1].ports[1].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"
    "#]]
    .assert_eq(&refused(&of(wrong)));
    let fine = of(json!([{"notReadyAddresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}]));
    assert_eq!(refused(&fine), "");
    let port = json!({"port": 80, "protocol": "TCP"});
    assert_eq!(admitted(&fine).get(&["subsets"]).expect("subsets")[0]["ports"][0], port);
}
