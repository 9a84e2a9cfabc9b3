//! Moves bytes between two connections until both directions have ended. Small amounts
//! are copied through a buffer on the stack; once that was filled, everything goes by
//! `splice(2)`, which copies nothing, until a burst is small again. An idle connection holds
//! no buffer.

mod silence;

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};

use nix::fcntl::{SpliceFFlags, splice};
use nix::sys::socket::{Shutdown, shutdown};
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;

use crate::pipes::{PIPE_BYTES, Pipes};

/// What is copied rather than spliced.
const SMALL_BYTES: usize = 8 * 1024;
/// A stream that never waits lets others run after so many turns.
const TURNS: usize = 32;

/// Relays until both sides have said that they are done; the end of one direction is
/// passed on and leaves the other one open.
///
/// # Errors
/// What failed first, also that the endpoint, which is `b`, is gone without a word; then both
/// connections are of no more use.
pub(crate) async fn relay(a: &mut TcpStream, b: &mut TcpStream, pipes: &Pipes) -> io::Result<()> {
    let ((from_a, to_a), (from_b, to_b)) = (a.split(), b.split());
    let ended = AtomicBool::new(false);
    let both = async {
        tokio::try_join!(
            one_way(from_a, to_b.as_ref(), pipes, &ended),
            one_way(from_b, to_a.as_ref(), pipes, &ended)
        )
    };
    tokio::select! {
        biased;
        outcome = both => outcome.map(|_| ()),
        () = silence::gone(to_b.as_ref()) => Err(ErrorKind::TimedOut.into()),
    }
}

/// `ended` says that one of the two ways has: the end of the second needs no words of its
/// own, since both connections are closed with it.
async fn one_way(
    mut from: ReadHalf<'_>,
    to: &TcpStream,
    pipes: &Pipes,
    ended: &AtomicBool,
) -> io::Result<()> {
    let mut bulk = false;
    loop {
        let closed = if bulk {
            from.as_ref().readable().await?;
            let burst = burst(from.as_ref(), to, pipes).await?;
            bulk = burst.moved > SMALL_BYTES;
            burst.closed
        } else {
            match copy(&mut from, to).await? {
                Copied::All => false,
                Copied::Closed => true,
                Copied::Part(rest) => {
                    write_all(to, &rest).await?;
                    false
                }
                Copied::Burst => {
                    let burst = burst(from.as_ref(), to, pipes).await?;
                    bulk = burst.moved > SMALL_BYTES;
                    burst.closed
                }
            }
        };
        if closed {
            return match ended.swap(true, Ordering::Relaxed) {
                true => Ok(()),
                false => pass_end_on(to),
            };
        }
    }
}

/// What still comes the other way goes on.
fn pass_end_on(to: &TcpStream) -> io::Result<()> {
    match shutdown(to.as_raw_fd(), Shutdown::Write) {
        Ok(()) | Err(nix::Error::ENOTCONN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

enum Copied {
    All,
    /// What the receiver did not take at once.
    Part(Vec<u8>),
    /// All, and the buffer was full: there is more.
    Burst,
    Closed,
}

/// Waits for bytes and copies them. The buffer lives only while there is something in it:
/// it is on the stack of one poll.
async fn copy(from: &mut ReadHalf<'_>, to: &TcpStream) -> io::Result<Copied> {
    std::future::poll_fn(|context| {
        let mut storage = [MaybeUninit::uninit(); SMALL_BYTES];
        let mut buffer = ReadBuf::uninit(&mut storage);
        ready!(Pin::new(&mut *from).poll_read(context, &mut buffer))?;
        Poll::Ready(pass_on(buffer.filled(), to))
    })
    .await
}

fn pass_on(bytes: &[u8], to: &TcpStream) -> io::Result<Copied> {
    if bytes.is_empty() {
        return Ok(Copied::Closed);
    }
    let written = match to.try_write(bytes) {
        Ok(written) => written,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    Ok(match written == bytes.len() {
        false => Copied::Part(bytes[written..].to_vec()),
        true if written == SMALL_BYTES => Copied::Burst,
        true => Copied::All,
    })
}

async fn write_all(to: &TcpStream, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        to.writable().await?;
        match to.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a sender had at once.
#[derive(Clone, Copy, Debug, Default)]
struct Burst {
    moved: usize,
    closed: bool,
}

/// Splices until the sender has nothing more for now. Without a pipe, when no file descriptors
/// are left, nothing is moved, and what comes is copied.
async fn burst(from: &TcpStream, to: &TcpStream, pipes: &Pipes) -> io::Result<Burst> {
    let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
    let mut burst = Burst::default();
    let Ok(mut pipe) = pipes.take() else { return Ok(burst) };
    for turn in 1.. {
        let filled = from.try_io(Interest::READABLE, || {
            Ok(splice(from, None, pipe.write_end(), None, PIPE_BYTES, flags)?)
        });
        match filled {
            Ok(0) => {
                burst.closed = true;
                break;
            }
            Ok(moved) => {
                pipe.pending = moved;
                burst.moved = burst.moved.saturating_add(moved);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
        while pipe.pending > 0 {
            let drained = to.try_io(Interest::WRITABLE, || {
                Ok(splice(pipe.read_end(), None, to, None, pipe.pending, flags)?)
            });
            match drained {
                Ok(moved) => pipe.pending -= moved,
                Err(error) if error.kind() == ErrorKind::WouldBlock => to.writable().await?,
                Err(error) => return Err(error),
            }
        }
        if turn % TURNS == 0 {
            tokio::task::yield_now().await;
        }
    }
    Ok(burst)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        (near.expect("connected"), far.expect("accepted").0)
    }

    /// 3 MiB each way at once, then a half-close: all arrives, and the other direction
    /// stays open until its own end.
    #[tokio::test]
    async fn bytes_arrive_in_both_directions_and_a_half_close_is_passed_on() {
        carry(Pipes::default()).await;
    }

    #[tokio::test]
    async fn bytes_arrive_without_a_pipe() {
        carry(Pipes::of_nothing()).await;
    }

    async fn carry(pipes: Pipes) {
        let ((client, mut a), (mut b, server)) = (pair().await, pair().await);
        let relayed = tokio::spawn(async move { relay(&mut a, &mut b, &pipes).await });
        let data: Vec<u8> = (0..3 << 20).map(|i: u32| i.to_le_bytes()[1]).collect();
        let answer: Vec<u8> = data.iter().rev().copied().collect();
        let (mut client_read, mut client_write) = client.into_split();
        let (mut server_read, mut server_write) = server.into_split();
        let sent = data.clone();
        let sending = tokio::spawn(async move {
            client_write.write_all(&sent).await.expect("sent");
            client_write.shutdown().await.expect("half-closed");
        });
        let answered = answer.clone();
        let serving = tokio::spawn(async move {
            let mut got = Vec::new();
            server_read.read_to_end(&mut got).await.expect("received");
            server_write.write_all(&answered).await.expect("answered");
            got
        });
        let mut got = Vec::new();
        client_read.read_to_end(&mut got).await.expect("received");
        sending.await.expect("sent");
        assert!(serving.await.expect("served") == data && got == answer);
        relayed.await.expect("joined").expect("relayed");
    }
}
