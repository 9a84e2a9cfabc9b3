//! What single kinds do beside the generic behaviour, one file per kind.

use crate::resource::{Generic, Strategy};

/// The strategy of a kind.
pub(crate) const fn of(_group: &str, _kind: &str) -> &'static dyn Strategy {
    &Generic
}
