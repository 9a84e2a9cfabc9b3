//! The terminal that we were started on: its size, and passing every key on.

use rustix::stdio;
use rustix::termios::{self, OptionalActions, Termios};
use xebec_rpc::v1::TerminalSize;

/// Whether a person types.
pub(crate) fn is_there() -> bool {
    termios::isatty(stdio::stdin())
}

/// The size of the terminal that shows our output, where it is one.
pub(crate) fn size() -> Option<TerminalSize> {
    let size = termios::tcgetwinsize(stdio::stdout()).or_else(|_| termios::tcgetwinsize(stdio::stdin()));
    let size = size.ok().filter(|size| size.ws_col > 0 && size.ws_row > 0)?;
    Some(TerminalSize { columns: size.ws_col.into(), rows: size.ws_row.into() })
}

/// Our terminal passes every key on, until this is dropped.
pub(crate) struct Raw(Termios);

impl Raw {
    /// Nothing where our input is no terminal.
    pub(crate) fn enter() -> Option<Self> {
        let before = termios::tcgetattr(stdio::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        termios::tcsetattr(stdio::stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs no setting back.
        let _ = termios::tcsetattr(stdio::stdin(), OptionalActions::Now, &self.0);
    }
}
