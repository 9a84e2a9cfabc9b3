//! A component as a process: logs on stderr, an orderly stop on SIGTERM and SIGINT,
//! and an error as one line.

#![allow(clippy::print_stderr, reason = "a process tells its user why it ends")]

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::settle;

/// How many threads a component's tasks share.
#[derive(Clone, Copy)]
pub(crate) enum Threads {
    /// Two, so that one that computes for long does not hold up the others.
    Two,
    /// As many, but one where there is one core: there two would only wake each other up.
    ByCores,
}

impl Threads {
    /// For a process that may use so many cores, by its affinity and its cgroup.
    fn runtime(self, cores: usize) -> std::io::Result<Runtime> {
        let mut builder = match self {
            Self::ByCores if cores == 1 => Builder::new_current_thread(),
            Self::ByCores | Self::Two => Builder::new_multi_thread(),
        };
        // One thread is no worker: the number is for those that have any.
        builder.worker_threads(2).enable_all().build()
    }
}

/// Runs a component until it ends or is told to.
pub(crate) fn run<F>(name: &str, threads: Threads, component: impl FnOnce(CancellationToken) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    let filter =
        EnvFilter::try_from_env("XEBEC_LOG").unwrap_or_else(|_| EnvFilter::new("info,openraft=error"));
    // Colours are for a terminal: in a file they are in the way of whoever searches it.
    let log = tracing_subscriber::fmt().with_ansi(std::io::stderr().is_terminal());
    log.with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    xebec_rpc::tls::install_provider();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = match threads.runtime(cores) {
        Ok(runtime) => runtime,
        Err(error) => return told(Err(anyhow::anyhow!("{name}: no runtime: {error}"))),
    };
    let stop = CancellationToken::new();
    let outcome = runtime.block_on(async {
        tokio::spawn(stop_on_signal(stop.clone()));
        tokio::spawn(settle::now_and_then());
        component(stop).await
    });
    runtime.shutdown_timeout(Duration::from_secs(2));
    told(outcome)
}

/// An outcome as an exit code, with the error and its causes on stderr.
pub(crate) fn told(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, without those that it tells of itself.
fn one_line(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

async fn stop_on_signal(stop: CancellationToken) {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    if let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_core_gets_one_thread_where_that_is_as_good() {
        use tokio::runtime::RuntimeFlavor::{CurrentThread, MultiThread};
        let flavor =
            |threads: Threads, cores| threads.runtime(cores).expect("a runtime").handle().runtime_flavor();
        assert_eq!(flavor(Threads::ByCores, 1), CurrentThread);
        assert_eq!((flavor(Threads::ByCores, 2), flavor(Threads::Two, 1)), (MultiThread, MultiThread));
    }

    #[test]
    fn a_cause_is_told_once() {
        let cause = std::io::Error::other("no space left");
        let told = anyhow::Error::new(cause).context("write /a: no space left: make room").context("start");
        assert_eq!(one_line(&told), "start: write /a: no space left: make room");
    }
}
