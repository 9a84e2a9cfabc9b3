//! The UDP servers: threads with a socket each, among which the kernel spreads clients.
//! A thread answers what is in the table or the cache at once, and gives the rest away.

use std::io::{self, ErrorKind};
use std::net::{SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt};
use nix::sys::time::TimeVal;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::batch::Batch;
use crate::resolver::{Resolver, Transport, Verdict};

/// How soon a thread without queries sees that it is to end.
const LOOK_UP_MS: i64 = 250;
/// Bytes of queries that may wait while a thread is busy.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;
/// After an error that is none of a client's, such as a network that is down.
const ERROR_PAUSE: Duration = Duration::from_millis(50);

/// A query that takes longer, and the socket that its answer leaves by.
pub(crate) struct Slow {
    pub(crate) query: Vec<u8>,
    pub(crate) peer: SocketAddrV4,
    pub(crate) socket: Arc<UdpSocket>,
}

/// The running threads.
pub(crate) struct Servers {
    threads: Vec<JoinHandle<()>>,
    /// Where they all listen.
    pub(crate) address: SocketAddrV4,
}

impl Servers {
    /// Starts `count` of them. When they end, so does the sender of slow queries.
    ///
    /// # Errors
    /// The address cannot be had.
    pub(crate) fn start(
        address: SocketAddrV4,
        count: usize,
        resolver: &Arc<Resolver>,
        slow: &mpsc::Sender<Slow>,
        stop: &CancellationToken,
    ) -> io::Result<Self> {
        let mut sockets = vec![listen(address)?];
        // With port 0 the first one finds the port for all.
        let address = match sockets[0].local_addr()? {
            std::net::SocketAddr::V4(address) => address,
            std::net::SocketAddr::V6(_) => address,
        };
        for _ in 1..count {
            sockets.push(listen(address)?);
        }
        let mut threads = Vec::new();
        for socket in sockets {
            let server = Server {
                socket: Arc::new(socket),
                resolver: Arc::clone(resolver),
                slow: slow.clone(),
                stop: stop.clone(),
            };
            threads.push(std::thread::Builder::new().name("dns-udp".to_owned()).spawn(move || server.run())?);
        }
        Ok(Self { threads, address })
    }

    /// Whether all of them still run.
    pub(crate) fn are_alive(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }

    /// Waits until they have seen that they are to end.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

fn listen(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let fd = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, sockopt::ReusePort, &true)?;
    setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::new(0, LOOK_UP_MS * 1000))?;
    // The kernel gives as much of it as it allows.
    setsockopt(&fd, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES)?;
    bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &SockaddrIn::from(address))?;
    Ok(UdpSocket::from(fd))
}

struct Server {
    socket: Arc<UdpSocket>,
    resolver: Arc<Resolver>,
    slow: mpsc::Sender<Slow>,
    stop: CancellationToken,
}

impl Server {
    fn run(self) {
        let mut batch = Batch::new();
        while !self.stop.is_cancelled() {
            match batch.receive(&self.socket) {
                Ok(count) => self.answer(&mut batch, count),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot receive queries; trying again");
                    std::thread::sleep(ERROR_PAUSE);
                }
            }
        }
    }

    fn answer(&self, batch: &mut Batch, count: usize) {
        let table = self.resolver.table();
        for index in 0..count {
            let (query, answer) = batch.place(index);
            match self.resolver.answer_at_once(&table, query, Transport::Udp, answer) {
                Verdict::Answered => {}
                Verdict::Silent => answer.clear(),
                Verdict::Ask(_) => {
                    answer.clear();
                    let (query, peer) = batch.query(index);
                    let slow = Slow { query: query.to_vec(), peer, socket: Arc::clone(&self.socket) };
                    // With too many under way this one is dropped: its client asks again.
                    let _ = self.slow.try_send(slow);
                }
            }
        }
        batch.send(&self.socket, count);
    }
}
