//! What the facts say of the value at hand, followed step by step from the object's type.

use crate::facts::{self, Field, Shape, Type};

/// What is known of a value.
#[derive(Clone, Copy)]
pub(super) enum Schema {
    /// Nothing, or that it has no parts.
    Unknown,
    /// A map with these fields.
    Struct(&'static Type),
    /// A map of any keys to values of this shape.
    MapOf(&'static Shape),
    /// A list of this shape, and the field that says how it merges.
    ListOf(&'static Shape, &'static Field),
}

impl Schema {
    /// Of the value under a key.
    pub(super) fn child(self, key: &str) -> Self {
        match self {
            Self::Struct(of) => {
                of.field(key).map_or(Self::Unknown, |field| Self::of(&field.shape, Some(field)))
            }
            Self::MapOf(shape) => Self::of(shape, None),
            Self::Unknown | Self::ListOf(..) => Self::Unknown,
        }
    }

    /// Of the items of a list.
    pub(super) fn item(self) -> Self {
        if let Self::ListOf(shape, _) = self { Self::of(shape, None) } else { Self::Unknown }
    }

    /// The field, when it is a list that merges item by item.
    pub(super) fn merging_list(self) -> Option<&'static Field> {
        if let Self::ListOf(_, field) = self { Some(field).filter(|field| field.merges()) } else { None }
    }

    fn of(shape: &'static Shape, field: Option<&'static Field>) -> Self {
        match (shape, field) {
            (Shape::Type(name), _) => facts::get(name).map_or(Self::Unknown, Self::Struct),
            (Shape::Map(inner), _) => Self::MapOf(inner),
            (Shape::List(inner), Some(field)) => Self::ListOf(inner, field),
            (Shape::List(_), None) | (Shape::Scalar(_), _) => Self::Unknown,
        }
    }
}
