//! A pod's priority is that of its PriorityClass, as Kubernetes' admission computes it: the
//! scheduler and the nodes know the number alone.

use serde_json::Value;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::pod::SYSTEM_PRIORITIES;
use xebec_state::Key;

use super::Work;
use crate::stored;

const CLASSES: &str = "scheduling.k8s.io/priorityclasses";

/// What a class gives its pods.
struct Class {
    name: String,
    value: i64,
    preemption_policy: Option<Value>,
}

/// Gives a new pod the priority of the class that it names, or else of the cluster's default.
pub(super) fn resolve(work: &Work<'_>, pod: &mut Object) -> Result<(), ApiError> {
    let refused =
        |why: String| ApiError::new(Reason::Forbidden, format!("pods {:?} is forbidden: {why}", pod.name()));
    let class = match pod.text(&["spec", "priorityClassName"]) {
        "" => default(work),
        name => {
            let found = named(work, name);
            Some(found.ok_or_else(|| refused(format!("no PriorityClass with name {name} was found")))?)
        }
    };
    let value = class.as_ref().map_or(0, |class| class.value);
    let said = pod.get(&["spec", "priority"]).and_then(Value::as_i64);
    if said.is_some_and(|said| said != value) {
        return Err(refused(format!(
            "the integer value of priority ({}) must not be provided in pod spec; priority admission controller \
             computed {value} from the given PriorityClass name",
            said.unwrap_or_default()
        )));
    }
    let Some(class) = class else { return Ok(()) };
    pod.set(&["spec", "priorityClassName"], class.name);
    pod.set(&["spec", "priority"], class.value);
    if let Some(policy) = class.preemption_policy
        && pod.get(&["spec", "preemptionPolicy"]).is_none()
    {
        pod.set(&["spec", "preemptionPolicy"], policy);
    }
    Ok(())
}

fn named(work: &Work<'_>, name: &str) -> Option<Class> {
    if let Some((name, value)) = SYSTEM_PRIORITIES.into_iter().find(|(known, _)| *known == name) {
        return Some(Class { name: name.to_owned(), value, preemption_policy: None });
    }
    let entry = work.state.get(&Key::new(CLASSES, "", name))?;
    stored::decode(entry).ok().map(|class| of(&class))
}

/// Of several that say that they are it, the least, as in Kubernetes.
fn default(work: &Work<'_>) -> Option<Class> {
    let all = work.state.list(CLASSES, None).filter_map(|(_, _, entry)| stored::decode(entry).ok());
    let defaults = all.filter(|class| class.get(&["globalDefault"]) == Some(&Value::Bool(true)));
    defaults.map(|class| of(&class)).min_by_key(|class| class.value)
}

fn of(class: &Object) -> Class {
    Class {
        name: class.name().to_owned(),
        value: class.get(&["value"]).and_then(Value::as_i64).unwrap_or_default(),
        preemption_policy: class.get(&["preemptionPolicy"]).cloned(),
    }
}
