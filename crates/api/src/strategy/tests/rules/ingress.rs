//! Ingresses.

use expect_test::expect;
use serde_json::{Value, json};

use super::super::refused;
use super::named;

#[test]
fn ingresses() {
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let ingress = |metadata: Value, spec: Value| {
        let mut ingress = named("networking.k8s.io/v1", "Ingress", json!({"spec": spec}));
        ingress["metadata"]["annotations"] = metadata;
        refused(&ingress)
    };
    let paths = json!([
        {"path": "x", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {}}}},
        {"path": "/a//b/../c%2f/.", "pathType": "Exact", "backend": {}},
        {"path": "/", "backend": backend},
        {"path": "/", "pathType": "Regex", "backend": {"resource": {"kind": "Bucket"}}},
        {"pathType": "ImplementationSpecific", "backend": {"service": {"name": "Web", "port": {"number": 80, "name": "http"}}}},
        {"path": "a", "pathType": "ImplementationSpecific", "backend": {"service": {"port": {"name": "a--b"}}}},
    ]);
    expect![[r#"
        metadata.annotations.kubernetes.io/ingress.class: Invalid value: "nginx": must match `ingressClassName` when both are specified
        spec.rules[0].host: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path
        spec.rules[0].http.paths[0].backend: Required value: port name or number is required
        spec.rules[0].http.paths[1].path: Invalid value: "/a//b/../c%2f/.": must not contain '//'
        spec.rules[0].http.paths[1].path: Invalid value: "/a//b/../c%2f/.": must not contain '/../'
        spec.rules[0].http.paths[1].path: Invalid value: "/a//b/../c%2f/.": must not contain '%2f'
        spec.rules[0].http.paths[1].path: Invalid value: "/a//b/../c%2f/.": cannot end with '/.'
        spec.rules[0].http.paths[1].backend: Invalid value: {}: resource or service backend is required
        spec.rules[0].http.paths[2].pathType: Required value: pathType must be specified
        spec.rules[0].http.paths[3].pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"
        spec.rules[0].http.paths[3].backend.resource.name: Required value: name is required
        spec.rules[0].http.paths[4].backend.service.name: Invalid value: "Web": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')
        spec.rules[0].http.paths[4].backend: Invalid value: {"service":{"name":"Web","port":{"name":"http","number":80}}}: cannot set both port name & port number
        spec.rules[0].http.paths[5].path: Invalid value: "a": must be an absolute path
        spec.rules[0].http.paths[5].backend.service.name: Required value
        spec.rules[0].http.paths[5].backend.service.port.name: Invalid value: "a--b": must not contain consecutive hyphens
        spec.rules[1].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address
        spec.rules[2].host: Invalid value: "a.*.b": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.rules[2].http.paths: Required value
        spec.tls[0].hosts[1]: Invalid value: "*": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.tls[0].secretName: Invalid value: "A_B": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
    "#]].assert_eq(&ingress(
        json!({"kubernetes.io/ingress.class": "nginx"}),
        json!({"ingressClassName": "xebec", "rules": [
            {"host": "A", "http": {"paths": paths}}, {"host": "10.0.0.1"}, {"host": "a.*.b", "http": {"paths": []}}],
            "tls": [{"hosts": ["*.a.com", "*"], "secretName": "A_B"}]}),
    ));
    expect![[r#"
        spec.ingressClassName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec: Invalid value: {"ingressClassName":"A"}: either `defaultBackend` or `rules` must be specified
    "#]].assert_eq(&ingress(Value::Null, json!({"ingressClassName": "A"})));
    let good = json!({"defaultBackend": backend, "rules": [{"host": "*.a.com"}, {}], "tls": [{}]});
    expect![""].assert_eq(&ingress(json!({"kubernetes.io/ingress.class": "xebec"}), good));
}
