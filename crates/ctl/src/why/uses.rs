//! Where a pod, or a template of pods, uses ConfigMaps, Secrets and claims.

use serde_json::Value;
use xebec_api::object::Object;

use super::wording::{items, items_of, text};

/// One use of one object.
pub(super) struct Use<'a> {
    /// `ConfigMap`, `Secret` or `PersistentVolumeClaim`.
    pub(super) kind: &'static str,
    pub(super) name: &'a str,
    /// The one key that is used.
    pub(super) key: Option<&'a str>,
    /// It may be missing.
    pub(super) optional: bool,
    /// The container that uses it; `None` where the whole pod does.
    pub(super) container: Option<&'a str>,
    /// `the variable GREETING`, `the volume config`.
    pub(super) how: String,
}

/// Every use that a pod makes, in the order of its manifest.
pub(super) fn uses(pod: &Object) -> Vec<Use<'_>> {
    pod.get(&["spec"]).map(of_spec).unwrap_or_default()
}

/// The same of a pod's spec, as a template has it.
pub(super) fn of_spec(spec: &Value) -> Vec<Use<'_>> {
    let mut uses: Vec<Use<'_>> = Vec::new();
    for container in items(spec, "/initContainers").chain(items(spec, "/containers")) {
        variables(container, &mut uses);
    }
    for volume in items(spec, "/volumes") {
        of_volume(volume, &mut uses);
    }
    for secret in items(spec, "/imagePullSecrets") {
        let how = "what opens the registry".to_owned();
        let name = text(secret, "/name");
        uses.push(Use { kind: "Secret", name, key: None, optional: true, container: None, how });
    }
    uses
}

fn optional(source: &Value) -> bool {
    source.get("optional") == Some(&Value::Bool(true))
}

fn variables<'a>(container: &'a Value, uses: &mut Vec<Use<'a>>) {
    let name = text(container, "/name");
    for (kind, field) in [("ConfigMap", "configMapRef"), ("Secret", "secretRef")] {
        for source in items(container, "/envFrom").filter_map(|source| source.get(field)) {
            uses.push(Use {
                kind,
                name: text(source, "/name"),
                key: None,
                optional: optional(source),
                container: Some(name),
                how: "its envFrom".to_owned(),
            });
        }
    }
    for variable in items(container, "/env") {
        for (kind, pointer) in
            [("ConfigMap", "/valueFrom/configMapKeyRef"), ("Secret", "/valueFrom/secretKeyRef")]
        {
            let Some(source) = variable.pointer(pointer) else { continue };
            uses.push(Use {
                kind,
                name: text(source, "/name"),
                key: Some(text(source, "/key")),
                optional: optional(source),
                container: Some(name),
                how: format!("its variable {}", text(variable, "/name")),
            });
        }
    }
}

fn of_volume<'a>(volume: &'a Value, uses: &mut Vec<Use<'a>>) {
    let projected = items(volume, "/projected/sources");
    let how = format!("its volume {}", text(volume, "/name"));
    for source in std::iter::once(volume).chain(projected) {
        for (kind, field, name) in [
            ("ConfigMap", "configMap", "/name"),
            ("Secret", "secret", "/secretName"),
            ("Secret", "secret", "/name"),
            ("PersistentVolumeClaim", "persistentVolumeClaim", "/claimName"),
        ] {
            let Some(inner) = source.get(field).filter(|inner| !text(inner, name).is_empty()) else {
                continue;
            };
            let keys: Vec<&str> = items(inner, "/items").map(|item| text(item, "/key")).collect();
            let keys = if keys.is_empty() { vec![None] } else { keys.into_iter().map(Some).collect() };
            uses.extend(keys.into_iter().map(|key| Use {
                kind,
                name: text(inner, name),
                key,
                optional: optional(inner),
                container: None,
                how: how.clone(),
            }));
        }
    }
}

/// Whether an Ingress takes its certificates from a Secret.
pub(super) fn ingress_uses(ingress: &Object, secret: &str) -> bool {
    items_of(ingress, &["spec", "tls"]).any(|tls| text(tls, "/secretName") == secret)
}
