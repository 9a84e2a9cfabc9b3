//! What a connection costs that nobody uses: the proxy's memory with many of them.

use std::net::{TcpListener, TcpStream};

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::row::{HOLD, Row};
use super::service;
use crate::hosts::enter;
use crate::process::Process;
use crate::report::{Report, verdict};
use crate::wait::eventually;

const CONNECTIONS: usize = 3_000;
const GOAL_KIB: f64 = 10.0;

/// Opens them, looks at the proxy's memory, and adds the table.
///
/// # Errors
/// When they cannot be opened.
pub(crate) fn measure(report: &mut Report, row: &Row, proxy: &Process) -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let listener = row.within("server", || TcpListener::bind(("0.0.0.0", HOLD)))??;
    let accepting = std::thread::spawn(move || {
        enter("server")?;
        let held: Vec<TcpStream> = listener.incoming().take(CONNECTIONS).collect::<Result<_, _>>()?;
        anyhow::Ok(held)
    });
    let before = proxy.rss_mib()?;
    let address = service::address(HOLD);
    let open = || (0..CONNECTIONS).map(|_| TcpStream::connect(&address)).collect::<Result<Vec<_>, _>>();
    let held = row.within("client", open)?.context("a connection")?;
    let far = accepting.join().map_err(|_| anyhow::anyhow!("the server panicked"))??;
    let mut each = 0.0;
    eventually("the memory", || {
        each = (proxy.rss_mib()? - before) * 1024.0 / CONNECTIONS as f64;
        Ok(())
    })?;
    report.begin("Memory of the proxy for each idle connection", &["connections", "KiB each", "goal", ""]);
    report.row([
        far.len().to_string(),
        format!("{each:.1}"),
        format!("< {GOAL_KIB}"),
        verdict(each, GOAL_KIB),
    ]);
    drop(held);
    Ok(())
}
