//! What a pod may know of itself: fields of its object, and its containers' resources.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, ResourceFieldSelector};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use xebec_api::object::Object;
use xebec_api::quantity::Quantity;

/// A field of the object itself, which changes with it; `None` for any other path.
pub(crate) fn metadata(object: &Object, path: &str) -> Option<String> {
    let by_key = |prefix: &str| path.strip_prefix(prefix).and_then(|rest| rest.strip_suffix("']"));
    if let Some(key) = by_key("metadata.labels['") {
        return Some(object.text(&["metadata", "labels", key]).to_owned());
    }
    if let Some(key) = by_key("metadata.annotations['") {
        return Some(object.text(&["metadata", "annotations", key]).to_owned());
    }
    match path {
        "metadata.name" => Some(object.name().to_owned()),
        "metadata.namespace" => Some(object.namespace().to_owned()),
        "metadata.uid" => Some(object.uid().to_owned()),
        "metadata.labels" => Some(lines(object.labels())),
        "metadata.annotations" => Some(lines(object.annotations())),
        _ => None,
    }
}

/// `KEY="VALUE"`, one a line, sorted, as Kubernetes writes them.
fn lines<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut lines: Vec<String> = pairs.map(|(key, value)| format!("{key}={value:?}")).collect();
    lines.sort();
    lines.join("\n")
}

/// What a node has, for containers without a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    pub(crate) cpu_millis: i64,
    pub(crate) memory_bytes: i64,
}

/// A container's limit or request, in units of its divisor, rounded up.
///
/// # Errors
/// No such container, resource or divisor.
pub(crate) fn resource(
    pod: &Pod,
    container: &str,
    field: &ResourceFieldSelector,
    capacity: Capacity,
) -> Result<String, String> {
    let name = field.container_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(container);
    let all = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    let found = all.into_iter().find(|container| container.name == name);
    let found = found.ok_or_else(|| format!("resourceFieldRef: no container {name:?}"))?;
    let resources = found.resources.clone().unwrap_or_default();
    let wrong = || format!("resourceFieldRef: {:?} is none that a container can have", field.resource);
    let (kind, resource) = field.resource.split_once('.').ok_or_else(wrong)?;
    let own = match kind {
        "limits" => resources.limits,
        "requests" => resources.requests,
        _ => return Err(wrong()),
    };
    let own = own.and_then(|own| own.get(resource).cloned());
    let own = own.map(|Text(text)| Quantity::parse(&text).map_err(|error| error.to_string())).transpose()?;
    let without = |of_node| if kind == "limits" { of_node } else { Quantity::from_value(0) };
    let own = own.unwrap_or_else(|| match resource {
        "cpu" => without(Quantity::from_millis(capacity.cpu_millis)),
        "memory" => without(Quantity::from_bytes(capacity.memory_bytes)),
        _ => Quantity::from_value(0),
    });
    let divisor = match field.divisor.as_ref().map(|Text(text)| text.as_str()) {
        None | Some("" | "0") => Quantity::from_value(1),
        Some(text) => Quantity::parse(text).map_err(|error| error.to_string())?,
    };
    let (own, divisor) = match resource {
        "cpu" => (own.millis(), divisor.millis()),
        "memory" | "ephemeral-storage" => (own.value(), divisor.value()),
        _ if resource.starts_with("hugepages-") => (own.value(), divisor.value()),
        _ => return Err(wrong()),
    };
    if divisor <= 0 {
        return Err(format!("resourceFieldRef: the divisor of {:?} must be above zero", field.resource));
    }
    Ok((own.max(0) as u128).div_ceil(divisor.unsigned_abs()).to_string())
}

/// Four fifths of a life: when what expires is made anew.
pub(crate) fn renewal(issued: Timestamp, expires: Timestamp) -> Timestamp {
    issued.checked_add(expires.duration_since(issued) * 4 / 5).unwrap_or(expires)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_are_lines_as_kubernetes_writes_them() {
        let pod = json!({"metadata": {"name": "a", "labels": {"tier": "web", "app": "say \"hi\""}}});
        let pod = Object::from_json(pod.to_string().as_bytes()).expect("an object");
        assert_eq!(
            metadata(&pod, "metadata.labels").as_deref(),
            Some("app=\"say \\\"hi\\\"\"\ntier=\"web\"")
        );
        assert_eq!(metadata(&pod, "metadata.labels['tier']").as_deref(), Some("web"));
        assert_eq!(metadata(&pod, "status.podIP"), None);
    }

    #[test]
    fn resources_are_rounded_up_to_their_divisor() {
        let pod: Pod = serde_json::from_value(json!({"spec": {"containers": [
            {"name": "web", "resources": {"limits": {"cpu": "1500m", "memory": "100Mi"}, "requests": {"cpu": "250m"}}},
            {"name": "free"},
        ]}}))
        .expect("a pod");
        let capacity = Capacity { cpu_millis: 4000, memory_bytes: 1 << 30 };
        for (container, field, divisor, wanted) in [
            ("web", "limits.cpu", "", Ok("2")),
            ("web", "limits.cpu", "1m", Ok("1500")),
            ("web", "requests.cpu", "0", Ok("1")),
            ("web", "limits.memory", "1Mi", Ok("100")),
            ("web", "limits.memory", "", Ok("104857600")),
            ("web", "requests.memory", "", Ok("0")),
            ("free", "limits.cpu", "", Ok("4")),
            ("free", "limits.memory", "1Gi", Ok("1")),
            (
                "free",
                "limits.gpu",
                "",
                Err("resourceFieldRef: \"limits.gpu\" is none that a container can have"),
            ),
            ("gone", "limits.cpu", "", Err("resourceFieldRef: no container \"gone\"")),
        ] {
            let selector = json!({"resource": field, "divisor": divisor});
            let selector = serde_json::from_value(selector).expect("a selector");
            let found = resource(&pod, container, &selector, capacity);
            assert_eq!(
                found,
                wanted.map(str::to_owned).map_err(str::to_owned),
                "{container} {field} {divisor}"
            );
        }
    }
}
