//! The loop of the thread: whatever socket has datagrams, read a batch of them and send it
//! on. New routes take effect between two batches.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddrV4;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use xebec_dataplane::Protocol;

use super::Control;
use super::batch::Batch;
use super::flows::{FlowKey, Flows};
use super::sockets;
use crate::forward::Forwarder;
use crate::routes::{Counted, Route, Routes};

/// Sockets that are looked at in one turn.
const EVENTS: usize = 64;
/// How often quiet flows are looked for, while there are any.
const SWEEP_MS: u16 = 1000;
/// After an error of the loop itself.
const PAUSE: Duration = Duration::from_millis(50);
/// Endpoints that are tried for one flow.
const TRIES: usize = 4;

const LISTENER: u64 = u64::MAX;
const WAKE: u64 = u64::MAX - 1;

/// See the module.
pub(super) struct Plane {
    epoll: Epoll,
    control: Arc<Control>,
    listener: OwnedFd,
    forwarder: Arc<Forwarder>,
    routes: Arc<Routes>,
    flows: Flows<Flow>,
    /// The sockets that answer in the name of a Service's address.
    answering: HashMap<SocketAddrV4, OwnedFd>,
    batch: Box<Batch>,
    swept_ms: u64,
}

/// What stands for a flow towards its endpoint.
struct Flow {
    socket: OwnedFd,
    backend: Counted,
}

impl Plane {
    pub(super) fn new(
        listener: OwnedFd,
        forwarder: Arc<Forwarder>,
        control: Arc<Control>,
        limit: usize,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        epoll.add(&control.wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        let flows = Flows::new(NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN));
        let (routes, answering) = (forwarder.routes(), HashMap::new());
        let batch = Batch::new();
        Ok(Self { epoll, control, listener, forwarder, routes, flows, answering, batch, swept_ms: 0 })
    }

    pub(super) fn run(&mut self) {
        while !self.control.stop.load(Ordering::Relaxed) {
            if let Err(error) = self.turn() {
                tracing::warn!(%error, "datagrams");
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); EVENTS];
        let timeout = if self.flows.is_empty() { EpollTimeout::NONE } else { EpollTimeout::from(SWEEP_MS) };
        let count = match self.epoll.wait(&mut events, timeout) {
            Err(Errno::EINTR) => return Ok(()),
            outcome => outcome?,
        };
        let now_ms = self.forwarder.now_ms();
        for event in &events[..count] {
            match event.data() {
                WAKE => self.take_routes(),
                LISTENER => self.take_questions(now_ms)?,
                flow => self.take_answers(usize::try_from(flow).expect("it was one"), now_ms),
            }
        }
        if now_ms.saturating_sub(self.swept_ms) >= u64::from(SWEEP_MS) {
            self.flows.expire(now_ms);
            self.swept_ms = now_ms;
        }
        Ok(())
    }

    /// Flows whose endpoint is not used any more end here; their clients' next datagram
    /// finds another one.
    fn take_routes(&mut self) {
        // Nothing to read means that an earlier look has taken it.
        let _ = self.control.wake.read();
        self.routes = self.forwarder.routes();
        let (routes, forwarder) = (&self.routes, &self.forwarder);
        let stays = |key: FlowKey, flow: &Flow| {
            find(routes, forwarder, key).is_some_and(|route| route.has(flow.backend.endpoint))
        };
        self.flows.retain(stays);
        self.answering.retain(|address, _| routes.serves(Protocol::Udp, *address));
    }

    fn take_questions(&mut self, now_ms: u64) -> io::Result<()> {
        let received = match self.batch.receive(&self.listener) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            outcome => outcome?,
        };
        let mut start = 0;
        while start < received {
            let run = self.batch.run(start);
            start = run.end;
            let datagram = self.batch.datagram(run.start);
            if let Some(meant) = datagram.meant {
                self.pass_on(FlowKey { client: datagram.from, meant }, run, now_ms);
            }
        }
        Ok(())
    }

    /// Sends a client's datagrams to its endpoint. An endpoint that has refused earlier
    /// ones is left for another.
    fn pass_on(&mut self, key: FlowKey, run: Range<usize>, now_ms: u64) {
        for _ in 0..TRIES {
            let known = self.flows.asked(key, now_ms).map(|(number, _)| number);
            let Some(number) = known.or_else(|| self.begin(key, now_ms)) else { return };
            let Some(flow) = self.flows.get(number) else { return };
            match self.batch.send(&flow.socket, run.clone(), None) {
                Err(error) if is_refusal(&error) => self.leave(number),
                Err(error) if error.kind() != ErrorKind::WouldBlock => {
                    return tracing::debug!(%error, meant = %key.meant, "cannot send to an endpoint");
                }
                _ => return,
            }
        }
    }

    /// A new flow to an endpoint that can be reached, if there is one.
    fn begin(&mut self, key: FlowKey, now_ms: u64) -> Option<usize> {
        let route: Arc<Route> = Arc::clone(find(&self.routes, &self.forwarder, key)?);
        let mut tried = Vec::new();
        while tried.len() < TRIES {
            let backend = self.forwarder.pick(&route, *key.client.ip(), &tried)?;
            let endpoint = backend.endpoint.address;
            tried.push(endpoint);
            let source = self.forwarder.source(&backend, *key.client.ip());
            match sockets::upstream(endpoint, source) {
                Ok(socket) => return self.add(key, Flow { socket, backend: backend.count() }, now_ms),
                Err(error) => {
                    tracing::debug!(%error, %endpoint, "cannot reach an endpoint");
                    self.forwarder.suspect(&backend);
                }
            }
        }
        None
    }

    fn add(&mut self, key: FlowKey, flow: Flow, now_ms: u64) -> Option<usize> {
        let number = self.flows.add(key, flow, now_ms);
        let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::try_from(number).expect("it fits"));
        let registered = self.epoll.add(&self.flows.get(number)?.socket, event);
        if let Err(error) = registered {
            tracing::warn!(%error, "cannot wait for an endpoint's answers");
            self.flows.remove(number);
            return None;
        }
        Some(number)
    }

    /// Nobody listens at a flow's endpoint.
    fn leave(&mut self, number: usize) {
        if let Some(flow) = self.flows.get(number) {
            self.forwarder.suspect(&flow.backend);
        }
        self.flows.remove(number);
    }

    /// Sends an endpoint's datagrams to the client of their flow, from the address that the
    /// client meant.
    fn take_answers(&mut self, number: usize, now_ms: u64) {
        let Some((key, flow)) = self.flows.answered(number, now_ms) else { return };
        let received = match self.batch.receive(&flow.socket) {
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => {
                tracing::debug!(%error, endpoint = %flow.backend.endpoint.address, "an endpoint is left");
                return self.leave(number);
            }
        };
        let sent = match answering(&mut self.answering, key.meant) {
            Ok(socket) => self.batch.send(socket, 0..received, Some(key.client)),
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, meant = %key.meant, client = %key.client, "cannot answer");
        }
    }
}

/// The route of a flow.
fn find<'r>(routes: &'r Routes, forwarder: &Forwarder, key: FlowKey) -> Option<&'r Arc<Route>> {
    routes.find(Protocol::Udp, key.meant, forwarder.origin(*key.client.ip(), key.meant))
}

/// The socket that answers from an address; made when it is first needed.
fn answering(all: &mut HashMap<SocketAddrV4, OwnedFd>, address: SocketAddrV4) -> io::Result<&OwnedFd> {
    match all.entry(address) {
        std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
        std::collections::hash_map::Entry::Vacant(entry) => Ok(entry.insert(sockets::answering(address)?)),
    }
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
    )
}
