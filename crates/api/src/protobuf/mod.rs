//! Objects in Kubernetes' protobuf, which typed clients send: four bytes `k8s\0`, then a
//! `runtime.Unknown` that names the kind and holds the object. Read field by field from the
//! table of facts, into the JSON that the same client would have sent, so that no kind has
//! code of its own.
//!
//! Decodes only. What is no valid protobuf is refused by the path of the field; fields
//! that the facts do not know are passed over, as newer clients send them.

mod message;
mod scalars;
#[cfg(test)]
mod tests;
mod wire;

use serde_json::{Map, Value};

use self::wire::{Payload, Reader};
use crate::facts;

/// What every such body begins with.
pub const MAGIC: &[u8] = b"k8s\0";

/// How deep messages may lie in one another: deeper than any schema of a custom resource
/// that somebody would write.
const MOST_DEPTH: usize = 96;

const DELETE_OPTIONS: &str = "apimachinery.pkg.apis.meta.v1.DeleteOptions";

/// A body that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", prefix(.path))]
pub struct ProtobufError {
    /// Such as `spec.template.spec.containers`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl ProtobufError {
    fn new(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    fn under(mut self, field: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        self.path = format!("{field}{dot}{}", self.path);
        self
    }
}

fn prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// The object in a body, as JSON.
///
/// # Errors
/// When it is no such body, of a kind that is not known, or broken.
pub fn decode(body: &[u8]) -> Result<Map<String, Value>, ProtobufError> {
    let unknown = body.strip_prefix(MAGIC).ok_or_else(|| ProtobufError::new("does not begin with k8s\\0"))?;
    let Envelope { api_version, kind, raw } = Envelope::read(unknown)?;
    let of = match kind {
        // One type, sent as of every group.
        "DeleteOptions" => facts::get(DELETE_OPTIONS),
        _ => facts::of_kind(api_version, kind),
    };
    let of = of.ok_or_else(|| {
        ProtobufError::new(format!("no kind {kind:?} is registered for version {api_version:?}"))
    })?;
    let mut object = message::decode(of, raw)?;
    object.insert("apiVersion".into(), api_version.into());
    object.insert("kind".into(), kind.into());
    Ok(object)
}

/// A `runtime.Unknown`.
#[derive(Default)]
struct Envelope<'b> {
    api_version: &'b str,
    kind: &'b str,
    raw: &'b [u8],
}

impl<'b> Envelope<'b> {
    fn read(bytes: &'b [u8]) -> Result<Self, ProtobufError> {
        let mut envelope = Self::default();
        for field in Reader::new(bytes) {
            match field? {
                (1, Payload::Bytes(kind)) => {
                    for field in Reader::new(kind) {
                        match field? {
                            (1, payload) => envelope.api_version = payload.text()?,
                            (2, payload) => envelope.kind = payload.text()?,
                            _ => {}
                        }
                    }
                }
                (2, Payload::Bytes(raw)) => envelope.raw = raw,
                (3, payload) if !payload.text()?.is_empty() => {
                    return Err(ProtobufError::new(
                        "the object is encoded once more, which is not supported",
                    ));
                }
                _ => {}
            }
        }
        Ok(envelope)
    }
}
