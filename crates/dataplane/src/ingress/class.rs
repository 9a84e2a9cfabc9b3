//! Which Ingresses are this controller's.

use std::borrow::Borrow;

use xebec_api::object::Object;
use xebec_api::well_known::{INGRESS_CLASS, IS_DEFAULT_INGRESS_CLASS};

/// What an IngressClass names in `spec.controller` to be served here.
pub const CONTROLLER: &str = "xebec.io/ingress-controller";
/// The class that every cluster has.
const CLASS: &str = "xebec";

/// Whether an Ingress is served here: by its class, by the old annotation, or, when it has
/// neither, because the default class is ours.
#[must_use]
pub fn is_served<O: Borrow<Object>>(ingress: &Object, classes: &[O]) -> bool {
    if let Some(class) = ingress.annotation(INGRESS_CLASS) {
        return class == CLASS;
    }
    let ours = |class: &Object| class.text(&["spec", "controller"]) == CONTROLLER;
    let mut classes = classes.iter().map(Borrow::borrow);
    match ingress.text(&["spec", "ingressClassName"]) {
        "" => classes.any(|class| class.annotation(IS_DEFAULT_INGRESS_CLASS) == Some("true") && ours(class)),
        name => classes.find(|class| class.name() == name).map_or(name == CLASS, ours),
    }
}
