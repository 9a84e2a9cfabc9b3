//! A container's variables: those of the namespace's Services, then its own, with
//! references resolved and `$(NAME)` expanded.

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVarSource};
use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::table;

use crate::downward;
use crate::node_object;
use crate::pod::worker::Bound;
use crate::run::Agent;
use crate::sources::{self, Age, Reference};

/// Every variable, in order; a later one of the same name wins.
///
/// # Errors
/// Which reference leads nowhere.
pub(crate) async fn resolve(
    agent: &Agent,
    bound: &Bound,
    container: &Container,
    pod_ip: &str,
) -> Result<Vec<(String, String)>, String> {
    let (object, mut env) = (&bound.object, Vec::new());
    let links = bound.pod.spec.as_ref().and_then(|spec| spec.enable_service_links) != Some(false);
    let services = agent.services.list();
    env.extend(of_services(object.namespace(), links, services.iter().map(AsRef::as_ref)));
    for source in container.env_from.iter().flatten() {
        env.extend(all_of(agent, object, source).await?);
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (_, Some(source)) => match from_source(agent, bound, container, source, pod_ip).await? {
                Some(value) => value,
                None => continue,
            },
            (value, None) => {
                let lookup = |name: &str| find(&env, name);
                expand(value.as_deref().unwrap_or_default(), &lookup)
            }
        };
        env.push((variable.name.clone(), value));
    }
    Ok(env)
}

fn find(env: &[(String, String)], name: &str) -> Option<String> {
    env.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every entry of a ConfigMap or a Secret, as a variable.
async fn all_of(
    agent: &Agent,
    object: &Object,
    source: &EnvFromSource,
) -> Result<Vec<(String, String)>, String> {
    let (plural, name, optional) = match (&source.config_map_ref, &source.secret_ref) {
        (Some(map), _) => ("configmaps", &map.name, map.optional),
        (None, Some(secret)) => ("secrets", &secret.name, secret.optional),
        (None, None) => return Ok(Vec::new()),
    };
    let prefix = source.prefix.as_deref().unwrap_or_default();
    let optional = optional.unwrap_or(false);
    let reference = Reference { plural, namespace: object.namespace(), name, optional };
    let entries = sources::entries(agent, reference, Age::Fresh).await?;
    Ok(entries.into_iter().map(|(key, value)| (format!("{prefix}{key}"), text(&value))).collect())
}

async fn from_source(
    agent: &Agent,
    bound: &Bound,
    container: &Container,
    source: &EnvVarSource,
    pod_ip: &str,
) -> Result<Option<String>, String> {
    let namespace = bound.object.namespace();
    let (plural, name, key, optional) = if let Some(reference) = &source.config_map_key_ref {
        ("configmaps", &reference.name, &reference.key, reference.optional)
    } else if let Some(reference) = &source.secret_key_ref {
        ("secrets", &reference.name, &reference.key, reference.optional)
    } else if let Some(field) = &source.field_ref {
        return field_value(agent, &bound.object, &field.field_path, pod_ip).map(Some);
    } else if let Some(field) = &source.resource_field_ref {
        return downward::resource(&bound.pod, &container.name, field, node_object::allocatable(agent))
            .map(Some);
    } else {
        return Err(format!("env of {}: valueFrom names no source", container.name));
    };
    let optional = optional.unwrap_or(false);
    let reference = Reference { plural, namespace, name, optional };
    let found = sources::entries(agent, reference, Age::Fresh).await?;
    match found.get(key) {
        Some(value) => Ok(Some(text(value))),
        None if optional => Ok(None),
        None => {
            let kind = table::find("", plural).expect("a built-in kind").kind;
            Err(format!("couldn't find key {key} in {kind} {namespace}/{name}"))
        }
    }
}

fn field_value(agent: &Agent, object: &Object, path: &str, pod_ip: &str) -> Result<String, String> {
    let address = || if pod_ip.is_empty() { agent.config.address.to_string() } else { pod_ip.to_owned() };
    match path {
        "spec.nodeName" => Ok(agent.config.name.clone()),
        "spec.serviceAccountName" => Ok(object.text(&["spec", "serviceAccountName"]).to_owned()),
        "status.hostIP" | "status.hostIPs" => Ok(agent.config.address.to_string()),
        "status.podIP" | "status.podIPs" => Ok(address()),
        // Whole maps are for files.
        "metadata.labels" | "metadata.annotations" => Err(unknown(path)),
        _ => downward::metadata(object, path).ok_or_else(|| unknown(path)),
    }
}

fn unknown(path: &str) -> String {
    format!("fieldRef {path:?} is none that a container can have")
}

/// What Kubernetes tells of a namespace's Services, unless the pod wants no such `links`, and
/// always of the API's own: clients find it by that.
fn of_services<'a>(
    namespace: &str,
    links: bool,
    services: impl Iterator<Item = &'a Object>,
) -> Vec<(String, String)> {
    let mut env = Vec::new();
    for service in services {
        let own = links && service.namespace() == namespace;
        let api = service.namespace() == "default" && service.name() == "kubernetes";
        let address = service.text(&["spec", "clusterIP"]);
        if !(own || api) || matches!(address, "" | "None") {
            continue;
        }
        let name = service.name().to_uppercase().replace('-', "_");
        let ports = service.get(&["spec", "ports"]).and_then(Value::as_array).cloned().unwrap_or_default();
        env.push((format!("{name}_SERVICE_HOST"), address.to_owned()));
        for (index, port) in ports.iter().enumerate() {
            let number = port["port"].as_u64().unwrap_or_default();
            let protocol = port["protocol"].as_str().unwrap_or("TCP").to_lowercase();
            let url = format!("{protocol}://{address}:{number}");
            if index == 0 {
                env.push((format!("{name}_SERVICE_PORT"), number.to_string()));
                env.push((format!("{name}_PORT"), url.clone()));
            }
            if let Some(port_name) = port["name"].as_str() {
                let port_name = port_name.to_uppercase().replace('-', "_");
                env.push((format!("{name}_SERVICE_PORT_{port_name}"), number.to_string()));
            }
            let base = format!("{name}_PORT_{number}_{}", protocol.to_uppercase());
            env.push((base.clone(), url));
            env.push((format!("{base}_PROTO"), protocol));
            env.push((format!("{base}_PORT"), number.to_string()));
            env.push((format!("{base}_ADDR"), address.to_owned()));
        }
    }
    env
}

/// Replaces `$(NAME)`; one that nobody knows stays as it is, and `$$` is `$`.
pub(crate) fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some((name, tail)) = after.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            out.push_str(&lookup(name).unwrap_or_else(|| format!("$({name})")));
            rest = tail;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn names_in_parentheses_are_replaced() {
        let lookup = |name: &str| (name == "A").then(|| "1".to_owned());
        for (text, wanted) in
            [("x$(A)y", "x1y"), ("$(B)", "$(B)"), ("$$(A)", "$(A)"), ("$A $", "$A $"), ("$(A", "$(A")]
        {
            assert_eq!(expand(text, &lookup), wanted);
        }
    }

    #[test]
    fn services_are_told_as_kubernetes_tells_them() {
        let service = json!({"metadata": {"name": "my-redis", "namespace": "default"},
            "spec": {"clusterIP": "10.43.0.20", "ports": [{"name": "main", "port": 6379}]}});
        let service = Object::from_json(service.to_string().as_bytes()).expect("an object");
        let told: BTreeMap<String, String> =
            of_services("default", true, [&service].into_iter()).into_iter().collect();
        let value = |name: &str| told.get(name).map(String::as_str);
        assert_eq!(value("MY_REDIS_SERVICE_HOST"), Some("10.43.0.20"));
        assert_eq!(value("MY_REDIS_SERVICE_PORT_MAIN"), Some("6379"));
        assert_eq!(value("MY_REDIS_PORT_6379_TCP"), Some("tcp://10.43.0.20:6379"));
        assert_eq!(of_services("other", true, [&service].into_iter()), []);
    }

    #[test]
    fn a_pod_that_wants_no_links_is_told_of_the_api_alone() {
        let service = |namespace: &str, name: &str| {
            let service = json!({"metadata": {"name": name, "namespace": namespace},
                "spec": {"clusterIP": "10.43.0.1", "ports": [{"name": "https", "port": 443}]}});
            Object::from_json(service.to_string().as_bytes()).expect("an object")
        };
        let all = [service("default", "kubernetes"), service("shop", "redis"), service("shop", "kubernetes")];
        let hosts = |links| {
            let env = of_services("shop", links, all.iter()).into_iter();
            env.map(|(name, _)| name).filter(|name| name.ends_with("_SERVICE_HOST")).collect::<Vec<_>>()
        };
        assert_eq!(hosts(false), ["KUBERNETES_SERVICE_HOST"]);
        let wanted = ["KUBERNETES_SERVICE_HOST", "REDIS_SERVICE_HOST", "KUBERNETES_SERVICE_HOST"];
        assert_eq!(hosts(true), wanted, "of two of one name, the pod's own is the later");
    }
}
