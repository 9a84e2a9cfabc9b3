//! The command line, `xctl`: one file per command under `commands/`, one module that
//! prints, and one way for every error to the user: a line that says what to do next.

mod advice;
mod asked;
mod change;
mod chosen;
mod cli;
mod commands;
mod complete;
mod config;
mod dry_run;
mod durations;
mod expiry;
mod flags;
mod help;
mod jsonpath;
mod manifest;
mod merge;
mod only;
mod output;
mod pod_of;
mod printable;
mod process;
mod seen;
mod session;
mod table;
mod terminal;
#[cfg(test)]
mod tests;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::FromArgMatches as _;
use clap::error::ErrorKind;

use cli::{Cli, Command};
use output::Out;

/// What an error exits with.
const FAILED: u8 = 1;

/// Runs one command; the first argument is the program's name, as in `std::env::args_os`.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match parse(args) {
        Ok(cli) => cli,
        Err(error) => return answered(&error, &mut Out::real()),
    };
    let mut out = Out::real();
    let failed = failure(&cli.command);
    let outcome = run(cli, &mut out);
    match outcome {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            out.error(&advice::line(&error));
            ExitCode::from(failed)
        }
    }
}

/// What an error of this command exits with: where 1 says that things differ, it is more.
fn failure(command: &Command) -> u8 {
    match command {
        Command::Diff(_) => FAILED + 1,
        _ => FAILED,
    }
}

/// Reads a command line, the program's name first.
fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let words = flags::plain(help::command(), words);
    help::command().try_get_matches_from(words).and_then(|it| Cli::from_arg_matches(&it))
}

/// Answers a line that is no command.
fn answered(error: &clap::Error, out: &mut Out) -> ExitCode {
    // Help and version are no failures, and `xctl rollout` alone asks what there is.
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Who reads it may have seen enough.
        let _ = out.line(error.render().ansi().to_string().trim_end());
        return ExitCode::SUCCESS;
    }
    out.error(&advice::usage(&error.to_string()));
    ExitCode::from(FAILED)
}

fn run(cli: Cli, out: &mut Out) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(commands::run(cli, out));
    // A read of the terminal that is still under way must not hold the exit up.
    runtime.shutdown_background();
    code
}

/// Who reads our output has seen enough, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
