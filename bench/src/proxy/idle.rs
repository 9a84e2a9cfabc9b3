//! What a connection costs that nobody uses: the proxy's memory with many of them.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::row::{HOLD, Row};
use super::service;
use crate::hosts::enter;
use crate::process::Process;
use crate::report::{Report, verdict};
use crate::wait::eventually;

const CONNECTIONS: usize = 3_000;
/// Connections that are not accepted yet: fewer than what waits at a listener of the standard library.
const UNDER_WAY: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);
const GOAL_KIB: f64 = 10.0;

/// Opens them, looks at the proxy's memory, and adds the table.
///
/// # Errors
/// When they cannot be opened.
pub(crate) fn measure(report: &mut Report, row: &Row, proxy: &Process) -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let listener = row.within("server", || TcpListener::bind(("0.0.0.0", HOLD)))??;
    let (told, accepted) = mpsc::channel();
    let accepting = std::thread::spawn(move || {
        enter("server")?;
        let held = listener.incoming().take(CONNECTIONS).inspect(|_| {
            // Who opens them waits for no word of the last ones.
            let _ = told.send(());
        });
        anyhow::Ok(held.collect::<io::Result<Vec<TcpStream>>>()?)
    });
    let before = proxy.rss_mib()?;
    let address = service::address(HOLD);
    let open = move |number| {
        // More at once would fill the server's queue, and it would forget some.
        if number >= UNDER_WAY {
            accepted.recv_timeout(PATIENCE).context("the server accepted no connection in time")?;
        }
        Ok(TcpStream::connect(&address)?)
    };
    let held = row.within("client", || (0..CONNECTIONS).map(open).collect::<Result<Vec<_>>>())?;
    let held = held.context("a connection")?;
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
