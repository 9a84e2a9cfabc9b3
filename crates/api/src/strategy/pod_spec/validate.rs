//! The rules of a pod spec as a whole.

use std::collections::BTreeSet;

use super::{containers, network, scheduling, volumes};
use crate::at::At;
use crate::error::FieldError;
use crate::name;

/// What a pod spec stands in: workloads restrict some fields.
#[derive(Clone, Copy)]
pub(in crate::strategy) enum Workload {
    /// A pod itself.
    Pod,
    /// Its pods run for ever.
    Service,
    /// Its pods end.
    Job,
}

/// Every broken rule.
pub(in crate::strategy) fn validate(spec: &At<'_>, workload: Workload) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let known = volumes::validate(spec, &mut errors);
    containers::validate(spec, &known, &mut errors);
    network::host_network(spec, workload, &mut errors);
    restart_policy(&spec.key("restartPolicy"), workload, &mut errors);
    let dns = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    spec.key("dnsPolicy").needs_one_of(&dns, &mut errors);
    network::dns_config(spec, &mut errors);
    spec.key("terminationGracePeriodSeconds").not_negative(&mut errors);
    active_deadline(&spec.key("activeDeadlineSeconds"), &mut errors);
    spec.key("serviceAccountName").obeys(name::dns_subdomain, &mut errors);
    spec.key("nodeName").obeys(name::dns_subdomain, &mut errors);
    spec.key("priorityClassName").obeys(name::dns_subdomain, &mut errors);
    for field in ["hostname", "subdomain"] {
        let field = spec.key(field);
        if !field.is_empty() {
            field.obeys(name::dns_label, &mut errors);
        }
    }
    for secret in spec.items("imagePullSecrets") {
        secret.key("name").needs(name::dns_subdomain, &mut errors);
    }
    security_context(&spec.key("securityContext"), &mut errors);
    scheduling::validate(spec, &mut errors);
    network::host_aliases(spec, &mut errors);
    host_ports(spec, &mut errors);
    errors
}

fn restart_policy(policy: &At<'_>, workload: Workload, errors: &mut Vec<FieldError>) {
    let supported: &[&str] = match workload {
        Workload::Pod => &["Always", "OnFailure", "Never"],
        Workload::Service => &["Always"],
        Workload::Job => &["OnFailure", "Never"],
    };
    policy.needs_one_of(supported, errors);
}

fn active_deadline(seconds: &At<'_>, errors: &mut Vec<FieldError>) {
    if seconds.int().is_some_and(|n| !(1..=i64::from(i32::MAX)).contains(&n)) {
        errors.push(seconds.invalid("must be between 1 and 2147483647, inclusive"));
    }
}

/// Of a pod or of a container.
pub(super) fn security_context(context: &At<'_>, errors: &mut Vec<FieldError>) {
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        let id = context.key(field);
        if id.int().is_some_and(|n| !(0..=i64::from(i32::MAX)).contains(&n)) {
            errors.push(id.invalid("must be between 0 and 2147483647, inclusive"));
        }
    }
    if context.key("privileged").is_true() && context.key("allowPrivilegeEscalation").value == false {
        let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        errors.push(context.invalid(why));
    }
}

/// Two containers of one pod cannot have the same port of the host.
fn host_ports(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for container in spec.items("containers") {
        for port in container.items("ports") {
            let host = port.key("hostPort");
            let Some(number) = host.int().filter(|number| *number > 0) else { continue };
            if !seen.insert((number, port.text_of("protocol"), port.text_of("hostIP"))) {
                errors.push(host.duplicate());
            }
        }
    }
}
