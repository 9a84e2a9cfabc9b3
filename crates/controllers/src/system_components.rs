//! What every cluster has: the system namespaces, the Service `default/kubernetes` with
//! the masters behind it, the proxy as a DaemonSet, the DNS servers and the ingress. One key
//! stands for all of it.
//!
//! The masters are no objects, so this looks at them every few seconds.

mod dns;
mod ingress;
mod manifests;
mod parting;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use xebec_api::object::Object;
use xebec_api::well_known::SERVICE_NAME;

use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::resources::{
    CONFIG_MAPS, DAEMON_SETS, DEPLOYMENTS, ENDPOINT_SLICES, NAMESPACES, SERVICE_ACCOUNTS, SERVICES,
};
use crate::view::View;
use crate::wanted::ensure;

const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct SystemComponents;

impl Controller for SystemComponents {
    fn name(&self) -> &'static str {
        "system-components"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        let ours = match resource {
            NAMESPACES => manifests::NAMESPACES.contains(&object.name()),
            _ if ingress::is_ours(resource, object) => true,
            CONFIG_MAPS => object.namespace() == manifests::SYSTEM && object.name() == manifests::MASTERS,
            DAEMON_SETS | SERVICE_ACCOUNTS if object.name() == manifests::PROXY => true,
            DEPLOYMENTS | SERVICES | SERVICE_ACCOUNTS if dns::is_ours(object) => true,
            SERVICES | ENDPOINT_SLICES => object.namespace() == "default" && is_kubernetes(object),
            _ => false,
        };
        if ours { self.initial(view) } else { Vec::new() }
    }

    fn reconcile(&self, view: &dyn View, _key: &ObjectKey, now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        plan.requeue(LOOK_AGAIN);
        for name in manifests::NAMESPACES {
            ensure(view, NAMESPACES, manifests::namespace(name), &mut plan);
        }
        let masters = view.masters();
        if masters.is_empty() {
            return plan;
        }
        let settings = view.settings();
        if let Some(service) = manifests::kubernetes_service(settings, &masters) {
            ensure(view, SERVICES, service, &mut plan);
        }
        kubernetes_slices(view, &masters, &mut plan);
        ensure(view, CONFIG_MAPS, manifests::masters(&masters), &mut plan);
        ensure(view, SERVICE_ACCOUNTS, manifests::proxy_account(), &mut plan);
        ensure(view, DAEMON_SETS, manifests::proxy_daemon_set(settings), &mut plan);
        dns::ensure_all(view, now, &mut plan);
        ingress::ensure_all(view, now, &mut plan);
        plan
    }

    fn initial(&self, _view: &dyn View) -> Vec<ObjectKey> {
        vec![ObjectKey::new("", "", "system")]
    }
}

fn is_kubernetes(object: &Object) -> bool {
    let service = object.text(&["metadata", "labels", SERVICE_NAME]);
    object.name() == manifests::KUBERNETES || service == manifests::KUBERNETES
}

/// One slice for each port that masters listen on.
fn kubernetes_slices(view: &dyn View, masters: &[String], plan: &mut Plan) {
    let mut stale: BTreeMap<String, Object> = view
        .slices_of("default", manifests::KUBERNETES)
        .into_iter()
        .map(|slice| (slice.name().to_owned(), slice))
        .collect();
    for slice in manifests::kubernetes_slices(masters) {
        stale.remove(slice.name());
        ensure(view, ENDPOINT_SLICES, slice, plan);
    }
    stale.values().for_each(|slice| plan.delete(ENDPOINT_SLICES, slice));
}

#[cfg(test)]
mod tests;
