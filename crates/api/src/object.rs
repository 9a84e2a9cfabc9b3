//! An object as Kubernetes has it: a JSON map that keeps every field, also those
//! nobody modelled. Keys are sorted, so equal objects have equal bytes.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// A Kubernetes object. Cheap accessors read `metadata`; code that needs a kind's
/// own fields takes [`Object::typed`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Object(Map<String, Value>);

/// Why bytes are no object, or an object is not of a type.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Not JSON, or JSON that is no map.
    #[error("expected a JSON object: {0}")]
    NotAnObject(#[source] serde_json::Error),
    /// A field has another type than its kind gives it.
    #[error("{field}: {message}")]
    WrongType {
        /// Such as `spec.replicas`.
        field: String,
        /// What was expected and what was found.
        message: String,
    },
}

impl Object {
    /// Takes a map as it is.
    #[must_use]
    pub fn from_map(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// Reads JSON text.
    ///
    /// # Errors
    /// [`ObjectError::NotAnObject`].
    pub fn from_json(json: &[u8]) -> Result<Self, ObjectError> {
        serde_json::from_slice(json).map(Self).map_err(ObjectError::NotAnObject)
    }

    /// From a `k8s-openapi` value, which names its own kind and version.
    pub fn from_typed<T: Serialize>(value: &T) -> Self {
        match serde_json::to_value(value) {
            Ok(Value::Object(map)) => Self(map),
            other => unreachable!("a Kubernetes type serializes to a map: {other:?}"),
        }
    }

    /// Canonical JSON: sorted keys, no white space.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).expect("a map of JSON values always serializes")
    }

    /// Decodes the whole object as a `k8s-openapi` type.
    ///
    /// # Errors
    /// [`ObjectError::WrongType`] with the path of the field.
    pub fn typed<T: DeserializeOwned>(&self) -> Result<T, ObjectError> {
        serde_path_to_error::deserialize(Value::Object(self.0.clone())).map_err(|error| {
            ObjectError::WrongType { field: error.path().to_string(), message: error.inner().to_string() }
        })
    }

    /// The map itself.
    #[must_use]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The map itself, to change.
    pub fn as_map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// The map itself, taken out.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// The value under a path of keys, such as `["spec", "replicas"]`.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.0.get(*first)?, |value, key| value.get(key))
    }

    /// The text under a path, `""` when there is none.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> &str {
        self.get(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// Sets the value under a path, making maps on the way (a value that is in the
    /// way and no map is replaced).
    ///
    /// # Panics
    /// On an empty path.
    pub fn set(&mut self, path: &[&str], value: impl Into<Value>) {
        let (last, parents) = path.split_last().expect("a path has at least one key");
        let mut map = &mut self.0;
        for key in parents {
            let slot = map.entry(*key).or_insert_with(|| Value::Object(Map::new()));
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            map = slot.as_object_mut().expect("made a map above");
        }
        map.insert((*last).to_owned(), value.into());
    }

    /// Takes the value under a path out.
    pub fn remove(&mut self, path: &[&str]) -> Option<Value> {
        let (last, parents) = path.split_last()?;
        let mut map = &mut self.0;
        for key in parents {
            map = map.get_mut(*key)?.as_object_mut()?;
        }
        map.remove(*last)
    }

    /// `apiVersion`, such as `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text(&["apiVersion"])
    }

    /// `kind`, such as `Deployment`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text(&["kind"])
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text(&["metadata", "name"])
    }

    /// `metadata.namespace`, `""` for cluster scope.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.text(&["metadata", "namespace"])
    }

    /// `metadata.uid`.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.text(&["metadata", "uid"])
    }

    /// `metadata.resourceVersion`, `""` when unset.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        self.text(&["metadata", "resourceVersion"])
    }

    /// `metadata.generation`, 0 when unset.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.get(&["metadata", "generation"]).and_then(Value::as_i64).unwrap_or_default()
    }

    /// `metadata.deletionTimestamp` is set: the object is on its way out.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.get(&["metadata", "deletionTimestamp"]).is_some_and(|value| !value.is_null())
    }

    /// The labels, as pairs.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text_map(&["metadata", "labels"])
    }

    /// The annotations, as pairs.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text_map(&["metadata", "annotations"])
    }

    /// One annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.get(&["metadata", "annotations", key])?.as_str()
    }

    /// The uid of the owner whose reference says `controller: true`.
    #[must_use]
    pub fn controller_uid(&self) -> Option<&str> {
        let owners = self.get(&["metadata", "ownerReferences"])?.as_array()?;
        let owner = owners.iter().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
        owner.get("uid")?.as_str()
    }

    /// A map of texts under a path, as pairs; what is no text is passed over.
    pub fn text_map<'a>(&'a self, path: &[&str]) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let map = self.get(path).and_then(Value::as_object);
        map.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }
}
