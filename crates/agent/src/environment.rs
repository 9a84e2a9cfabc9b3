//! A container's variables: those of the namespace's Services, then its own, with
//! references resolved and `$(NAME)` expanded.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVarSource, Pod};
use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_client::Reason;

use crate::run::Agent;

/// Every variable, in order; a later one of the same name wins.
///
/// # Errors
/// Which reference leads nowhere.
pub(crate) async fn resolve(
    agent: &Agent,
    object: &Object,
    pod: &Pod,
    container: &Container,
    pod_ip: &str,
) -> Result<Vec<(String, String)>, String> {
    let mut env = Vec::new();
    if pod.spec.as_ref().and_then(|spec| spec.enable_service_links) != Some(false) {
        let services = agent.services.list();
        env.extend(of_services(object.namespace(), services.iter().map(AsRef::as_ref)));
    }
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.clone().unwrap_or_default();
        let (plural, reference) = match (&source.config_map_ref, &source.secret_ref) {
            (Some(map), _) => ("configmaps", Some((map.name.clone(), map.optional))),
            (None, Some(secret)) => ("secrets", Some((secret.name.clone(), secret.optional))),
            (None, None) => ("configmaps", None),
        };
        let Some((name, optional)) = reference else { continue };
        let data = data(agent, object.namespace(), plural, &name, optional.unwrap_or(false)).await?;
        env.extend(data.into_iter().map(|(key, value)| (format!("{prefix}{key}"), text(&value))));
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (_, Some(source)) => match from_source(agent, object, container, source, pod_ip).await? {
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

async fn from_source(
    agent: &Agent,
    object: &Object,
    container: &Container,
    source: &EnvVarSource,
    pod_ip: &str,
) -> Result<Option<String>, String> {
    let (plural, name, key, optional) = if let Some(reference) = &source.config_map_key_ref {
        ("configmaps", &reference.name, &reference.key, reference.optional)
    } else if let Some(reference) = &source.secret_key_ref {
        ("secrets", &reference.name, &reference.key, reference.optional)
    } else if let Some(field) = &source.field_ref {
        return field_value(agent, object, &field.field_path, pod_ip).map(Some);
    } else {
        let what = source.resource_field_ref.as_ref().map(|r| r.resource.clone()).unwrap_or_default();
        return Err(format!("env of {}: resourceFieldRef {what:?} is not supported yet", container.name));
    };
    let optional = optional.unwrap_or(false);
    let found = data(agent, object.namespace(), plural, name, optional).await?;
    match found.get(key) {
        Some(value) => Ok(Some(text(value))),
        None if optional => Ok(None),
        None => Err(format!("couldn't find key {key} in {plural} {}/{name}", object.namespace())),
    }
}

fn field_value(agent: &Agent, object: &Object, path: &str, pod_ip: &str) -> Result<String, String> {
    let by_key = |prefix: &str| path.strip_prefix(prefix).and_then(|rest| rest.strip_suffix("']"));
    if let Some(key) = by_key("metadata.labels['") {
        return Ok(object.text(&["metadata", "labels", key]).to_owned());
    }
    if let Some(key) = by_key("metadata.annotations['") {
        return Ok(object.text(&["metadata", "annotations", key]).to_owned());
    }
    match path {
        "metadata.name" => Ok(object.name().to_owned()),
        "metadata.namespace" => Ok(object.namespace().to_owned()),
        "metadata.uid" => Ok(object.uid().to_owned()),
        "spec.nodeName" => Ok(agent.config.name.clone()),
        "spec.serviceAccountName" => Ok(object.text(&["spec", "serviceAccountName"]).to_owned()),
        "status.hostIP" | "status.hostIPs" => Ok(agent.config.address.to_string()),
        "status.podIP" | "status.podIPs" if pod_ip.is_empty() => Ok(agent.config.address.to_string()),
        "status.podIP" | "status.podIPs" => Ok(pod_ip.to_owned()),
        _ => Err(format!("fieldRef {path:?} is none that a container can have")),
    }
}

/// The entries of a ConfigMap or Secret; none of an optional one that is not there.
pub(crate) async fn data(
    agent: &Agent,
    namespace: &str,
    plural: &str,
    name: &str,
    optional: bool,
) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let row = table::find("", plural).expect("a built-in kind");
    match agent.client.get(row, namespace, name).await {
        Ok(object) => Ok(entries(&object)),
        Err(error) if error.reason == Reason::NotFound && optional => Ok(BTreeMap::new()),
        Err(error) if error.reason == Reason::NotFound => {
            Err(format!("{} {name:?} not found", plural.trim_end_matches('s')))
        }
        Err(error) => Err(error.message),
    }
}

fn entries(object: &Object) -> BTreeMap<String, Vec<u8>> {
    let typed: Result<k8s_openapi::api::core::v1::Secret, _> = object.typed();
    if object.kind() == "Secret" {
        let data = typed.ok().and_then(|secret| secret.data).unwrap_or_default();
        return data.into_iter().map(|(key, value)| (key, value.0)).collect();
    }
    object.text_map(&["data"]).map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec())).collect()
}

/// What Kubernetes tells of a namespace's Services, and of the API's own.
fn of_services<'a>(namespace: &str, services: impl Iterator<Item = &'a Object>) -> Vec<(String, String)> {
    let mut env = Vec::new();
    for service in services {
        let own = service.namespace() == namespace;
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
            of_services("default", [&service].into_iter()).into_iter().collect();
        let value = |name: &str| told.get(name).map(String::as_str);
        assert_eq!(value("MY_REDIS_SERVICE_HOST"), Some("10.43.0.20"));
        assert_eq!(value("MY_REDIS_SERVICE_PORT_MAIN"), Some("6379"));
        assert_eq!(value("MY_REDIS_PORT_6379_TCP"), Some("tcp://10.43.0.20:6379"));
        assert_eq!(of_services("other", [&service].into_iter()), []);
    }
}
