//! How long a client may take nothing of what it is sent. Without a bound, one that asks for
//! something large and never reads keeps its connection, and one to an endpoint, for good.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// So long.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    /// Made when the client first lets us wait, and then kept: a large answer waits often.
    timer: Option<Pin<Box<Sleep>>>,
    waits: bool,
}

impl Stall {
    /// What a write came to; an error once the client has let us wait for too long.
    pub(crate) fn bound<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waits = false;
            return written;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(SEND_TIMEOUT)));
        if !std::mem::replace(&mut self.waits, true) {
            timer.as_mut().reset(Instant::now() + SEND_TIMEOUT);
        }
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::{advance, timeout};

    use super::*;
    use crate::guard::Guard;
    use crate::transport::Transport;

    #[tokio::test(start_paused = true)]
    async fn patience_begins_anew_with_all_that_is_taken() {
        let (mut stall, mut seen) = (Stall::default(), Vec::new());
        for (after, taken) in
            [(0, false), (59, false), (0, true), (0, false), (59, false), (2, false), (0, false)]
        {
            advance(Duration::from_secs(after)).await;
            let bound = poll_fn(|context| {
                let written = if taken { Poll::Ready(Ok(())) } else { Poll::Pending };
                Poll::Ready(stall.bound(context, written))
            });
            seen.push(match bound.await {
                Poll::Pending => "waits",
                Poll::Ready(Ok(())) => "goes on",
                Poll::Ready(Err(_)) => "is given up",
            });
        }
        assert_eq!(seen, ["waits", "waits", "goes on", "waits", "waits", "is given up", "is given up"]);
    }

    /// Time moves by itself while everybody waits.
    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let client = TcpStream::connect(address).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a client");
        let mut guard = Guard::new(Transport::Plain(stream));
        let sent = async {
            loop {
                if let Err(error) = guard.write_all(&[0; 4096]).await {
                    return error;
                }
            }
        };
        let error = timeout(2 * SEND_TIMEOUT, sent).await.expect("it ends");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
