//! Moves bytes between two connections until both directions have ended. Small amounts
//! are copied through a buffer on the stack; once that was filled, the rest of the burst
//! goes by `splice(2)`, which copies nothing. An idle connection holds no buffer.

use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;

use nix::fcntl::{SpliceFFlags, splice};
use nix::sys::socket::{Shutdown, shutdown};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::pipes::{PIPE_BYTES, Pipes};

/// What is copied rather than spliced.
const SMALL_BYTES: usize = 8 * 1024;
/// A stream that never waits lets others run after so many turns.
const TURNS: usize = 32;

/// Relays until both sides have said that they are done; the end of one direction is
/// passed on and leaves the other one open.
///
/// # Errors
/// What failed first; then both connections are of no more use.
pub(crate) async fn relay(a: &TcpStream, b: &TcpStream, pipes: &Pipes) -> io::Result<()> {
    tokio::try_join!(one_way(a, b, pipes), one_way(b, a, pipes))?;
    Ok(())
}

async fn one_way(from: &TcpStream, to: &TcpStream, pipes: &Pipes) -> io::Result<()> {
    loop {
        from.readable().await?;
        let closed = match copy(from, to)? {
            Copied::Nothing | Copied::All => false,
            Copied::Closed => true,
            Copied::Part(rest) => {
                write_all(to, &rest).await?;
                false
            }
            Copied::Burst => burst(from, to, pipes).await?,
        };
        if closed {
            return match shutdown(to.as_raw_fd(), Shutdown::Write) {
                Ok(()) | Err(nix::Error::ENOTCONN) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
    }
}

enum Copied {
    Nothing,
    All,
    /// What the receiver did not take at once.
    Part(Vec<u8>),
    /// All, and the buffer was full: there is more.
    Burst,
    Closed,
}

fn copy(from: &TcpStream, to: &TcpStream) -> io::Result<Copied> {
    let mut buffer = [0; SMALL_BYTES];
    let read = match from.try_read(&mut buffer) {
        Ok(0) => return Ok(Copied::Closed),
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Copied::Nothing),
        Err(error) => return Err(error),
    };
    let written = match to.try_write(&buffer[..read]) {
        Ok(written) => written,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    Ok(match written == read {
        false => Copied::Part(buffer[written..read].to_vec()),
        true if read == SMALL_BYTES => Copied::Burst,
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

/// Splices until the sender has nothing more for now; says whether it has closed.
async fn burst(from: &TcpStream, to: &TcpStream, pipes: &Pipes) -> io::Result<bool> {
    let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
    let mut pipe = pipes.take()?;
    for turn in 1.. {
        let filled = from.try_io(Interest::READABLE, || {
            Ok(splice(from, None, pipe.write_end(), None, PIPE_BYTES, flags)?)
        });
        match filled {
            Ok(0) => return Ok(true),
            Ok(moved) => pipe.pending = moved,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
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
    Ok(false)
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
        let ((client, a), (b, server)) = (pair().await, pair().await);
        let pipes = Pipes::default();
        let relayed = tokio::spawn(async move { relay(&a, &b, &pipes).await });
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
