//! The admin's kubeconfig, in Kubernetes' own format.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// The text of a kubeconfig. JSON is YAML, and every reader of the one reads the other.
#[must_use]
pub(crate) fn admin(servers: &[String], ca: &str, certificate: &str, key: &str) -> String {
    let encoded = |text: &str| STANDARD.encode(text);
    let first = servers.first().map(|server| format!("https://{server}")).unwrap_or_default();
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "xebec", "cluster": {"server": first, "certificate-authority-data": encoded(ca)}}],
        "users": [{"name": "xebec-admin", "user": {
            "client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}}],
        "contexts": [{"name": "xebec", "context": {"cluster": "xebec", "user": "xebec-admin"}}],
        "current-context": "xebec",
    });
    serde_json::to_string_pretty(&config).expect("plain data serializes")
}
