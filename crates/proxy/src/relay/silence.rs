//! Whether an endpoint is gone without a word while something is on its way to it. The kernel
//! would say so by `TCP_USER_TIMEOUT`, but it breaks off what waits for an endpoint that only
//! takes nothing for a while, too. That one is there: it answers whoever asks, and may close
//! its window for as long as it likes (RFC 9293, 3.8.6.1).
#![allow(unsafe_code, reason = "nix has no TCP_INFO")]

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::libc;
use tokio::net::TcpStream;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// One that acknowledges nothing for so long is gone,
const SILENT_MS: u32 = 15_000;
/// if it was sent something, or was asked whether it takes something, so often in vain.
const IN_VAIN: u8 = 3;

/// What the kernel knows of a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Signs {
    /// Since it acknowledged something.
    silent_ms: u32,
    /// How often the same was sent again.
    retransmits: u8,
    /// How often it was asked, while it takes nothing, without an answer.
    probes: u8,
}

impl Signs {
    fn of(stream: &TcpStream) -> io::Result<Self> {
        // SAFETY: the structure is plain numbers, for which zero is a value.
        let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
        let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
        let (socket, into) = (stream.as_raw_fd(), (&raw mut info).cast());
        // SAFETY: the kernel writes no more than `length` bytes into the structure.
        let outcome =
            unsafe { libc::getsockopt(socket, libc::IPPROTO_TCP, libc::TCP_INFO, into, &raw mut length) };
        if outcome < 0 {
            return Err(io::Error::last_os_error());
        }
        let (retransmits, probes) = (info.tcpi_retransmits, info.tcpi_probes);
        Ok(Self { silent_ms: info.tcpi_last_ack_recv, retransmits, probes })
    }

    fn say_gone(self) -> bool {
        self.silent_ms >= SILENT_MS && self.retransmits.max(self.probes) >= IN_VAIN
    }
}

/// Until the peer is gone.
pub(super) async fn gone(stream: &TcpStream) {
    loop {
        tokio::time::sleep(LOOK).await;
        match Signs::of(stream) {
            Ok(signs) if signs.say_gone() => return,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "TCP_INFO"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn who_answers_is_there_and_who_was_not_asked_may_be() {
        let cases = [
            ("an idle one", 3_600_000, 0, 0, false),
            ("one that is asked for the first time after a while", 60_000, 0, 1, false),
            ("one with a closed window that answers", 100, 0, 0, false),
            ("a path that loses a lot", 14_000, 5, 0, false),
            ("one that acknowledges nothing", 15_000, 3, 0, true),
            ("one that went while its window was closed", 15_000, 0, 3, true),
        ];
        for (what, silent_ms, retransmits, probes, gone) in cases {
            assert_eq!(Signs { silent_ms, retransmits, probes }.say_gone(), gone, "{what}");
        }
    }

    /// The peer is there as long as its kernel is, though nobody reads.
    #[tokio::test]
    async fn a_connection_that_is_full_has_no_signs() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        let (_far, _) = listener.accept().await.expect("accepted");
        while near.try_write(&[0; 1 << 16]).is_ok() {}
        let signs = Signs::of(&near).expect("it is known");
        assert!(signs.silent_ms < SILENT_MS && !signs.say_gone(), "{signs:?}");
    }
}
