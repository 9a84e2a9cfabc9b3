//! Whether a connection is used: how many of its requests are in work, a watch counted for as long
//! as it lasts, and since when there are none. Signs of life of the transport are no use.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

/// Of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity(Mutex<Uses>);

#[derive(Debug, Default)]
struct Uses {
    in_work: usize,
    /// When the last request ended.
    ended: Option<Instant>,
}

/// A request in work, until it is dropped.
#[derive(Debug)]
pub(super) struct InWork(Arc<Activity>);

impl Activity {
    pub(super) fn begin(self: &Arc<Self>) -> InWork {
        self.uses().in_work += 1;
        InWork(self.clone())
    }

    /// Waits until nothing was in work for long enough: `first` from now on where nothing ever was,
    /// `between` after a request.
    pub(super) async fn idle(&self, first: Duration, between: Duration) {
        let began = Instant::now();
        loop {
            let until = match &*self.uses() {
                Uses { in_work: 0, ended: None } => began + first,
                Uses { in_work: 0, ended: Some(ended) } => began.max(*ended) + between,
                // Asked again then, so that a request costs a count and wakes nobody.
                Uses { .. } => Instant::now() + between,
            };
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InWork {
    /// The body of the request's answer: the request is in work until that is sent or given up.
    pub(super) fn until_sent(self, body: Body) -> Body {
        Body::new(Sent { body, _request: self })
    }
}

impl Drop for InWork {
    fn drop(&mut self) {
        let mut uses = self.0.uses();
        uses.in_work -= 1;
        uses.ended = Some(Instant::now());
    }
}

/// A body that keeps its request in work.
struct Sent {
    body: Body,
    _request: InWork,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(30);
    const BETWEEN: Duration = Duration::from_secs(90);

    /// After how many seconds it was idle.
    async fn idle_after(activity: Arc<Activity>) -> u64 {
        let began = Instant::now();
        activity.idle(FIRST, BETWEEN).await;
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_asks_is_waited_for_less_than_who_has_asked() {
        assert_eq!(idle_after(Arc::default()).await, 30);
        let activity = Arc::new(Activity::default());
        let waiting = tokio::spawn(idle_after(activity.clone()));
        tokio::time::sleep(Duration::from_secs(10)).await;
        let request = activity.begin();
        tokio::time::sleep(Duration::from_secs(1000)).await;
        assert!(!waiting.is_finished(), "a request may last");
        drop(activity.begin());
        drop(request.until_sent(Body::from("text")));
        assert_eq!(waiting.await.expect("no panic"), 1100);
        assert_eq!(idle_after(activity).await, 90, "from when it is asked");
    }
}
