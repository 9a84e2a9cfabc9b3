//! The verbs, one file each.

mod bind;
mod create;
mod delete;
mod get;
mod list;
mod patch;
mod scale;
mod target;
mod token;
mod update;
mod watch;

pub use bind::Binding;
pub use delete::{DeleteOptions, Propagation};
pub use list::{ListOptions, Page};
pub use patch::Patch;
pub use target::Target;
pub(crate) use watch::bookmark;
pub use watch::{WatchItem, WatchOptions, WatchStream};
