//! What is wrong with a rule, in words for its owner.

use xebec_api::object::Object;

/// Something in an Ingress that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Of the Ingress.
    pub namespace: String,
    /// Of the Ingress.
    pub ingress: String,
    /// One word in CamelCase, such as `ServiceNotFound`.
    pub reason: &'static str,
    /// A sentence that names the rule and what to do.
    pub message: String,
}

impl Problem {
    pub(super) fn new(ingress: &Object, reason: &'static str, message: String) -> Self {
        let (namespace, name) = (ingress.namespace().to_owned(), ingress.name().to_owned());
        Self { namespace, ingress: name, reason, message }
    }
}
