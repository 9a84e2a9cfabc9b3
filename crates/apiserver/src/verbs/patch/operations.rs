//! JSON patches (RFC 6902), one operation after the other, each only if what it makes stays within
//! bounds. A few bytes of a patch can ask for much: `copy` doubles what is there (CVE-2019-1002100),
//! and `move` nests it ever deeper, which nothing that walks over a value would survive.

use json_patch::{PatchError, PatchOperation};
use serde::Deserialize as _;
use serde_json::Value;
use xebec_api::error::{ApiError, Reason};

use crate::depth::{self, MOST_LEVELS};

/// Kubernetes' own bound.
const MOST_OPERATIONS: usize = 10_000;
/// What all operations of a patch may copy and move, as it lies in memory: some times the largest
/// object, so that a patch is over before anybody has to wait for it.
const MOST_MOVED_BYTES: usize = 32 << 20;

/// Applies a patch. A document that it failed on is half patched: drop it.
///
/// # Errors
/// `BadRequest` for what is no patch or nests too deep, `RequestEntityTooLarge` past the bounds, and
/// `Invalid` where an operation does not fit the document.
pub(super) fn apply(document: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let count = patch.as_array().map_or(0, Vec::len);
    if count > MOST_OPERATIONS {
        let message =
            format!("the allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {count}");
        return Err(ApiError::new(Reason::RequestEntityTooLarge, message));
    }
    let operations = Vec::<PatchOperation>::deserialize(patch).map_err(|error| {
        ApiError::new(Reason::BadRequest, format!("a JSON patch is a list of operations: {error}"))
    })?;
    let mut left = MOST_MOVED_BYTES;
    for (number, operation) in operations.iter().enumerate() {
        left = left.checked_sub(moved_bytes(document, operation)).ok_or_else(too_much)?;
        if nests_too_deep(document, operation) {
            return Err(depth::too_deep());
        }
        json_patch::patch_unsafe(document, std::slice::from_ref(operation))
            .map_err(|error| rejected(number, error))?;
    }
    Ok(())
}

/// What an operation puts into the document, and where.
fn placed<'a>(document: &'a Value, operation: &'a PatchOperation) -> Option<(&'a str, &'a Value)> {
    match operation {
        PatchOperation::Add(it) => Some((it.path.as_str(), &it.value)),
        PatchOperation::Replace(it) => Some((it.path.as_str(), &it.value)),
        PatchOperation::Copy(it) => Some((it.path.as_str(), document.pointer(it.from.as_str())?)),
        PatchOperation::Move(it) => Some((it.path.as_str(), document.pointer(it.from.as_str())?)),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => None,
    }
}

/// Every step of a path is a level above what is put there.
fn nests_too_deep(document: &Value, operation: &PatchOperation) -> bool {
    placed(document, operation).is_some_and(|(path, value)| {
        let above = path.bytes().filter(|byte| *byte == b'/').count();
        depth::exceeds(value, MOST_LEVELS.saturating_sub(above))
    })
}

/// What has to be copied or moved for an operation; not what came with the patch itself.
fn moved_bytes(document: &Value, operation: &PatchOperation) -> usize {
    let own = match operation {
        PatchOperation::Copy(_) | PatchOperation::Move(_) => {
            placed(document, operation).map_or(0, |(_, value)| bytes(value))
        }
        _ => 0,
    };
    let (taken, put) = match operation {
        PatchOperation::Remove(it) => (Some(it.path.as_str()), None),
        PatchOperation::Add(it) => (None, Some(it.path.as_str())),
        PatchOperation::Copy(it) => (None, Some(it.path.as_str())),
        PatchOperation::Move(it) => (Some(it.from.as_str()), Some(it.path.as_str())),
        PatchOperation::Replace(_) | PatchOperation::Test(_) => (None, None),
    };
    own + [taken, put].into_iter().flatten().map(|path| shifted_bytes(document, path)).sum::<usize>()
}

/// The rest of a list moves up or down when an item comes or goes before it.
fn shifted_bytes(document: &Value, path: &str) -> usize {
    let Some((parent, index)) = path.rsplit_once('/') else { return 0 };
    let length = document.pointer(parent).and_then(Value::as_array).map_or(0, Vec::len);
    let behind = length.saturating_sub(index.parse().unwrap_or(length));
    behind * size_of::<Value>()
}

/// What a value takes in memory, about.
fn bytes(value: &Value) -> usize {
    let parts = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes).sum(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| size_of::<String>() + key.len() + bytes(value)).sum()
        }
        _ => 0,
    };
    size_of::<Value>() + parts
}

fn too_much() -> ApiError {
    let message = format!(
        "the JSON patch copies and moves more than {MOST_MOVED_BYTES} bytes: send the values themselves, or several patches"
    );
    ApiError::new(Reason::RequestEntityTooLarge, message)
}

fn rejected(number: usize, mut error: PatchError) -> ApiError {
    error.operation = number;
    ApiError::new(Reason::Invalid, format!("the server rejected the JSON patch: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(mut document: Value, patch: Value) -> Result<Value, String> {
        apply(&mut document, &patch).map(|()| document).map_err(|error| error.message)
    }

    #[test]
    fn every_operation_is_done_in_its_turn() {
        let patch = json!([
            {"op": "test", "path": "/a/0", "value": 1},
            {"op": "add", "path": "/a/-", "value": 3},
            {"op": "copy", "from": "/a", "path": "/b"},
            {"op": "move", "from": "/a/0", "path": "/c"},
            {"op": "replace", "path": "/b/1", "value": {"x": []}},
            {"op": "remove", "path": "/b/0"},
        ]);
        let wanted = json!({"a": [2, 3], "b": [{"x": []}, 3], "c": 1});
        assert_eq!(patched(json!({"a": [1, 2]}), patch), Ok(wanted));
        let second = json!([{"op": "add", "path": "/b", "value": 1}, {"op": "remove", "path": "/x"}]);
        let words = "the server rejected the JSON patch: operation '/1' failed at path '/x': path is invalid";
        assert_eq!(patched(json!({}), second), Err(words.into()));
    }

    /// The first of the two ways to end a master by one small request.
    #[test]
    fn what_is_doubled_again_and_again_is_refused() {
        let grow: Vec<Value> =
            (0..35).map(|n| json!({"op": "copy", "from": "/data", "path": format!("/data/{n}")})).collect();
        let refused = patched(json!({"data": {"a": "b"}}), grow.into()).expect_err("refused");
        assert!(refused.starts_with("the JSON patch copies and moves more than 33554432 bytes"), "{refused}");
    }

    /// The second: it had no bound but the size of a request.
    #[test]
    fn what_is_nested_step_by_step_is_refused() {
        let level = [
            json!({"op": "add", "path": "/b", "value": {}}),
            json!({"op": "move", "from": "/a", "path": "/b/a"}),
            json!({"op": "move", "from": "/b", "path": "/a"}),
        ];
        let levels = |count: usize| Value::from(vec![level.clone(); count].concat());
        assert!(patched(json!({"a": 1}), levels(MOST_LEVELS - 1)).is_ok());
        assert_eq!(patched(json!({"a": 1}), levels(3000)), Err(depth::too_deep().message));
    }

    #[test]
    fn long_lists_are_not_pushed_about_for_ever() {
        let list = json!({"a": vec![0; 100_000]});
        let front = vec![json!({"op": "add", "path": "/a/0", "value": 0}); 100];
        assert!(patched(list.clone(), front.into()).expect_err("refused").contains("copies and moves"));
        let back = vec![json!({"op": "add", "path": "/a/-", "value": 0}); 100];
        assert!(patched(list, back.into()).is_ok());
        let many = vec![json!({"op": "remove", "path": "/a"}); 10_001];
        let words = "the allowed maximum operations in a JSON patch is 10000, got 10001";
        assert_eq!(patched(json!({}), many.into()), Err(words.into()));
    }
}
