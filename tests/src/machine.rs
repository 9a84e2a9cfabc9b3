//! The one lock of the machine: a demo cluster has fixed names and a leak check, so it
//! wants the machine alone; clusters with names of their own share it.

use std::fs::File;
use std::os::fd::OwnedFd;

use nix::fcntl::{Flock, FlockArg};

/// Held as long as a test's processes live.
pub struct Machine {
    _lock: Option<Flock<OwnedFd>>,
}

impl Machine {
    /// Nobody else runs anything of ours meanwhile.
    ///
    /// # Panics
    /// When the lock cannot be taken.
    #[must_use]
    pub fn alone() -> Self {
        Self::take(FlockArg::LockExclusive)
    }

    /// Others may run what does not get into our way.
    ///
    /// # Panics
    /// When the lock cannot be taken.
    #[must_use]
    pub fn shared() -> Self {
        Self::take(FlockArg::LockShared)
    }

    fn take(how: FlockArg) -> Self {
        // Without root there is no demo cluster to keep out of the way of.
        let Ok(file) = File::options().create(true).truncate(false).write(true).open("/run/xebec-demo.lock")
        else {
            return Self { _lock: None };
        };
        let lock = Flock::lock(OwnedFd::from(file), how);
        Self { _lock: Some(lock.expect("the lock is taken")) }
    }
}
