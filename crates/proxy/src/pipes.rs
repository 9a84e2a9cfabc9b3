//! Pipes for `splice`, kept for the next connection that has a lot to move: a connection
//! holds one only while data is pending in it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;
use std::os::fd::AsRawFd;

/// Pipes that are kept when nobody uses them. They count for root on the whole host, who may
/// have 64 MiB of them by default (`fs.pipe-user-pages-soft`): beyond that others without
/// `CAP_SYS_RESOURCE` get pipes of a page.
const KEPT: usize = 16;
/// What one splice can move at once.
pub(crate) const PIPE_BYTES: usize = 1024 * 1024;

/// The pool.
#[derive(Clone)]
pub(crate) struct Pipes {
    kept: Arc<Mutex<Vec<Ends>>>,
    open: fn() -> io::Result<Ends>,
}

impl Default for Pipes {
    fn default() -> Self {
        Self { kept: Arc::default(), open }
    }
}

struct Ends {
    read: OwnedFd,
    write: OwnedFd,
}

/// A pipe out of the pool; it goes back when it is dropped empty.
pub(crate) struct Pipe {
    ends: Option<Ends>,
    /// Bytes in it.
    pub(crate) pending: usize,
    pool: Pipes,
}

impl Pipes {
    /// A pipe of the pool, or a new one.
    pub(crate) fn take(&self) -> io::Result<Pipe> {
        let pooled = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let ends = match pooled {
            Some(ends) => ends,
            None => (self.open)()?,
        };
        Ok(Pipe { ends: Some(ends), pending: 0, pool: self.clone() })
    }

    /// A pool of a process that has no file descriptors left.
    #[cfg(test)]
    pub(crate) fn of_nothing() -> Self {
        Self { kept: Arc::default(), open: || Err(io::Error::from_raw_os_error(nix::libc::EMFILE)) }
    }
}

fn open() -> io::Result<Ends> {
    let (read, write) = pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?;
    // Smaller pipes also work, where a limit allows no larger ones.
    let size = i32::try_from(PIPE_BYTES).expect("it fits");
    let _ = fcntl(write.as_raw_fd(), FcntlArg::F_SETPIPE_SZ(size));
    Ok(Ends { read, write })
}

impl Pipe {
    /// Where bytes come out.
    pub(crate) fn read_end(&self) -> &OwnedFd {
        &self.ends.as_ref().expect("present until dropped").read
    }

    /// Where bytes go in.
    pub(crate) fn write_end(&self) -> &OwnedFd {
        &self.ends.as_ref().expect("present until dropped").write
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let Some(ends) = self.ends.take().filter(|_| self.pending == 0) else { return };
        let mut kept = self.pool.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(ends);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_what_a_host_permits_is_kept_at_most() {
        let pool = Pipes::default();
        let taken: Vec<Pipe> = (0..KEPT + 4).map(|_| pool.take().expect("a pipe")).collect();
        drop(taken);
        let kept = pool.kept.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert_eq!((kept, kept * PIPE_BYTES), (KEPT, 16 << 20));
    }
}
