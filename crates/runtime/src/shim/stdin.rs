//! The writing end of a process's stdin, with what the process has not taken yet.
//!
//! It never blocks. Whoever fills it stops at [`STDIN_BYTES`]; what comes after its end is dropped.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// Above this, a process that does not read its stdin is no longer sent any.
pub(super) const STDIN_BYTES: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Stdin {
    file: Option<File>,
    buffer: Vec<u8>,
    ended: bool,
}

impl Stdin {
    /// Writes to this descriptor, which must not block.
    pub(super) fn to(file: File) -> Stdin {
        Stdin { file: Some(file), ..Stdin::default() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.file.is_some() && !self.ended {
            self.buffer.extend_from_slice(bytes);
        }
        self.flush();
    }

    /// No more comes: it is closed once all is written.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.flush();
    }

    /// It is closed now, whatever is left.
    pub(super) fn close(&mut self) {
        *self = Stdin::default();
    }

    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= STDIN_BYTES
    }

    /// What to wait for before the next [`Stdin::flush`].
    pub(super) fn waiting(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().filter(|_| !self.buffer.is_empty()).map(AsFd::as_fd)
    }

    /// Writes what the process takes.
    pub(super) fn flush(&mut self) {
        let Some(file) = &mut self.file else { return };
        while !self.buffer.is_empty() {
            match file.write(&self.buffer) {
                Ok(written) => {
                    self.buffer.drain(..written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.buffer.clear();
                    self.ended = true;
                }
            }
        }
        if self.ended {
            self.file = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    use nix::fcntl::OFlag;

    fn pipe() -> (File, Stdin) {
        let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).expect("a pipe");
        (read.into(), Stdin::to(write.into()))
    }

    fn drain(from: &mut File) -> usize {
        let mut found = Vec::new();
        // It ends with an error where nothing is left and the other end is open.
        let _ = from.read_to_end(&mut found);
        found.len()
    }

    #[test]
    fn everything_arrives_before_the_end() {
        let (mut near, mut stdin) = pipe();
        stdin.push(&vec![7; 200_000]);
        stdin.end();
        stdin.push(b"late");
        let mut found = 0;
        while stdin.waiting().is_some() {
            found += drain(&mut near);
            stdin.flush();
        }
        assert_eq!(found + drain(&mut near), 200_000);
        assert_eq!(near.read(&mut [0; 1]).expect("its end"), 0);
    }

    #[test]
    fn a_reader_that_is_gone_costs_nothing() {
        let (near, mut stdin) = pipe();
        drop(near);
        stdin.push(&vec![7; 2 * STDIN_BYTES]);
        assert!(!stdin.is_full() && stdin.waiting().is_none());
    }
}
