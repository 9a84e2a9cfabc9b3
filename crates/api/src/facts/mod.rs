//! The table of facts: for every field of every stable kind its type, protobuf number,
//! default, and how patches merge it. OpenAPI, strategic merge patches and protobuf
//! bodies all read it, so that no kind needs code of its own.
//!
//! The table is text in the program, written by `cargo xtask facts`; it is read once, when
//! something first asks, and its words are borrowed from there. It holds facts only: no
//! descriptions, and no zero values as defaults.

mod parse;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

/// A number with a suffix.
pub const QUANTITY: &str = "apimachinery.pkg.api.resource.Quantity";
/// A number or a text.
pub const INT_OR_STRING: &str = "apimachinery.pkg.util.intstr.IntOrString";
/// An object of any kind.
pub const RAW_EXTENSION: &str = "apimachinery.pkg.runtime.RawExtension";
/// Which fields somebody set.
pub const FIELDS_V1: &str = "apimachinery.pkg.apis.meta.v1.FieldsV1";
/// Any value.
pub const JSON: &str = "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON";
/// A time to the second.
pub const TIME: &str = "apimachinery.pkg.apis.meta.v1.Time";
/// A time to the microsecond.
pub const MICRO_TIME: &str = "apimachinery.pkg.apis.meta.v1.MicroTime";

static TABLE: LazyLock<Vec<Type>> = LazyLock::new(|| {
    parse::table(include_str!("table.txt")).expect("a test reads the table that `cargo xtask facts` wrote")
});

/// A type, or a scalar with a name of its own (such as a quantity).
#[derive(Debug, PartialEq, Eq)]
pub struct Type {
    /// As the API description has it without `io.k8s.`, such as `api.core.v1.Pod`.
    pub name: &'static str,
    /// What it is sent as; empty for a part of other types.
    pub kinds: Vec<Kind>,
    /// What it is instead of fields.
    pub scalar: Option<Shape>,
    /// Applied as a whole by server-side apply.
    pub atomic: bool,
    /// By name.
    pub fields: Vec<Field>,
}

/// A kind as an object names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// `""` for the core group.
    pub group: &'static str,
    /// Such as `v1`.
    pub version: &'static str,
    /// Such as `Pod`.
    pub kind: &'static str,
}

/// A field as JSON has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Such as `containerPort`.
    pub name: &'static str,
    /// The protobuf numbers on the way to it: more than one where protobuf has a message
    /// that JSON does without; none where protobuf leaves it out.
    pub numbers: Vec<u32>,
    /// What it holds.
    pub shape: Shape,
    /// Must be given.
    pub required: bool,
    /// As JSON, when it is none of the zero values.
    pub default: Option<&'static str>,
    /// Such as `merge`, `retainKeys` or both; empty for a plain field.
    pub patch_strategy: &'static str,
    /// What tells the items of a list apart when it is patched; `""` for none.
    pub merge_key: &'static str,
    /// How server-side apply takes the list, and what tells its items apart.
    pub list: Option<List>,
    /// Applied as a whole by server-side apply.
    pub atomic: bool,
    /// Its zero is a value of its own; elsewhere Go's clients mean nothing by it.
    pub pointer: bool,
    /// The values that it may have, when they are known: separated by `|`.
    values: &'static str,
}

/// How server-side apply takes a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// As a whole.
    Atomic,
    /// Item by item, each of them once.
    Set,
    /// By keys, separated by commas.
    Map(&'static str),
}

/// What a value looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// No fields.
    Scalar(Scalar),
    /// Another type of the table, see [`get`].
    Type(&'static str),
    /// A list of these.
    List(Box<Shape>),
    /// From texts to these.
    Map(Box<Shape>),
}

/// A value without fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A text.
    String,
    /// True or false.
    Bool,
    /// A number of 32 bits.
    Int32,
    /// A number of 64 bits.
    Int64,
    /// A number with a fraction.
    Double,
    /// Base64.
    Bytes,
    /// A map of anything.
    Object,
    /// Anything.
    Any,
}

/// Every type, by name.
#[must_use]
pub fn all() -> &'static [Type] {
    &TABLE
}

/// By name, such as `api.core.v1.Container`.
#[must_use]
pub fn get(name: &str) -> Option<&'static Type> {
    let at = TABLE.binary_search_by(|of| of.name.cmp(name)).ok()?;
    TABLE.get(at)
}

/// By what an object says of itself, such as `("apps/v1", "Deployment")`.
#[must_use]
pub fn of_kind(api_version: &str, kind: &str) -> Option<&'static Type> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let named = |of: &Kind| of.kind == kind && of.group == group && of.version == version;
    TABLE.iter().find(|of| of.kinds.iter().any(named))
}

impl Type {
    /// A field by its name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        let at = self.fields.binary_search_by(|field| field.name.cmp(name)).ok()?;
        self.fields.get(at)
    }
}

impl Field {
    /// The values that it may have; none when they are not known.
    pub fn values(&self) -> impl Iterator<Item = &'static str> {
        self.values.split('|').filter(|value| !value.is_empty())
    }

    /// Whether a strategic merge patch merges it, where it would replace other lists.
    #[must_use]
    pub fn merges(&self) -> bool {
        self.patch_strategy.split(',').any(|strategy| strategy == "merge")
    }
}

impl List {
    /// What tells its items apart.
    pub fn keys(self) -> impl Iterator<Item = &'static str> {
        let keys = if let Self::Map(keys) = self { keys } else { "" };
        keys.split(',').filter(|key| !key.is_empty())
    }
}

impl Shape {
    /// The type that it leads to, through lists and maps.
    #[must_use]
    pub fn reference(&self) -> Option<&'static str> {
        match self {
            Self::Scalar(_) => None,
            Self::Type(name) => Some(name),
            Self::List(inner) | Self::Map(inner) => inner.reference(),
        }
    }
}
