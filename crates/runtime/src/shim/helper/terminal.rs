//! Terminals: the way of a new one from libcontainer to the shim, and its size.

use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::other;
use crate::TerminalSize;
use crate::shim::fdpass;
use crate::shim::protocol::Failure;

/// Sets a terminal's size, from either of its ends. What is no terminal has none.
pub(in crate::shim) fn set_size(terminal: RawFd, size: TerminalSize) {
    let size = libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the struct lives through the call; a descriptor that is none or no terminal is refused.
    unsafe { libc::ioctl(terminal, libc::TIOCSWINSZ, &size) };
}

/// Waits for the terminal that libcontainer sends to a console socket.
pub(super) struct Console {
    listener: UnixListener,
    pub(super) path: PathBuf,
}

impl Console {
    pub(super) fn listen(path: PathBuf) -> Result<Console, Failure> {
        let listener = UnixListener::bind(&path).map_err(other("making the console socket"))?;
        Ok(Console { listener, path })
    }

    pub(super) fn terminal(self) -> Result<OwnedFd, Failure> {
        let received = self.listener.accept().and_then(|(socket, _)| fdpass::receive(&socket));
        // The socket has served; one that stays goes with its folder.
        let _ = std::fs::remove_file(&self.path);
        let (_, terminal) = received.map_err(other("receiving the terminal"))?;
        terminal.ok_or_else(|| Failure::Other("no terminal came".into()))
    }
}
