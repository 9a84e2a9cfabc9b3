//! A Service as `kubectl get services` shows it.

use serde_json::Value;

use crate::object::Object;
use crate::pod::list;
use crate::resource::Column;
use crate::selector::LabelSelector;

pub(super) const COLUMNS: &[Column] = &[
    Column::shown("TYPE"),
    Column::shown("CLUSTER-IP"),
    Column::shown("EXTERNAL-IP"),
    Column::shown("PORT(S)"),
    Column::wide("SELECTOR"),
];

pub(super) fn cells(service: &Object) -> Vec<String> {
    let kind = service.text(&["spec", "type"]);
    let own = list(service, &["spec", "clusterIPs"]).next().and_then(Value::as_str);
    let own = own.unwrap_or_else(|| service.text(&["spec", "clusterIP"]));
    let selector = LabelSelector::from_pairs(service.text_map(&["spec", "selector"]));
    vec![
        kind.to_owned(),
        or_none(own),
        external(service, kind),
        or_none(&list(service, &["spec", "ports"]).map(port).collect::<Vec<_>>().join(",")),
        or_none(&selector.to_string()),
    ]
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text.to_owned() }
}

fn external(service: &Object, kind: &str) -> String {
    let given = list(service, &["spec", "externalIPs"]).filter_map(Value::as_str);
    let mut addresses: Vec<&str> = Vec::new();
    match kind {
        "ExternalName" => return service.text(&["spec", "externalName"]).to_owned(),
        "LoadBalancer" => {
            let ingress = list(service, &["status", "loadBalancer", "ingress"]);
            addresses.extend(ingress.filter_map(|i| i.get("ip").or_else(|| i.get("hostname"))?.as_str()));
            addresses.extend(given);
            if addresses.is_empty() {
                return "<pending>".to_owned();
            }
        }
        _ => addresses.extend(given),
    }
    or_none(&addresses.join(","))
}

/// `80/TCP` or `80:30080/TCP`.
fn port(port: &Value) -> String {
    let number = |field: &str| port.get(field).and_then(Value::as_i64).filter(|n| *n > 0);
    let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
    let own = number("port").unwrap_or_default();
    number("nodePort").map_or_else(|| format!("{own}/{protocol}"), |node| format!("{own}:{node}/{protocol}"))
}
