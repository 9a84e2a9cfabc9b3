//! The requests of a call to an agent: what opens it, and what follows.
//!
//! A type of its own, without a lifetime: the compiler cannot see that a boxed stream in a call is `'static` once the
//! call stands in a future that must be `Send`.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};

pub(super) struct Requests<T>(BoxStream<'static, T>);

impl<T: 'static> Requests<T> {
    pub(super) fn of<M: Send + 'static>(
        first: M,
        input: BoxStream<'static, M>,
        request: impl Fn(M) -> T + Send + 'static,
    ) -> Self {
        Self(futures::stream::iter([first]).chain(input).map(request).boxed())
    }
}

impl<T> Stream for Requests<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_next_unpin(cx)
    }
}
