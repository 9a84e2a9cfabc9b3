//! The rules of affinities: to nodes where they are only preferred, and to other pods.

use super::scheduling::node_requirement;
use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::strategy::pod_template::label_selector;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

pub(super) fn validate(affinity: &At<'_>, errors: &mut Vec<FieldError>) {
    for preferred in affinity.key("nodeAffinity").items(PREFERRED) {
        weight(&preferred, errors);
        for expression in preferred.key("preference").items("matchExpressions") {
            node_requirement(&expression, errors);
        }
    }
    for kind in ["podAffinity", "podAntiAffinity"].map(|kind| affinity.key(kind)) {
        for required in kind.items(REQUIRED) {
            term(&required, errors);
        }
        for preferred in kind.items(PREFERRED) {
            weight(&preferred, errors);
            term(&preferred.key("podAffinityTerm"), errors);
        }
    }
}

fn weight(preferred: &At<'_>, errors: &mut Vec<FieldError>) {
    let weight = preferred.key("weight");
    let number = weight.int().unwrap_or_default();
    if !(1..=100).contains(&number) {
        let message = format!("Invalid value: {number}: must be in the range 1-100");
        errors.push(FieldError::invalid(weight.path, message));
    }
}

/// Which pods, and what they share with this one.
fn term(term: &At<'_>, errors: &mut Vec<FieldError>) {
    label_selector(&term.key("labelSelector"), errors);
    label_selector(&term.key("namespaceSelector"), errors);
    for namespace in term.items("namespaces") {
        namespace.obeys(name::dns_label, errors);
    }
    let key = term.key("topologyKey");
    if key.is_empty() {
        errors.push(key.required("can not be empty"));
    } else {
        key.obeys(name::qualified, errors);
    }
}
