//! Mutating admission: what Kubernetes' built-in plugins fill in.

use xebec_api::object::Object;
use xebec_api::resource::Resource;

/// Fills in what a plugin would.
pub(crate) fn mutate(row: &Resource, object: &mut Object) {
    if row.kind == "Pod" && row.group.is_empty() {
        service_account(object);
    }
}

/// A pod without an account runs as its namespace's `default`.
fn service_account(pod: &mut Object) {
    let old_name = pod.text(&["spec", "serviceAccount"]).to_owned();
    if pod.text(&["spec", "serviceAccountName"]).is_empty() {
        let name = if old_name.is_empty() { "default".to_owned() } else { old_name };
        pod.set(&["spec", "serviceAccountName"], name);
    }
    let name = pod.text(&["spec", "serviceAccountName"]).to_owned();
    pod.set(&["spec", "serviceAccount"], name);
}
