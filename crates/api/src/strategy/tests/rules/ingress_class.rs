//! IngressClasses.

use expect_test::expect;
use serde_json::json;

use super::super::{change_refused, refused};

#[test]
fn ingress_classes() {
    let class = |controller: &str| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "a"},
            "spec": {"controller": controller}})
    };
    assert_eq!(refused(&class("xebec.io/ingress")), "");
    expect![[r#"
        spec.controller: Required value
    "#]]
    .assert_eq(&refused(&class("")));
    for bare in ["xebec", "/ingress", "xebec.io/"] {
        let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        assert_eq!(refused(&class(bare)), format!("spec.controller: Invalid value: {bare:?}: {why}\n"));
    }
    expect![[r#"
        spec.controller: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.controller: Invalid value: "b c": Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')
    "#]]
    .assert_eq(&refused(&class("A/b c")));
    expect![[r#"
        spec.controller: Too long: may not be more than 250 bytes
    "#]]
    .assert_eq(&refused(&class(&format!("a.io/{}", "x".repeat(246)))));
    expect![[r#"
        spec.controller: Invalid value: "b.io/x": field is immutable
    "#]]
    .assert_eq(&change_refused(&class("b.io/x"), &class("a.io/x")));
}
