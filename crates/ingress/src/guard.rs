//! What stands between a client's socket and hyper: it follows the framing of HTTP/1 by
//! itself and gives hyper whole heads and well-formed bodies only.
//!
//! It never gives hyper a byte of a head before that head is complete and unambiguous, and
//! after a refusal it gives nothing any more: hyper sees the end of the stream, finishes the
//! answers that it owes, and the connection then says what was refused and ends.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::chunks::{Chunks, NoChunks};
use crate::head::{Body, Head, Refusal, Scan, Scanner};
use crate::stall::Stall;
use crate::transport::Transport;

/// How long a head may take from its first byte, and the first byte from the beginning.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may wait for its next request.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// So much is read at once while a head is awaited.
const READ_BYTES: usize = 2048;

/// What the guard and those who answer requests know of each other.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Requests that are not answered yet.
    running: AtomicUsize,
    /// How often one of them began or ended.
    turns: AtomicUsize,
    /// What became of the client's wish for another protocol.
    upgrade: AtomicU8,
    /// Who waits until no request runs.
    waiting: Mutex<Option<Waker>>,
}

const UPGRADE_ASKED: u8 = 1;
const UPGRADE_REFUSED: u8 = 2;

impl Shared {
    /// A request runs for as long as the value lives.
    pub(crate) fn run(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        self.turns.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(self))
    }

    /// Until no request ran for as long as a connection may wait for its next one, or up to
    /// twice that.
    pub(crate) async fn quiet(&self) {
        loop {
            let turns = self.turns.load(Ordering::Relaxed);
            sleep(IDLE_TIMEOUT).await;
            let nothing_runs = self.running.load(Ordering::Relaxed) == 0;
            if nothing_runs && self.turns.load(Ordering::Relaxed) == turns {
                return;
            }
        }
    }

    /// Until every request is answered.
    fn poll_idle(&self, context: &Context<'_>) -> Poll<()> {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        if self.running.load(Ordering::Acquire) == 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The connection goes on as HTTP.
    pub(crate) fn refuse_upgrade(&self) {
        self.upgrade.store(UPGRADE_REFUSED, Ordering::Release);
    }
}

/// See [`Shared::run`].
#[derive(Debug)]
pub(crate) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.turns.fetch_add(1, Ordering::Relaxed);
        self.0.running.fetch_sub(1, Ordering::AcqRel);
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Where in the stream the next byte is.
#[derive(Debug)]
enum State {
    Head(Scanner),
    /// In a body of which so many bytes are to come.
    Length(u64),
    Chunked(Chunks),
    /// The client asked for another protocol, and nobody knows yet what its bytes are.
    Held,
    /// Not HTTP/1 (any more): everything passes.
    Open,
    Ended,
}

/// See the module.
pub(crate) struct Guard {
    io: Transport,
    /// Bytes that came in and were not given on.
    inbox: BytesMut,
    /// So many of them are good.
    good: usize,
    state: State,
    /// After this body comes [`State::Held`].
    upgrade: bool,
    shared: Arc<Shared>,
    refusal: Option<Refusal>,
    /// When the head that is awaited is given up.
    deadline: Instant,
    /// Fires at the deadline or before it: it is not set anew for each request.
    timer: Pin<Box<Sleep>>,
    stall: Stall,
}

impl Guard {
    pub(crate) fn new(io: Transport) -> Self {
        let deadline = Instant::now() + HEAD_TIMEOUT;
        Self {
            io,
            inbox: BytesMut::new(),
            good: 0,
            state: State::Head(Scanner::default()),
            upgrade: false,
            shared: Arc::default(),
            refusal: None,
            deadline,
            timer: Box::pin(sleep_until(deadline)),
            stall: Stall::default(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// What was refused, if something was.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// Whether the client has sent, or is to send, what nobody has read.
    pub(crate) fn has_more(&self) -> bool {
        let in_body = match &self.state {
            State::Length(left) => *left > 0,
            State::Chunked(chunks) => !chunks.is_done(),
            State::Head(_) | State::Held | State::Open | State::Ended => false,
        };
        in_body || !self.inbox.is_empty()
    }

    /// Lets everything pass from now on, `before` first.
    pub(crate) fn open(&mut self, before: &[u8]) {
        let mut inbox = BytesMut::from(before);
        inbox.extend_from_slice(&self.inbox);
        (self.inbox, self.good, self.state) = (inbox, 0, State::Open);
    }

    /// Waits for the first head; whether it is HTTP/2, which begins with one that is like a head of
    /// HTTP/1. What was agreed on with TLS is awaited no longer, and must be kept.
    pub(crate) async fn is_http2(&mut self) -> bool {
        std::future::poll_fn(|context| self.poll_head(context)).await;
        let is_http2 = matches!(self.state, State::Open);
        if self.io.is_http2() && matches!(self.state, State::Length(_) | State::Chunked(_)) {
            self.good = 0;
            self.refuse(Refusal { status: 400, why: "HTTP/1 where HTTP/2 was agreed on" });
        }
        is_http2
    }

    /// Until the state is another than awaiting a head.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let State::Head(scanner) = &mut self.state {
            match scanner.scan(&self.inbox) {
                Scan::Request(head) => self.begin(head),
                Scan::Http2 => self.state = State::Open,
                Scan::Refused(refusal) => self.refuse(refusal),
                Scan::Partial => match self.poll_fill(context) {
                    Poll::Ready(Ok(read)) if read > 0 => {}
                    Poll::Ready(_) => self.state = State::Ended,
                    Poll::Pending => ready!(self.poll_deadline(context)),
                },
            }
        }
        Poll::Ready(())
    }

    fn begin(&mut self, head: Head) {
        self.good = head.len;
        self.upgrade = head.upgrade;
        if head.upgrade {
            self.shared.upgrade.store(UPGRADE_ASKED, Ordering::Release);
        }
        self.state = match head.body {
            Body::Length(length) => State::Length(length),
            Body::Chunked => State::Chunked(Chunks::new()),
        };
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refusal = Some(refusal);
        self.state = State::Ended;
    }

    /// While requests run nothing is given up: the client waits for us, not we for it.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            if self.shared.running.load(Ordering::Relaxed) > 0 {
                self.deadline = now + IDLE_TIMEOUT;
            }
            if self.deadline <= now {
                break;
            }
            self.timer.as_mut().reset(self.deadline);
        }
        if self.inbox.is_empty() {
            self.state = State::Ended;
        } else {
            self.refuse(Refusal { status: 408, why: "the head took too long" });
        }
        Poll::Ready(())
    }

    /// Reads on into the inbox.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [0; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer))?;
        let read = buffer.filled().len();
        if self.inbox.is_empty() && read > 0 && matches!(self.state, State::Head(_)) {
            self.set_deadline(HEAD_TIMEOUT);
        }
        self.inbox.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(read))
    }

    fn set_deadline(&mut self, after: Duration) {
        self.deadline = Instant::now() + after;
        // A later deadline is found when the timer fires; an earlier one needs it set.
        if self.deadline < self.timer.deadline() {
            self.timer.as_mut().reset(self.deadline);
        }
    }

    /// The request is complete.
    fn next(&mut self) {
        self.state =
            if std::mem::take(&mut self.upgrade) { State::Held } else { State::Head(Scanner::default()) };
        let wait = if self.inbox.is_empty() { IDLE_TIMEOUT } else { HEAD_TIMEOUT };
        self.set_deadline(wait);
    }

    /// Gives good bytes on.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let take = self.good.min(buffer.remaining());
        buffer.put_slice(&self.inbox[..take]);
        self.inbox.advance(take);
        self.good -= take;
    }

    /// One step towards good bytes; ready when there are some, or will never be.
    fn poll_step(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<Step>> {
        match &mut self.state {
            State::Head(_) => {
                ready!(self.poll_head(context));
                // Only a connection's first bytes begin HTTP/2; `is_http2` has seen those.
                if matches!(self.state, State::Open) {
                    self.refuse(Refusal { status: 400, why: "HTTP/2 in the middle of HTTP/1" });
                }
            }
            State::Length(0) => self.next(),
            State::Length(left) if self.inbox.is_empty() && *left >= buffer.remaining() as u64 => {
                let before = buffer.filled().len();
                ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
                *left -= (buffer.filled().len() - before) as u64;
                return Poll::Ready(Ok(Step::Given));
            }
            State::Length(_) | State::Chunked(_) if self.inbox.is_empty() => {
                if ready!(self.poll_fill(context))? == 0 {
                    return Poll::Ready(Ok(Step::Given));
                }
            }
            State::Length(left) => {
                self.good = usize::try_from(*left).unwrap_or(usize::MAX).min(self.inbox.len());
                *left -= self.good as u64;
            }
            State::Chunked(chunks) if chunks.is_done() => self.next(),
            State::Chunked(chunks) => match chunks.follow(&self.inbox) {
                Ok(good) => self.good = good,
                Err(NoChunks) => {
                    self.state = State::Ended;
                    let why = "the chunks of the body are not well formed";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
                }
            },
            State::Held => ready!(self.poll_held(context))?,
            State::Open if self.inbox.is_empty() => {
                ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
                return Poll::Ready(Ok(Step::Given));
            }
            State::Open => self.good = self.inbox.len(),
            State::Ended => {
                // At the end of the stream hyper would break off what runs: that is answered first.
                if self.refusal.is_some() {
                    ready!(self.shared.poll_idle(context));
                }
                return Poll::Ready(Ok(Step::Given));
            }
        }
        Poll::Ready(Ok(Step::Moved))
    }

    /// Until it is known what the client's bytes are; only their end is told.
    fn poll_held(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.shared.upgrade.load(Ordering::Acquire) == UPGRADE_REFUSED {
            self.state = State::Head(Scanner::default());
            return Poll::Ready(Ok(()));
        }
        if !self.inbox.is_empty() {
            // hyper asks again once it has answered.
            return Poll::Pending;
        }
        if ready!(self.poll_fill(context))? == 0 {
            self.state = State::Ended;
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

/// What a step did.
enum Step {
    /// The buffer has what there is, also when that is nothing: the end.
    Given,
    /// Another step is needed.
    Moved,
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.good > 0 {
                self.give(buffer);
                return Poll::Ready(Ok(()));
            }
            if let Step::Given = ready!(self.poll_step(context, buffer))? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let guard = self.get_mut();
        let written = Pin::new(&mut guard.io).poll_write(context, bytes);
        guard.stall.bound(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let guard = self.get_mut();
        let written = Pin::new(&mut guard.io).poll_write_vectored(context, slices);
        guard.stall.bound(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        let flushed = Pin::new(&mut guard.io).poll_flush(context);
        guard.stall.bound(context, flushed)
    }

    /// With TLS there is something to send first.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        let ended = Pin::new(&mut guard.io).poll_shutdown(context);
        guard.stall.bound(context, ended)
    }
}
