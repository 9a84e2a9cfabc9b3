//! The threads that carry connections: one for each processor, each with a listener, a
//! loop and connections of its own, so that nothing on a connection's way is shared with
//! another processor. The kernel spreads clients over the listeners by their addresses; a
//! worker that got clearly more than another one hands what comes next over to that.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::forward::{Forwarder, upstream};

/// Connections that wait to be accepted, for each listener.
const BACKLOG: u32 = 4096;
/// After an accept that failed (no file descriptors left, mostly), others first finish.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// More threads would only take memory: few nodes have more to carry than so many can.
const WORKERS: usize = 8;
/// Connections that one worker may be ahead of another.
const AHEAD: usize = 4;
/// Connections on their way from one worker to another.
const HANDED_OVER: usize = 256;

/// The listeners, before anything is accepted.
pub(crate) struct Listeners {
    sockets: Vec<std::net::TcpListener>,
    pub(crate) address: SocketAddrV4,
}

/// The running threads.
pub(crate) struct Workers {
    cancel: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

/// A connection with the right to stand.
struct Accepted<S = TcpStream> {
    client: S,
    peer: SocketAddr,
    slot: OwnedSemaphorePermit,
}

/// The same on its way to another thread: a stream of tokio belongs to its runtime. It
/// counts there already, so that a burst spreads over more than one.
type HandedOver = (Accepted<std::net::TcpStream>, Standing);

/// What every worker knows of all.
struct Shared {
    forwarder: Arc<Forwarder>,
    cancel: CancellationToken,
    slots: Arc<Semaphore>,
    desks: Vec<Desk>,
}

/// Where others see how much a worker has, and leave it more.
struct Desk {
    standing: Arc<AtomicUsize>,
    inbox: mpsc::Sender<HandedOver>,
}

/// A connection that counts for its worker until it is dropped, wherever that is.
struct Standing(Arc<AtomicUsize>);

impl Desk {
    fn count(&self) -> Standing {
        self.standing.fetch_add(1, Ordering::Relaxed);
        Standing(Arc::clone(&self.standing))
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Listeners {
    /// Transparent ones on one port of loopback, so that nobody reaches them but by the
    /// redirect.
    ///
    /// # Errors
    /// Without the right to (`CAP_NET_ADMIN`).
    pub(crate) fn open() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(WORKERS);
        let first = listener(0)?;
        let SocketAddr::V4(address) = first.local_addr()? else {
            return Err(io::Error::other("a listener on an address that is none of IPv4"));
        };
        let more = (1..count).map(|_| listener(address.port()));
        let sockets = std::iter::once(Ok(first)).chain(more).collect::<io::Result<_>>()?;
        Ok(Self { sockets, address })
    }
}

fn listener(port: u16) -> io::Result<std::net::TcpListener> {
    let socket = TcpSocket::new_v4()?;
    setsockopt(&socket, sockopt::IpTransparent, &true)?;
    socket.set_reuseport(true)?;
    socket.bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port))?;
    // What is accepted has it from here.
    upstream::watch(&socket, upstream::CLIENT_IDLE_SECONDS);
    socket.listen(BACKLOG)?.into_std()
}

impl Workers {
    /// Starts a thread for each listener. `limit` bounds the connections that stand at once.
    /// Not to be called on a thread that drives a runtime, since it makes others.
    ///
    /// # Errors
    /// When the kernel gives no thread, or no epoll.
    pub(crate) fn start(listeners: Listeners, forwarder: Arc<Forwarder>, limit: usize) -> io::Result<Self> {
        let (desks, inboxes): (Vec<_>, Vec<_>) = listeners.sockets.iter().map(|_| desk()).unzip();
        let (cancel, slots) = (CancellationToken::new(), Arc::new(Semaphore::new(limit)));
        let shared = Arc::new(Shared { forwarder, cancel: cancel.clone(), slots, desks });
        // From here on a failure ends what has started already.
        let mut workers = Self { cancel, threads: Vec::new() };
        for (number, (socket, inbox)) in listeners.sockets.into_iter().zip(inboxes).enumerate() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let listener = runtime.block_on(async { TcpListener::from_std(socket) })?;
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new().name(format!("connections-{number}"));
            workers.threads.push(thread.spawn(move || work(&runtime, number, listener, inbox, &shared))?);
        }
        Ok(workers)
    }

    /// Ends every connection and every thread; waits for them, which takes no longer than
    /// what one of them is just moving.
    pub(crate) fn stop(mut self) {
        self.cancel.cancel();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of connections had panicked");
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn desk() -> (Desk, mpsc::Receiver<HandedOver>) {
    let (inbox, outbox) = mpsc::channel(HANDED_OVER);
    (Desk { standing: Arc::default(), inbox }, outbox)
}

/// A worker's life. What still stands at its end is dropped with the runtime.
fn work(
    runtime: &Runtime,
    number: usize,
    listener: TcpListener,
    inbox: mpsc::Receiver<HandedOver>,
    shared: &Shared,
) {
    runtime.block_on(async {
        tokio::join!(accept(number, listener, shared), take_over(inbox, shared));
    });
}

async fn accept(number: usize, listener: TcpListener, shared: &Shared) {
    let next = async || {
        let slot = Arc::clone(&shared.slots).acquire_owned().await.map_err(io::Error::other)?;
        let (client, peer) = listener.accept().await?;
        Ok::<_, io::Error>(Accepted { client, peer, slot })
    };
    while let Some(accepted) = shared.cancel.run_until_cancelled(next()).await {
        match accepted.and_then(|accepted| place(accepted, number, shared)) {
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a connection here, or hands it over to a worker that has clearly less.
fn place(accepted: Accepted, number: usize, shared: &Shared) -> io::Result<()> {
    let standing = |desk: &Desk| desk.standing.load(Ordering::Relaxed);
    let own = &shared.desks[number];
    let other = shared.desks.iter().min_by_key(|desk| standing(desk));
    let other = other.filter(|desk| standing(desk) + AHEAD < standing(own));
    let Some((desk, permit)) = other.and_then(|desk| Some((desk, desk.inbox.try_reserve().ok()?))) else {
        serve(accepted, own.count(), shared);
        return Ok(());
    };
    let Accepted { client, peer, slot } = accepted;
    let client = client.into_std()?;
    permit.send((Accepted { client, peer, slot }, desk.count()));
    Ok(())
}

async fn take_over(mut inbox: mpsc::Receiver<HandedOver>, shared: &Shared) {
    while let Some(Some((Accepted { client, peer, slot }, standing))) =
        shared.cancel.run_until_cancelled(inbox.recv()).await
    {
        match TcpStream::from_std(client) {
            Ok(client) => serve(Accepted { client, peer, slot }, standing, shared),
            Err(error) => tracing::warn!(%error, "cannot take a connection over"),
        }
    }
}

/// Serves a connection on this thread, which ends it with the worker at the latest.
fn serve(accepted: Accepted, standing: Standing, shared: &Shared) {
    let forwarder = Arc::clone(&shared.forwarder);
    tokio::spawn(async move {
        // The slot is given back last, also when serving panics.
        let Accepted { client, peer, slot: _slot } = accepted;
        let _standing = standing;
        forwarder.serve(client, peer).await;
    });
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn standing(shared: &Shared) -> Vec<usize> {
        shared.desks.iter().map(|desk| desk.standing.load(Ordering::Relaxed)).collect()
    }

    /// A connection that a worker with more than others accepts is served by another one:
    /// here reset, since no route leads from it.
    #[tokio::test]
    async fn a_worker_that_is_ahead_hands_over() {
        let (desks, mut inboxes): (Vec<_>, Vec<_>) = (0..3).map(|_| desk()).unzip();
        let cancel = CancellationToken::new();
        let forwarder = Arc::new(Forwarder::new("10.42.0.0/16".parse().expect("a network")));
        let shared = Shared { forwarder, cancel: cancel.clone(), slots: Arc::new(Semaphore::new(9)), desks };
        for (desk, standing) in shared.desks.iter().zip([9, 5, 4]) {
            desk.standing.store(standing, Ordering::Relaxed);
        }
        let shared = Arc::new(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let mut near = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        let (client, peer) = listener.accept().await.expect("accepted");
        let slot = Arc::clone(&shared.slots).acquire_owned().await.expect("free");
        place(Accepted { client, peer, slot }, 0, &shared).expect("placed");
        assert_eq!(inboxes.iter().map(mpsc::Receiver::len).collect::<Vec<_>>(), [0, 0, 1]);
        assert_eq!(standing(&shared), [9, 5, 5]);
        let taking = {
            let (inbox, shared) = (inboxes.pop().expect("the third"), Arc::clone(&shared));
            tokio::spawn(async move { take_over(inbox, &shared).await })
        };
        let error = near.read(&mut [0]).await.expect_err("no route leads on");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(shared.slots.available_permits(), 9, "its slot is free again");
        assert_eq!(standing(&shared), [9, 5, 4]);
        cancel.cancel();
        taking.await.expect("it ends when it is told to");
    }

    /// What is on its way counts: a burst is handed to more than one, before any of them
    /// looks.
    #[tokio::test]
    async fn a_burst_is_handed_to_more_than_one() {
        let (desks, inboxes): (Vec<_>, Vec<_>) = (0..3).map(|_| desk()).unzip();
        let forwarder = Arc::new(Forwarder::new("10.42.0.0/16".parse().expect("a network")));
        let (cancel, slots) = (CancellationToken::new(), Arc::new(Semaphore::new(9)));
        let shared = Shared { forwarder, cancel, slots, desks };
        shared.desks[0].standing.store(9, Ordering::Relaxed);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        for _ in 0..3 {
            let _near = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
            let (client, peer) = listener.accept().await.expect("accepted");
            let slot = Arc::clone(&shared.slots).acquire_owned().await.expect("free");
            place(Accepted { client, peer, slot }, 0, &shared).expect("placed");
        }
        assert_eq!(inboxes.iter().map(mpsc::Receiver::len).collect::<Vec<_>>(), [0, 2, 1]);
        assert_eq!(standing(&shared), [9, 2, 1]);
        drop(inboxes);
        assert_eq!(standing(&shared), [9, 0, 0], "what nobody takes over counts no more");
        assert_eq!(shared.slots.available_permits(), 9);
    }

    /// One that is not clearly ahead keeps what it accepts.
    #[tokio::test]
    async fn a_worker_keeps_what_it_accepts() {
        let (desks, inboxes): (Vec<_>, Vec<_>) = (0..2).map(|_| desk()).unzip();
        let forwarder = Arc::new(Forwarder::new("10.42.0.0/16".parse().expect("a network")));
        let (cancel, slots) = (CancellationToken::new(), Arc::new(Semaphore::new(9)));
        let shared = Arc::new(Shared { forwarder, cancel, slots, desks });
        shared.desks[0].standing.store(AHEAD, Ordering::Relaxed);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let _near = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        let (client, peer) = listener.accept().await.expect("accepted");
        let slot = Arc::clone(&shared.slots).acquire_owned().await.expect("free");
        place(Accepted { client, peer, slot }, 0, &shared).expect("placed");
        assert_eq!(shared.desks[0].standing.load(Ordering::Relaxed), AHEAD + 1);
        assert!(inboxes.iter().all(mpsc::Receiver::is_empty));
    }
}
