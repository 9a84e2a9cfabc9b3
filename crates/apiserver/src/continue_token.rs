//! The `continue` of a list: the revision its pages show, and the last object shown.
//! Opaque to clients; nothing in it is trusted but as a place to go on from.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use xebec_api::error::{ApiError, Reason};

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContinueToken {
    /// `None` to go on at whatever revision is current, after the first one expired.
    pub(crate) revision: Option<u64>,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl ContinueToken {
    pub(crate) fn encode(&self) -> String {
        let value = json!({"v": 1, "rv": self.revision, "ns": self.namespace, "name": self.name});
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    pub(crate) fn decode(text: &str) -> Result<Self, ApiError> {
        let parse = || {
            let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let part = |key: &str| Some(value.get(key)?.as_str()?.to_owned());
            (value.get("v")? == 1).then_some(())?;
            let revision = value.get("rv").and_then(Value::as_u64);
            Some(Self { revision, namespace: part("ns")?, name: part("name")? })
        };
        let message = "continue: not a token that this server made";
        parse().ok_or_else(|| ApiError::new(Reason::BadRequest, message))
    }

    /// 410, with a token that goes on at the current revision.
    pub(crate) fn expired(self) -> ApiError {
        let message = "The provided continue parameter is too old to display a consistent list result. You \
                       can start a new list without the continue parameter, or use the continue token in \
                       this response to retrieve the remainder of the results at the current revision.";
        let mut error = ApiError::new(Reason::Expired, message);
        let next = Self { revision: None, ..self }.encode();
        error.details.insert("continue".into(), next.into());
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tokens_read_back(revision in any::<Option<u64>>(), namespace in "[a-z]{0,5}", name in ".{0,9}") {
            let token = ContinueToken { revision, namespace, name };
            prop_assert_eq!(ContinueToken::decode(&token.encode()), Ok(token));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = ContinueToken::decode(&text);
        }
    }
}
