//! The rules of probes and lifecycle handlers.

use crate::at::At;
use crate::error::FieldError;

const KINDS: [&str; 5] = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];

/// The probes and handlers of a container that keeps running.
pub(super) fn validate_container(container: &At<'_>, errors: &mut Vec<FieldError>) {
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = container.key(name);
        if probe.is_set() {
            validate_probe(&probe, name, errors);
        }
    }
    for name in ["postStart", "preStop"] {
        let handler = container.key("lifecycle").key(name);
        if handler.is_set() {
            validate_handler(&handler, errors);
        }
    }
}

fn validate_probe(probe: &At<'_>, name: &str, errors: &mut Vec<FieldError>) {
    validate_handler(probe, errors);
    for field in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        probe.key(field).not_negative(errors);
    }
    let threshold = probe.key("successThreshold");
    if name != "readinessProbe" && threshold.int().is_some_and(|n| n != 1) {
        errors.push(threshold.invalid("must be 1"));
    }
    let grace = probe.key("terminationGracePeriodSeconds");
    if name == "readinessProbe" && grace.is_set() {
        errors.push(grace.invalid("must not be set for readinessProbes"));
    } else {
        grace.at_least(1, errors);
    }
}

fn validate_handler(handler: &At<'_>, errors: &mut Vec<FieldError>) {
    let given: Vec<&str> = KINDS.into_iter().filter(|kind| handler.key(kind).is_set()).collect();
    if given.is_empty() {
        errors.push(handler.required("must specify a handler type"));
    }
    for extra in given.iter().skip(1) {
        errors.push(handler.key(extra).forbidden("may not specify more than 1 handler type"));
    }
    let Some(kind) = given.first() else { return };
    let action = handler.key(kind);
    match *kind {
        "exec" if action.items("command").is_empty() => errors.push(action.key("command").required("")),
        "httpGet" => http(&action, errors),
        "tcpSocket" => action.key("port").port_or_name(errors),
        "grpc" => action.key("port").port(errors),
        _ => {}
    }
}

fn http(action: &At<'_>, errors: &mut Vec<FieldError>) {
    if action.key("path").is_empty() {
        errors.push(action.key("path").required(""));
    }
    action.key("port").port_or_name(errors);
    action.key("scheme").needs_one_of(&["HTTP", "HTTPS"], errors);
    for header in action.items("httpHeaders") {
        if header.key("name").is_empty() {
            errors.push(header.key("name").required(""));
        }
    }
}
