//! Datagrams: one thread with one transparent socket that everybody's first and later
//! datagrams come to, one connected socket for each flow towards its endpoint, and one
//! socket for each Service address to answer from.
//!
//! Everything is read and written in batches. A flow is a client and the address that it
//! meant; it keeps its endpoint until it has been quiet for long, or the endpoint is not
//! used any more. Nothing is queued here: what a socket does not take is lost, as UDP may.

mod batch;
mod flows;
mod plane;
mod sockets;

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::forward::Forwarder;
use plane::Plane;

/// Opens the transparent socket.
///
/// # Errors
/// Without the right to, or when the address is taken.
pub(crate) fn listen(address: SocketAddrV4) -> io::Result<OwnedFd> {
    sockets::listener(address)
}

/// The running thread.
pub(crate) struct Datagrams {
    control: Arc<Control>,
    thread: JoinHandle<()>,
}

/// What the thread is told.
struct Control {
    wake: EventFd,
    stop: AtomicBool,
}

impl Datagrams {
    /// Starts the thread; at most `limit` flows stand at once.
    ///
    /// # Errors
    /// When the kernel gives no epoll, no event or no thread.
    pub(crate) fn start(listener: OwnedFd, forwarder: Arc<Forwarder>, limit: usize) -> io::Result<Self> {
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let control = Arc::new(Control { wake, stop: AtomicBool::new(false) });
        let mut plane = Plane::new(listener, forwarder, Arc::clone(&control), limit)?;
        let thread = std::thread::Builder::new().name("datagrams".to_owned());
        let thread = thread.spawn(move || plane.run())?;
        Ok(Self { control, thread })
    }

    /// Has the thread look at the routes again.
    pub(crate) fn wake(&self) {
        if let Err(error) = self.control.wake.write(1) {
            tracing::warn!(%error, "cannot wake the thread of datagrams");
        }
    }

    /// Ends the thread and every flow; waits for it, which takes no longer than a batch.
    pub(crate) fn stop(self) {
        self.control.stop.store(true, Ordering::Relaxed);
        self.wake();
        if self.thread.join().is_err() {
            tracing::error!("the thread of datagrams had panicked");
        }
    }
}
