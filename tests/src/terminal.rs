//! A terminal of its own for a program that talks with a person: a real pseudo-terminal, whose size a test sets and
//! changes, on which it types, and whose screen it reads.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::pty::{Winsize, openpty};

use crate::waiting::eventually;

/// What a program may take to show or to do something.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program on a terminal. Dropping it ends the program.
pub struct Terminal {
    child: Child,
    /// The program's end. As long as it is open here, the screen does not go with the program.
    end: OwnedFd,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    settings: String,
}

impl Terminal {
    /// Starts a program on a terminal of so many rows and columns, which is its controlling one.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(command: &Command, rows: u16, columns: u16) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).expect("a terminal");
        let settings = stty(&pair.slave, &["-g"]);
        let copy = || Stdio::from(pair.slave.try_clone().expect("a file descriptor"));
        // A session of its own, so that a change of size is told to the program.
        let mut held = Command::new("setsid");
        held.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            held.env(name, value.unwrap_or_default());
        }
        let child = held.stdin(copy()).stdout(copy()).stderr(copy()).spawn();
        let screen = Arc::default();
        let keyboard = File::from(pair.master);
        let reader = keyboard.try_clone().expect("a file descriptor");
        let shown = Arc::clone(&screen);
        thread::spawn(move || show(reader, &shown));
        Self {
            child: child.expect("setsid (packages: util-linux)"),
            end: pair.slave,
            keyboard,
            screen,
            settings,
        }
    }

    /// Types something; a line ends with `\n`.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.replace('\n', "\r").as_bytes()).expect("the terminal is there");
    }

    /// Gives the terminal another size.
    ///
    /// # Panics
    /// When it cannot have it.
    pub fn resize(&self, rows: u16, columns: u16) {
        stty(&self.end, &["rows", &rows.to_string(), "cols", &columns.to_string()]);
    }

    /// Whether the terminal is set as it was before the program: what is typed is shown, lines are edited.
    #[must_use]
    pub fn is_set_as_before(&self) -> bool {
        stty(&self.end, &["-g"]) == self.settings
    }

    /// Everything that was shown so far.
    #[must_use]
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits until this was shown.
    ///
    /// # Panics
    /// When it never is; tells what was.
    pub fn shows(&self, text: &str) {
        eventually(&format!("{text:?} on the terminal"), PATIENCE, || {
            let screen = self.screen();
            ensure!(screen.contains(text), "it shows {screen:?}");
            Ok(())
        });
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    /// When it does not end; tells what it showed.
    pub fn ends(&mut self) -> ExitStatus {
        let (child, screen) = (&mut self.child, &self.screen);
        eventually("the program's end", PATIENCE, || {
            let ended = child.try_wait()?;
            ended.with_context(|| String::from_utf8_lossy(&screen.lock().expect("whole")).into_owned())
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `stty` says of a terminal.
fn stty(end: &OwnedFd, args: &[&str]) -> String {
    let end = end.try_clone().expect("a file descriptor");
    let output = Command::new("stty").args(args).stdin(end).output().expect("stty (packages: coreutils)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Ends with the last end of the terminal.
fn show(mut terminal: File, screen: &Mutex<Vec<u8>>) {
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = terminal.read(&mut chunk) {
        screen.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..length]);
    }
}
