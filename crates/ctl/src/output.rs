//! The one module that prints. Colours and live lines only where a person looks on.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::{OwoColorize as _, Style};
use std::time::Duration;

use crate::printable::printable;

/// Makes the place where a live line is drawn.
type Screen = Box<dyn Fn() -> ProgressDrawTarget>;

/// Where a command's words go.
pub(crate) struct Out {
    stdout: Box<dyn Write>,
    stderr: Box<dyn Write>,
    /// The same without a look at what goes through: somebody else's bytes are left as they are.
    plain: Option<(io::Stdout, io::Stderr)>,
    /// What a person looks at, if one does.
    screen: Option<Screen>,
}

impl Out {
    /// The process's own streams. Colours are taken out where no terminal reads them.
    pub(crate) fn real() -> Self {
        Self {
            stdout: Box::new(anstream::stdout()),
            stderr: Box::new(anstream::stderr()),
            plain: Some((io::stdout(), io::stderr())),
            screen: io::stderr().is_terminal().then(|| Box::new(ProgressDrawTarget::stderr) as Screen),
        }
    }

    /// Streams of a test.
    #[cfg(test)]
    pub(crate) fn to(stdout: Box<dyn Write>, stderr: Box<dyn Write>) -> Self {
        Self { stdout, stderr, plain: None, screen: None }
    }

    /// A screen of a test.
    #[cfg(test)]
    pub(crate) fn with_screen(self, screen: impl Fn() -> ProgressDrawTarget + 'static) -> Self {
        Self { screen: Some(Box::new(screen)), ..self }
    }

    /// One line of the answer.
    pub(crate) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.stdout, "{text}")
    }

    /// The answer's own bytes.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stdout.flush()?;
        match &mut self.plain {
            Some((stdout, _)) => pass(stdout, bytes),
            None => pass(&mut self.stdout, bytes),
        }
    }

    /// Bytes of somebody's stderr.
    pub(crate) fn raw_error(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stderr.flush()?;
        match &mut self.plain {
            Some((_, stderr)) => pass(stderr, bytes),
            None => pass(&mut self.stderr, bytes),
        }
    }

    /// A remark that is not part of the answer.
    pub(crate) fn note(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.stderr, "{}", printable(&text.to_string()))
    }

    /// What went wrong, and what to do next.
    pub(crate) fn error(&mut self, text: &str) {
        // Who cannot be told cannot be told that either.
        let text = printable(text);
        let _ = writeln!(self.stderr, "{} {text}", "error:".style(Style::new().red().bold()));
    }

    /// A line that changes in place on a terminal, and is printed once per change elsewhere.
    pub(crate) fn progress(&self) -> Progress {
        let bar = self.screen.as_ref().map(|screen| {
            let style = ProgressStyle::with_template("{spinner} {msg}");
            let bar = ProgressBar::with_draw_target(None, screen())
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Progress { bar, last: String::new() }
    }
}

fn pass(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

/// See [`Out::progress`].
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    last: String,
}

impl Progress {
    /// How far it is.
    pub(crate) fn tell(&mut self, out: &mut Out, text: String) -> io::Result<()> {
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None if self.last == text => {}
            None => {
                out.line(&text)?;
                self.last = text;
            }
        }
        Ok(())
    }

    /// It is over: the live line goes.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A warning, which a server's answer may bring at any time.
pub(crate) fn warning(text: &str) {
    let text = printable(text);
    let _ = writeln!(anstream::stderr(), "{} {text}", "warning:".style(Style::new().yellow()));
}
