//! Bodies on their way through, and what happens at their ends.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Duration, Instant, Sleep, sleep};

use crate::access_log::Record;
use crate::guard::Running;
use crate::streams::Pace;
use crate::upstream::Lease;

/// What goes wrong while a body is passed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// Either side.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// Whoever sends it stopped in the middle.
    #[error("nothing came for {0:?}")]
    Silent(Duration),
}

/// A client that sends nothing of its body for so long is given up.
const UPLOAD_SILENCE: Duration = Duration::from_secs(60);

/// A body as it comes in, which must not stop for too long.
struct Flow {
    body: Incoming,
    silence: Duration,
    /// Made when its sender first lets us wait.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Flow {
    fn new(body: Incoming, silence: Duration) -> Self {
        Self { body, silence, timer: None }
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if let Some(timer) = &mut self.timer {
                timer.as_mut().reset(Instant::now() + self.silence);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        let silence = self.silence;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(silence)));
        timer.as_mut().poll(context).map(|()| Some(Err(BodyError::Silent(silence))))
    }
}

/// How far a request's body has come.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    sent: AtomicBool,
    /// How many parts of it went on to the endpoint.
    parts: AtomicUsize,
    /// The client owes the next one.
    awaited: AtomicBool,
}

impl Upload {
    /// All of it was sent.
    pub(crate) fn is_sent(&self) -> bool {
        self.sent.load(Ordering::Acquire)
    }

    /// See [`Upload::is_stuck`].
    pub(crate) fn parts(&self) -> usize {
        self.parts.load(Ordering::Acquire)
    }

    /// The endpoint has taken nothing since there were so many parts, and not for want of them.
    pub(crate) fn is_stuck(&self, parts: usize) -> bool {
        self.parts() == parts && !self.awaited.load(Ordering::Acquire)
    }
}

/// A request's body, on its way to an endpoint.
pub(crate) struct RequestBody {
    /// `None` when there is none.
    flow: Option<Flow>,
    upload: Arc<Upload>,
}

impl RequestBody {
    pub(crate) fn empty() -> Self {
        let upload = Upload { sent: AtomicBool::new(true), ..Upload::default() };
        Self { flow: None, upload: Arc::new(upload) }
    }

    pub(crate) fn of(body: Incoming) -> Self {
        Self { flow: Some(Flow::new(body, UPLOAD_SILENCE)), upload: Arc::default() }
    }

    /// Goes on to tell how far it is while it is sent.
    pub(crate) fn upload(&self) -> Arc<Upload> {
        Arc::clone(&self.upload)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { flow, upload } = self.get_mut();
        let Some(flow) = flow else { return Poll::Ready(None) };
        let frame = flow.poll_frame(context);
        upload.awaited.store(frame.is_pending(), Ordering::Release);
        let frame = ready!(frame);
        upload.parts.fetch_add(1, Ordering::AcqRel);
        let is_last = match &frame {
            None => true,
            Some(Ok(_)) => flow.body.is_end_stream(),
            Some(Err(_)) => false,
        };
        if is_last {
            upload.sent.store(true, Ordering::Release);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.flow.as_ref().is_none_or(|flow| flow.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.flow.as_ref().map_or_else(|| SizeHint::with_exact(0), |flow| flow.body.size_hint())
    }
}

/// A response's body, on its way to the client.
pub(crate) struct ResponseBody {
    kind: Kind,
    /// The request runs until its answer is sent.
    #[expect(dead_code, reason = "it counts while it lives")]
    running: Option<Running>,
    /// Who watches whether the client takes it.
    pace: Option<Arc<Pace>>,
}

enum Kind {
    /// One of ours.
    Own(Full<Bytes>, Record),
    /// An endpoint's.
    Passed(Box<Passed>),
}

/// An endpoint's body. At its end the connection goes back to the pool; dropped before that,
/// the connection is closed.
struct Passed {
    flow: Flow,
    lease: Option<Lease>,
    record: Record,
}

impl ResponseBody {
    pub(crate) fn passed(body: Incoming, lease: Lease, record: Record, silence: Duration) -> Self {
        let mut passed = Passed { flow: Flow::new(body, silence), lease: Some(lease), record };
        if passed.flow.body.is_end_stream() {
            passed.end();
        }
        Self { kind: Kind::Passed(Box::new(passed)), running: None, pace: None }
    }

    pub(crate) fn own(text: String, record: Record) -> Self {
        Self { kind: Kind::Own(Full::new(Bytes::from(text)), record), running: None, pace: None }
    }

    /// The same, which ends a request.
    pub(crate) fn running(mut self, running: Running) -> Self {
        self.running = Some(running);
        self.pace = Pace::own();
        if let Some(pace) = &self.pace {
            pace.begin();
        }
        self
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if self.pace.as_ref().is_some_and(|pace| pace.is_given_up()) {
            self.kind.record().set_why("the client took nothing of it");
        }
    }
}

impl Kind {
    fn record(&mut self) -> &mut Record {
        match self {
            Self::Own(_, record) => record,
            Self::Passed(passed) => &mut passed.record,
        }
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::Own(body, record) => Pin::new(body).poll_frame(context).map(|frame| {
                let frame = frame?.unwrap_or_else(|never| match never {});
                record.add_bytes(frame.data_ref().map_or(0, Bytes::len));
                Some(Ok(frame))
            }),
            Self::Passed(passed) => passed.poll_frame(context),
        }
    }
}

impl Passed {
    fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.flow.poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                self.record.add_bytes(frame.data_ref().map_or(0, Bytes::len));
                if self.flow.body.is_end_stream() {
                    self.end();
                }
            }
            Some(Err(BodyError::Silent(_))) => self.record.set_why("the endpoint stopped in the middle"),
            Some(Err(BodyError::Http(_))) => self.record.set_why("the endpoint broke off"),
            None => self.end(),
        }
        Poll::Ready(frame)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { kind, pace, .. } = self.get_mut();
        let frame = kind.poll_frame(context);
        if let Some(pace) = pace {
            pace.note(&frame);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Own(body, _) => body.is_end_stream(),
            Kind::Passed(passed) => passed.flow.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Own(body, _) => body.size_hint(),
            Kind::Passed(passed) => passed.flow.body.size_hint(),
        }
    }
}
