//! What time it is. Tests drive it; everything that decides takes the time as an argument.

use std::sync::Arc;

use jiff::Timestamp;

/// A clock. Clones show the same time.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The host's.
    pub(crate) fn wall() -> Self {
        Self::new(wall_time)
    }

    pub(crate) fn new(time: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(time))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

#[allow(clippy::disallowed_methods, reason = "what the agent reports carries the wall clock")]
fn wall_time() -> Timestamp {
    Timestamp::now()
}
