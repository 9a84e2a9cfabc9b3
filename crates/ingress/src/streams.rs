//! How long a client may take nothing of one HTTP/2 answer while its connection is alive: what is sent
//! to the socket (see `stall`) says nothing of a single stream. hyper asks a body for nothing while the
//! client gives its stream no room, so each request is a task that looks at its answer from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::sleep;

/// So long, or up to twice that. A part of an answer has up to 64 KiB, of which a slow client takes only
/// little at a time: it has longer than a whole connection that takes nothing.
pub(crate) const STREAM_TIMEOUT: Duration = Duration::from_secs(180);

tokio::task_local! {
    static PACE: Arc<Pace>;
}

/// Runs the requests of a connection, and ends those whose answers nobody takes: their streams are reset.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Streams;

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, request: F) {
        let pace = Arc::<Pace>::default();
        let answered = PACE.scope(Arc::clone(&pace), request);
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = answered => {}
                () = pace.stuck() => {}
            }
        });
    }
}

/// How an answer comes along.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// What hyper was given of it: its head, and parts of its body.
    parts: AtomicUsize,
    /// The endpoint owes the next one.
    awaited: AtomicBool,
    given_up: AtomicBool,
}

impl Pace {
    /// That of the request which asks; none where it is the connection that waits, as in HTTP/1.
    pub(crate) fn own() -> Option<Arc<Self>> {
        PACE.try_with(Arc::clone).ok()
    }

    /// The head is there.
    pub(crate) fn begin(&self) {
        self.parts.fetch_add(1, Ordering::AcqRel);
    }

    /// What hyper was told when it asked for a part.
    pub(crate) fn note<T>(&self, part: &Poll<T>) {
        self.awaited.store(part.is_pending(), Ordering::Release);
        if part.is_ready() {
            self.parts.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Whether the request was ended for the sake of this.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }

    /// Until the client has taken nothing for too long, though there was something.
    async fn stuck(&self) {
        loop {
            let parts = self.parts.load(Ordering::Acquire);
            sleep(STREAM_TIMEOUT).await;
            let moved = self.parts.load(Ordering::Acquire) != parts;
            if parts > 0 && !moved && !self.awaited.load(Ordering::Acquire) {
                return self.given_up.store(true, Ordering::Release);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    /// Whether an answer is given up that stays as it is.
    async fn is_stuck(pace: &Pace) -> bool {
        timeout(3 * STREAM_TIMEOUT, pace.stuck()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_the_client_owes_counts() {
        let pace = Pace::default();
        assert!(!is_stuck(&pace).await, "the endpoint has not answered yet");
        pace.begin();
        pace.note::<()>(&Poll::Pending);
        assert!(!is_stuck(&pace).await, "the endpoint owes a part");
        pace.note(&Poll::Ready(()));
        let slow = async {
            for _ in 0..10 {
                advance(STREAM_TIMEOUT / 2).await;
                pace.note(&Poll::Ready(()));
            }
        };
        tokio::select! {
            biased;
            () = pace.stuck() => panic!("it moves"),
            () = slow => {}
        }
        assert!(!pace.is_given_up());
        assert!(is_stuck(&pace).await && pace.is_given_up());
    }
}
