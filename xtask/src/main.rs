//! `cargo xtask`: what a contributor runs beside cargo itself.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod headers;
mod layering;
mod licences;
mod verify;

use std::process::ExitCode;

use clap::Parser;

/// The project's own chores.
#[derive(Parser)]
enum Chore {
    /// Format, clippy, layering, file headers, licences, docs. Changes nothing.
    Verify,
}

fn main() -> ExitCode {
    let outcome = match Chore::parse() {
        Chore::Verify => verify::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
