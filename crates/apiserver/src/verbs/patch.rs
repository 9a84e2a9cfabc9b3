//! Patch: a change to whatever is stored, retried while others change it too. A patch
//! that carries `metadata.resourceVersion` is bound to that version.

mod operations;

use std::borrow::Borrow;
use std::future::ready;

use serde_json::Value;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::{facts, strategic_merge};

use super::{read, scale, update};
use crate::pipeline::decode::Sent;
use crate::pipeline::{Selectors, Work};
use crate::{ApiServer, Patch, RequestContext, Target, Verb};

impl ApiServer {
    /// Changes an object, or its subresource `status` or `scale`.
    ///
    /// # Errors
    /// [`ApiError`]; `Invalid` or `BadRequest` when the result is no valid object.
    pub async fn patch(
        &self,
        ctx: &RequestContext,
        target: &Target,
        patch: &Patch,
    ) -> Result<Object, ApiError> {
        self.patch_from(ctx, target, ready(Ok(patch))).await
    }

    /// As [`ApiServer::patch`], with a body that is waited for and decoded only for who may patch.
    pub(crate) async fn patch_from<P: Borrow<Patch> + Sync>(
        &self,
        ctx: &RequestContext,
        target: &Target,
        body: impl Future<Output = Result<P, ApiError>>,
    ) -> Result<Object, ApiError> {
        let body = async {
            target.check_scope(true)?;
            target.check_name()?;
            body.await
        };
        let work = move |patch: P| async move {
            self.commit(ctx, |state| {
                let work = Work::new(self, ctx, target, state);
                let old = read(state, target)?;
                let base = if target.subresource == "scale" { scale::of(&old) } else { old.clone() };
                let mut request = apply(base, patch.borrow(), old.resource_version())?;
                update::check_body(ctx, &mut request, target, Sent::Patch)?;
                update::decide(&work, request, &old)
            })
            .await
        };
        self.run_on(ctx, Verb::Patch, target, Selectors::default(), body, work).await
    }
}

/// The object that the patch makes of `base`. Its version is the patch's own, or none:
/// a version that merely came with `base` is no wish of the user.
fn apply(base: Object, patch: &Patch, current: &str) -> Result<Object, ApiError> {
    let facts = facts::of_kind(base.api_version(), base.kind());
    let mut value = base.into_value();
    match patch {
        Patch::Merge(patch) if patch.is_object() => json_patch::merge(&mut value, patch),
        Patch::Merge(_) => return Err(bad("a merge patch is a JSON object".into())),
        Patch::Json(patch) => operations::apply(&mut value, patch)?,
        Patch::Strategic(patch) => {
            let (Value::Object(map), Some(patch)) = (value, patch.as_object()) else {
                return Err(bad("a strategic merge patch is a JSON object".into()));
            };
            // As for custom resources in Kubernetes: nobody knows how their lists merge.
            let facts = facts.ok_or_else(|| bad("this kind takes merge and JSON patches only".into()))?;
            let patched = strategic_merge::apply(facts, map, patch);
            value =
                Value::Object(patched.map_err(|error| bad(format!("the patch cannot be applied: {error}")))?);
        }
    }
    let Value::Object(map) = value else { return Err(bad("the patch leaves no object".into())) };
    let mut object = Object::from_map(map);
    if object.resource_version() == current {
        object.remove(&["metadata", "resourceVersion"]);
    }
    Ok(object)
}

fn bad(message: String) -> ApiError {
    ApiError::new(Reason::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<i8>().prop_map(Value::from), "[a-c]".prop_map(Value::from)];
        leaf.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn map() -> impl Strategy<Value = serde_json::Map<String, Value>> {
        prop::collection::btree_map("[a-d]", json_value(), 0..4).prop_map(|map| map.into_iter().collect())
    }

    /// RFC 7386, section 2, word for word.
    fn merged(target: Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else { return patch.clone() };
        let mut target = if let Value::Object(map) = target { map } else { serde_json::Map::new() };
        for (name, value) in patch {
            if value.is_null() {
                target.remove(name);
            } else {
                let old = target.remove(name).unwrap_or(Value::Null);
                target.insert(name.clone(), merged(old, value));
            }
        }
        Value::Object(target)
    }

    proptest! {
        #[test]
        fn merge_patches_follow_the_rfc_and_are_idempotent(base in map(), patch in map()) {
            let patch = Value::Object(patch);
            let once = apply(Object::from_map(base.clone()), &Patch::Merge(patch.clone()), "7").expect("merges");
            prop_assert_eq!(&once.clone().into_value(), &merged(Value::Object(base), &patch));
            let twice = apply(once.clone(), &Patch::Merge(patch), "7").expect("merges");
            prop_assert_eq!(once, twice);
        }
    }

    #[test]
    fn what_is_no_patch_is_refused() {
        let base = || Object::from_map(serde_json::Map::new());
        for (patch, wanted) in [
            (Patch::Merge(json!([1])), "a merge patch is a JSON object"),
            (Patch::Json(json!({"a": 1})), "a JSON patch is a list of operations"),
            (Patch::Json(json!([{"op": "remove", "path": "/a"}])), "the server rejected the JSON patch"),
            (Patch::Json(json!([{"op": "add", "path": "", "value": 3}])), "the patch leaves no object"),
            (Patch::Strategic(json!([1])), "a strategic merge patch is a JSON object"),
            (Patch::Strategic(json!({})), "this kind takes merge and JSON patches only"),
        ] {
            let error = apply(base(), &patch, "").expect_err("refused");
            assert!(error.message.starts_with(wanted), "{}", error.message);
        }
    }
}
