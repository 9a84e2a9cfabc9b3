//! The client against fake masters: which of them is asked, what is sent twice, and that a
//! cache misses nothing.

mod caching;
mod calling;
mod trusting;

use serde_json::json;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_api::table;

fn config_maps() -> &'static Resource {
    table::find("", "configmaps").expect("a row")
}

fn config_map(name: &str, value: &str) -> Object {
    let json = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"}, "data": {"key": value}});
    Object::from_json(json.to_string().as_bytes()).expect("an object")
}

fn no_leader() -> ApiError {
    ApiError::new(Reason::ServiceUnavailable, "no leader")
}
