//! Who asks for a certificate: a CertificateSigningRequest names the user that made it, whatever it says
//! itself, since a signer goes by that; and what it asks for never changes.

use serde_json::json;
use xebec_api::object::Object;

use super::Work;

/// What says who asks.
const CLAIMED: [&str; 4] = ["username", "uid", "groups", "extra"];

/// Names the user of a new request, and keeps all of one that stands.
pub(super) fn record(work: &Work<'_>, new: &mut Object, old: Option<&Object>) {
    if work.target.row.kind != "CertificateSigningRequest" {
        return;
    }
    if let Some(spec) = old.and_then(|old| old.get(&["spec"])) {
        new.set(&["spec"], spec.clone());
        return;
    }
    for field in CLAIMED {
        new.remove(&["spec", field]);
    }
    let user = &work.ctx.user;
    new.set(&["spec", "username"], user.name.as_str());
    new.set(&["spec", "groups"], json!(user.groups));
    if !user.uid.is_empty() {
        new.set(&["spec", "uid"], user.uid.as_str());
    }
    if !user.extra.is_empty() {
        new.set(&["spec", "extra"], json!(user.extra));
    }
}
