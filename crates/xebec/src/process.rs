//! A component as a process: logs on stderr, an orderly stop on SIGTERM and SIGINT,
//! and an error as one line.

#![allow(clippy::print_stderr, reason = "a process tells its user why it ends")]

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Runs a component until it ends or is told to.
pub(crate) fn run<F>(name: &str, component: impl FnOnce(CancellationToken) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    let filter =
        EnvFilter::try_from_env("XEBEC_LOG").unwrap_or_else(|_| EnvFilter::new("info,openraft=error"));
    // Colours are for a terminal: in a file they are in the way of whoever searches it.
    let log = tracing_subscriber::fmt().with_ansi(std::io::stderr().is_terminal());
    log.with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    xebec_rpc::tls::install_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return told(Err(anyhow::anyhow!("{name}: no runtime: {error}"))),
    };
    let stop = CancellationToken::new();
    let outcome = runtime.block_on(async {
        tokio::spawn(stop_on_signal(stop.clone()));
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
    fn a_cause_is_told_once() {
        let cause = std::io::Error::other("no space left");
        let told = anyhow::Error::new(cause).context("write /a: no space left: make room").context("start");
        assert_eq!(one_line(&told), "start: write /a: no space left: make room");
    }
}
