//! ServiceAccounts.

use crate::object::Object;
use crate::resource::{Column, Strategy};

/// The strategy of ServiceAccounts.
pub(crate) struct ServiceAccount;

impl Strategy for ServiceAccount {
    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("SECRETS")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        vec![crate::pod::list(object, &["secrets"]).count().to_string()]
    }
}
