//! The admin's kubeconfig, in Kubernetes' own format.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The text of a kubeconfig. JSON is YAML, and every reader of the one reads the other.
#[must_use]
pub(crate) fn admin(servers: &[String], ca: &str, certificate: &str, key: &str) -> String {
    let encoded = |text: &str| STANDARD.encode(text);
    let mut config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "xebec", "cluster": {"certificate-authority-data": encoded(ca)}}],
        "users": [{"name": "xebec-admin", "user": {
            "client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}}],
        "contexts": [{"name": "xebec", "context": {"cluster": "xebec", "user": "xebec-admin"}}],
        "current-context": "xebec",
    });
    set_servers(&mut config, servers);
    text(&config)
}

/// The same kubeconfig with these masters; `None` when nothing changes, or when the text
/// is not what [`admin`] wrote.
#[must_use]
pub(crate) fn with_servers(old: &str, servers: &[String]) -> Option<String> {
    let mut config: Value = serde_json::from_str(old).ok()?;
    config.get("clusters")?.get(0)?.get("cluster")?;
    set_servers(&mut config, servers);
    let new = text(&config);
    (new != old).then_some(new)
}

/// The first is the server that every client knows; the others stand in an extension
/// that `xctl` reads, so that it can go on when the first is away.
fn set_servers(config: &mut Value, servers: &[String]) {
    let mut urls = servers.iter().map(|server| format!("https://{server}"));
    let cluster = &mut config["clusters"][0]["cluster"];
    cluster["server"] = urls.next().unwrap_or_default().into();
    let others: Vec<String> = urls.collect();
    cluster["extensions"] = json!([{"name": "xebec.dev/servers", "extension": {"servers": others}}]);
}

fn text(config: &Value) -> String {
    serde_json::to_string_pretty(config).expect("plain data serializes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_come_and_go() {
        let one = admin(&["10.0.0.1:6443".into()], "ca", "crt", "key");
        assert_eq!(with_servers(&one, &["10.0.0.1:6443".into()]), None);
        let two = with_servers(&one, &["10.0.0.1:6443".into(), "10.0.0.2:6443".into()]).expect("changed");
        assert!(two.contains("https://10.0.0.2:6443"), "{two}");
        assert_eq!(with_servers(&two, &["10.0.0.1:6443".into()]), Some(one));
        assert_eq!(with_servers("clusters: []", &[]), None);
    }
}
