//! A new Ingress that names no class gets the default one, so that it stays with it when another becomes the default.
//! Of several defaults the newest counts, as in Kubernetes.

use xebec_api::error::ApiError;
use xebec_api::object::Object;
use xebec_api::well_known::{INGRESS_CLASS, IS_DEFAULT_INGRESS_CLASS};

use super::Work;
use crate::stored;

const CLASSES: &str = "networking.k8s.io/ingressclasses";

pub(super) fn give_default(work: &Work<'_>, new: &mut Object, old: Option<&Object>) -> Result<(), ApiError> {
    let is_new = old.is_none() && work.target.row.kind == "Ingress";
    let named = new.get(&["spec", "ingressClassName"]).is_some() || new.annotation(INGRESS_CLASS).is_some();
    if !is_new || named {
        return Ok(());
    }
    let mut newest: Option<Object> = None;
    for (_, _, entry) in work.state.list(CLASSES, None) {
        let class = stored::decode(entry)?;
        // In the order of their names: of those of one second, the first one counts.
        let is_newer = newest.as_ref().is_none_or(|newest| created(&class) > created(newest));
        if class.annotation(IS_DEFAULT_INGRESS_CLASS) == Some("true") && is_newer {
            newest = Some(class);
        }
    }
    if let Some(class) = newest {
        new.set(&["spec", "ingressClassName"], class.name());
    }
    Ok(())
}

/// RFC 3339 in whole seconds of UTC sorts as text.
fn created(class: &Object) -> &str {
    class.text(&["metadata", "creationTimestamp"])
}
