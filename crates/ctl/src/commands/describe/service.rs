//! Services: where they are reached, and who answers.

use anyhow::Result;
use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::well_known::SERVICE_NAME;
use xebec_client::ListParams;

use super::page::{Page, pairs, scalar};
use crate::asked;
use crate::session::Session;

/// Its EndpointSlices.
pub(super) async fn slices(session: &Session, service: &Object) -> Result<Vec<Object>> {
    let label_selector = format!("{SERVICE_NAME}={}", service.name());
    let params = ListParams { label_selector, ..ListParams::default() };
    let row = asked::row("endpointslices.discovery.k8s.io")?;
    Ok(session.client.list(row, service.namespace(), &params).await?.items)
}

/// Describes it.
pub(super) fn describe(service: &Object, slices: &[Object], page: &mut Page) {
    page.head(service);
    page.field("Selector", pairs(service.text_map(&["spec", "selector"])));
    page.field("Type", service.text(&["spec", "type"]));
    page.field("IP", service.text(&["spec", "clusterIP"]));
    page.optional("External Name", service.text(&["spec", "externalName"]));
    let ports = service.get(&["spec", "ports"]).and_then(Value::as_array);
    for port in ports.into_iter().flatten() {
        let name = scalar(port.get("name"));
        let shown = if name.is_empty() { "<unset>" } else { &name };
        let protocol = scalar(port.get("protocol"));
        page.field("Port", format!("{shown}  {}/{protocol}", scalar(port.get("port"))));
        page.field("Target Port", scalar(port.get("targetPort")));
        page.optional("Node Port", scalar(port.get("nodePort")));
        page.field("Endpoints", endpoints(slices, &name));
    }
    page.optional("Session Affinity", service.text(&["spec", "sessionAffinity"]));
}

/// The ready ones, as address:port.
pub(super) fn endpoints(slices: &[Object], port_name: &str) -> String {
    let list = |slice: &Object, field: &str| {
        slice.get(&[field]).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let mut ready = Vec::new();
    for slice in slices {
        let port = list(slice, "ports").into_iter().find(|port| scalar(port.get("name")) == port_name);
        let Some(port) = port else { continue };
        for endpoint in list(slice, "endpoints") {
            if endpoint.pointer("/conditions/ready") == Some(&Value::Bool(false)) {
                continue;
            }
            let addresses = endpoint.get("addresses").and_then(Value::as_array).cloned().unwrap_or_default();
            ready.extend(
                addresses.iter().map(|a| format!("{}:{}", scalar(Some(a)), scalar(port.get("port")))),
            );
        }
    }
    ready.join(", ")
}
