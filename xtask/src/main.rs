//! `cargo xtask`: what a contributor runs beside cargo itself.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod bench;
mod facts;
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
    /// Write the table of facts about Kubernetes' objects anew. Needs `go` and the network.
    Facts,
    /// Measure speed and size of the release binary, beside its peers. Needs root.
    Bench {
        /// What `xebec-bench` takes: subjects, --rounds, --seconds.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Chore::parse() {
        Chore::Verify => verify::run(),
        Chore::Facts => facts::run(),
        Chore::Bench { args } => bench::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
