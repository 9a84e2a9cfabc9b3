//! A PersistentVolumeClaim that has no volume.

use xebec_api::object::Object;
use xebec_api::quantity::Quantity;

use super::explanation::Explanation;
use super::facts::Facts;
use super::uses::uses;
use super::wording::{list, named, quoted, since};

/// Why it is as it is.
pub(super) fn explain(facts: &Facts, claim: &Object) -> Explanation {
    if claim.text(&["status", "phase"]) == "Bound" {
        let volume = claim.text(&["spec", "volumeName"]);
        return Explanation::well(
            claim,
            format!("{} is well: it is bound to the volume {volume}.", named(claim)),
        );
    }
    let class = claim.text(&["spec", "storageClassName"]);
    let asked = claim.text(&["spec", "resources", "requests", "storage"]);
    let age = since(claim.text(&["metadata", "creationTimestamp"]), facts.now);
    let lead = format!("{} has been Pending{age}:", named(claim));
    if let Some(event) = facts.last_warning(claim) {
        return Explanation::ill(claim, format!("{lead} {}.", quoted(event.text(&["message"]))));
    }
    if !class.is_empty() && facts.lacks("StorageClass", "", class) {
        let said = format!("{lead} its storage class {class} is not there.");
        return Explanation::ill(claim, said)
            .fix(format!("Create the StorageClass {class}, or name another."));
    }
    let size = |text: &str| Quantity::parse(text).map_or(0, |quantity| quantity.value());
    let fits = |volume: &&Object| {
        volume.text(&["status", "phase"]) != "Bound"
            && volume.text(&["spec", "storageClassName"]) == class
            && size(volume.text(&["spec", "capacity", "storage"])) >= size(asked)
    };
    let users = facts.within("Pod", claim.namespace()).into_iter().filter(|pod| {
        uses(pod).iter().any(|it| it.kind == "PersistentVolumeClaim" && it.name == claim.name())
    });
    let users: Vec<&str> = users.map(Object::name).collect();
    let waiting = (!users.is_empty()).then(|| format!("Waiting for it: {}.", list(&users)));
    if facts.all("PersistentVolume").any(|volume| fits(&volume)) {
        let said = format!("{lead} a volume that fits is there, and is not bound to it yet.");
        return Explanation::ill(claim, said).because_if(waiting);
    }
    let class = if class.is_empty() { String::new() } else { format!(" of class {class}") };
    Explanation::ill(
        claim,
        format!("{lead} no free volume{class} has {asked}, and nothing here makes volumes on demand."),
    )
    .because_if(waiting)
    .fix("Create a PersistentVolume that fits; if the data may go with the pod, an emptyDir does.")
}
