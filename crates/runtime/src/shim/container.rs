//! A container that this shim started: its state, and its output on the way into its log.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use jiff::Timestamp;
use nix::sys::signal::Signal;

use super::log::CriLog;
use super::stdin::Stdin;
use crate::{ContainerPhase, ContainerState};

pub(super) struct Container {
    /// Names it in the shim; ids may come again after a removal.
    pub(super) serial: u64,
    pub(super) state: ContainerState,
    log: CriLog,
    outputs: Vec<Output>,
    /// The terminal's master, for as long as it runs.
    pub(super) terminal: Option<File>,
    /// Kept open until the container ends, or whoever attached first has left where it is opened only once.
    pub(super) stdin: Stdin,
    /// It has a stdin at all.
    pub(super) takes_stdin: bool,
    /// Its stdin ends with the first who attaches to it.
    pub(super) stdin_once: bool,
    /// The connections that get its output as it comes.
    pub(super) attached: Vec<u64>,
    /// What the image wants instead of SIGTERM.
    pub(super) stop_signal: Option<Signal>,
    /// Who waits for its removal.
    pub(super) removing: Vec<u64>,
}

/// A stream that is still open: 0 is stdout, 1 is stderr.
struct Output {
    stream: usize,
    file: File,
}

impl Container {
    pub(super) fn new(serial: u64, state: ContainerState, log: CriLog) -> Container {
        Container {
            serial,
            state,
            log,
            outputs: Vec::new(),
            terminal: None,
            stdin: Stdin::default(),
            takes_stdin: false,
            stdin_once: false,
            attached: Vec::new(),
            stop_signal: None,
            removing: Vec::new(),
        }
    }

    /// Adds a stream, whose descriptor must not block.
    pub(super) fn add_output(&mut self, stream: usize, file: File) {
        self.outputs.push(Output { stream, file });
    }

    pub(super) fn is_running(&self) -> bool {
        self.state.phase == ContainerPhase::Running
    }

    pub(super) fn outputs(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        self.outputs.iter().map(|output| (output.stream, output.file.as_fd()))
    }

    /// Moves what a stream has into the log and into the buffer; how much that was. A stream at its end is closed.
    pub(super) fn pump(&mut self, stream: usize, buffer: &mut [u8]) -> usize {
        let Some(position) = self.outputs.iter().position(|output| output.stream == stream) else { return 0 };
        match self.outputs[position].file.read(buffer) {
            Ok(0) => {}
            Ok(read) => {
                // A log that cannot be written must not stop the container: its output is dropped.
                let _ = self.log.push(stream, &buffer[..read], Timestamp::now());
                return read;
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return 0;
            }
            // A terminal says so when its last user is gone.
            Err(_) => {}
        }
        self.outputs.remove(position);
        0
    }

    /// It has ended, and its streams were pumped empty: they are closed, whoever else holds them.
    pub(super) fn end(&mut self, code: i32, signal: Option<i32>, oom_killed: bool) {
        self.outputs.clear();
        // As above.
        let _ = self.log.finish(Timestamp::now());
        self.terminal = None;
        self.stdin.close();
        self.state.pid = 0;
        self.state.phase = ContainerPhase::Exited { code, signal, finished_at: Timestamp::now(), oom_killed };
    }
}

/// An image's stop signal: `SIGQUIT`, `QUIT` or `3`. One that is none counts as absent.
pub(super) fn parse_signal(text: &str) -> Option<Signal> {
    if let Ok(number) = text.parse::<i32>() {
        return Signal::try_from(number).ok();
    }
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_signals_are_names_or_numbers() {
        let parsed = ["SIGQUIT", "quit", "3", "", "SIGNOPE", "0", "-1"].map(parse_signal);
        let quit = Some(Signal::SIGQUIT);
        assert_eq!(parsed, [quit, quit, quit, None, None, None, None]);
    }
}
