//! Ingresses.

mod validate;

use serde_json::Value;

use crate::error::FieldError;
use crate::object::Object;
use crate::pod::list;
use crate::resource::{Column, Strategy};

/// So many hosts are shown.
const HOSTS_SHOWN: usize = 3;

/// The strategy of Ingresses.
pub(crate) struct Ingress;

impl Strategy for Ingress {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        validate::ingress(object)
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("CLASS"),
                Column::shown("HOSTS"),
                Column::shown("ADDRESS"),
                Column::shown("PORTS"),
            ]
        }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let class = match object.text(&["spec", "ingressClassName"]) {
            "" => "<none>",
            class => class,
        };
        let secure = list(object, &["spec", "tls"]).next().is_some();
        let ports = if secure { "80, 443" } else { "80" };
        vec![class.to_owned(), hosts(object), addresses(object), ports.to_owned()]
    }
}

/// The hosts of the rules, as they stand; of many only the first.
fn hosts(ingress: &Object) -> String {
    let hosts = list(ingress, &["spec", "rules"]).filter_map(|rule| rule.get("host")?.as_str());
    let hosts: Vec<&str> = hosts.filter(|host| !host.is_empty()).collect();
    match hosts.split_at_checked(HOSTS_SHOWN) {
        Some((shown, more)) if !more.is_empty() => format!("{} + {} more...", shown.join(","), more.len()),
        _ if hosts.is_empty() => "*".to_owned(),
        _ => hosts.join(","),
    }
}

fn addresses(ingress: &Object) -> String {
    let found = list(ingress, &["status", "loadBalancer", "ingress"]);
    let texts = found.filter_map(|i| i.get("ip").or_else(|| i.get("hostname")).and_then(Value::as_str));
    texts.collect::<Vec<_>>().join(",")
}
