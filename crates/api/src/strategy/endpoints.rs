//! Endpoints, the older form of EndpointSlices.

use serde_json::Value;

use crate::object::Object;
use crate::pod::list;
use crate::resource::{Column, Strategy};

const SHOWN: usize = 3;

/// The strategy of Endpoints.
pub(crate) struct Endpoints;

impl Strategy for Endpoints {
    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("ENDPOINTS")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let all: Vec<String> = list(object, &["subsets"]).flat_map(sockets).collect();
        vec![match all.len() {
            0 => "<none>".to_owned(),
            n if n > SHOWN => format!("{} + {} more...", all[..SHOWN].join(","), n - SHOWN),
            _ => all.join(","),
        }]
    }
}

fn sockets(subset: &Value) -> Vec<String> {
    let items = |field: &str| subset.get(field).and_then(Value::as_array).into_iter().flatten();
    let addresses = items("addresses").filter_map(|address| address.get("ip")?.as_str());
    let ports: Vec<i64> = items("ports").filter_map(|port| port.get("port")?.as_i64()).collect();
    addresses
        .flat_map(|ip| match ports.as_slice() {
            [] => vec![ip.to_owned()],
            ports => ports.iter().map(|port| format!("{ip}:{port}")).collect(),
        })
        .collect()
}
