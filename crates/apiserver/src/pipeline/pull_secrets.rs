//! A new pod that names no Secrets to pull images with gets those of its ServiceAccount.

use serde_json::Value;
use xebec_api::error::ApiError;
use xebec_api::object::Object;
use xebec_state::Key;

use super::Work;
use crate::stored;

pub(super) fn copy(work: &Work<'_>, new: &mut Object, old: Option<&Object>) -> Result<(), ApiError> {
    let is_new = old.is_none() && work.target.row.storage_name() == "pods";
    let some = |list: Option<&Value>| list.and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    if !is_new || some(new.get(&["spec", "imagePullSecrets"])) {
        return Ok(());
    }
    let account = new.text(&["spec", "serviceAccountName"]);
    let Some(entry) = work.state.get(&Key::new("serviceaccounts", new.namespace(), account)) else {
        return Ok(());
    };
    let account = stored::decode(entry)?;
    if let Some(secrets) = account.get(&["imagePullSecrets"]).filter(|secrets| some(Some(*secrets))) {
        new.set(&["spec", "imagePullSecrets"], secrets.clone());
    }
    Ok(())
}
