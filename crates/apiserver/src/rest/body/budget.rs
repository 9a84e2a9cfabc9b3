//! How much a body may stand for, counted as it is decoded.

use std::cell::Cell;

use serde::de::Error;

/// The bytes of JSON that may still come; `None` once they were more.
pub(super) struct Budget {
    left: Cell<Option<usize>>,
}

impl Budget {
    /// So many bytes.
    pub(super) fn of(bytes: usize) -> Self {
        Self { left: Cell::new(Some(bytes)) }
    }

    /// Whether more came than may.
    pub(super) fn is_spent(&self) -> bool {
        self.left.get().is_none()
    }

    /// Counts bytes before they are made.
    pub(super) fn take<E: Error>(&self, bytes: usize) -> Result<(), E> {
        self.left.set(self.left.get().and_then(|left| left.checked_sub(bytes)));
        self.left.get().map(drop).ok_or_else(|| E::custom("too large"))
    }

    /// A text in its quotes, before it is copied.
    pub(super) fn text<E: Error>(&self, text: &str) -> Result<String, E> {
        self.take(text.len() + 2)?;
        Ok(text.to_owned())
    }
}
