//! The rules of containers.

use std::collections::BTreeSet;

use super::validate::security_context;
use super::volumes::not_found;
use super::{env, probes, resources};
use crate::at::At;
use crate::error::FieldError;
use crate::name;

/// All containers of a pod spec. `volumes` are the names that mounts may use.
pub(super) fn validate(spec: &At<'_>, volumes: &BTreeSet<&str>, errors: &mut Vec<FieldError>) {
    if spec.items("containers").is_empty() {
        errors.push(spec.key("containers").required(""));
    }
    let mut names = BTreeSet::new();
    for container in spec.items("initContainers") {
        validate_container(&container, volumes, &mut names, errors);
        validate_init(&container, errors);
    }
    for container in spec.items("containers") {
        validate_container(&container, volumes, &mut names, errors);
        probes::validate_container(&container, errors);
        let policy = container.key("restartPolicy");
        if policy.text() == "Always" {
            errors.push(policy.not_supported(&["Never", "OnFailure"]));
        }
    }
}

/// An init container runs to its end, unless it is a sidecar.
fn validate_init(container: &At<'_>, errors: &mut Vec<FieldError>) {
    let policy = container.key("restartPolicy");
    policy.one_of(&["Always", "Never", "OnFailure"], errors);
    if policy.text() == "Always" {
        return probes::validate_container(container, errors);
    }
    for field in ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] {
        let field = container.key(field);
        if field.is_set() {
            errors.push(field.forbidden("may not be set for init containers without restartPolicy=Always"));
        }
    }
}

fn validate_container<'a>(
    container: &At<'a>,
    volumes: &BTreeSet<&str>,
    names: &mut BTreeSet<&'a str>,
    errors: &mut Vec<FieldError>,
) {
    let own = container.key("name");
    own.needs(name::dns_label, errors);
    if !own.text().is_empty() && !names.insert(own.text()) {
        errors.push(own.duplicate());
    }
    image(&container.key("image"), errors);
    container.key("imagePullPolicy").one_of(&["Always", "IfNotPresent", "Never"], errors);
    container.key("terminationMessagePolicy").one_of(&["File", "FallbackToLogsOnError"], errors);
    ports(container, errors);
    env::validate(container, errors);
    mounts(container, volumes, errors);
    resources::validate(&container.key("resources"), errors);
    security_context(&container.key("securityContext"), errors);
}

fn image(image: &At<'_>, errors: &mut Vec<FieldError>) {
    let text = image.text();
    if text.is_empty() {
        errors.push(image.required(""));
    } else if text != text.trim() {
        errors.push(image.invalid("must not have leading or trailing whitespace"));
    }
}

fn ports(container: &At<'_>, errors: &mut Vec<FieldError>) {
    let mut names = BTreeSet::new();
    for port in container.items("ports") {
        let own = port.key("name");
        if !own.is_empty() {
            own.obeys(name::port_name, errors);
            if !names.insert(own.text()) {
                errors.push(own.duplicate());
            }
        }
        let number = port.key("containerPort");
        match number.int() {
            None | Some(0) => errors.push(number.required("")),
            Some(_) => number.port(errors),
        }
        if port.key("hostPort").int() != Some(0) {
            port.key("hostPort").port(errors);
        }
        port.key("protocol").needs_one_of(&["SCTP", "TCP", "UDP"], errors);
    }
}

fn mounts(container: &At<'_>, volumes: &BTreeSet<&str>, errors: &mut Vec<FieldError>) {
    let mut paths = BTreeSet::new();
    for mount in container.items("volumeMounts") {
        let own = mount.key("name");
        if own.is_empty() {
            errors.push(own.required(""));
        } else if !volumes.contains(own.text()) {
            errors.push(not_found(&own));
        }
        let path = mount.key("mountPath");
        if path.is_empty() {
            errors.push(path.required(""));
        } else if !paths.insert(path.text()) {
            errors.push(path.invalid("must be unique"));
        }
        sub_path(&mount.key("subPath"), errors);
        let expression = mount.key("subPathExpr");
        if !expression.is_empty() && !mount.key("subPath").is_empty() {
            errors.push(expression.invalid("subPathExpr and subPath are mutually exclusive"));
        }
        sub_path(&expression, errors);
    }
}

/// A path within something else: relative, and never upward.
pub(super) fn sub_path(path: &At<'_>, errors: &mut Vec<FieldError>) {
    if path.text().starts_with('/') {
        errors.push(path.invalid("must be a relative path"));
    }
    if path.text().split('/').any(|part| part == "..") {
        errors.push(path.invalid("must not contain '..'"));
    }
}
