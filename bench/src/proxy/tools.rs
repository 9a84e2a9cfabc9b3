//! Load generators of others, and waiting for what was started.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::row::Row;

const PATIENCE: Duration = Duration::from_secs(10);

/// Looks again and again until it is so.
///
/// # Errors
/// With the last reason, when it takes too long.
pub(crate) fn eventually(what: &str, mut look: impl FnMut() -> Result<()>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => bail!("{what}: {error:#}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Gbit/s that iperf3's server received.
///
/// # Errors
/// When it cannot connect, or says nothing that can be read.
pub(crate) fn iperf(row: &Row, address: &str, streams: u32, seconds: u64) -> Result<f64> {
    let (host, port) = address.split_once(':').context("host:port")?;
    let (streams, seconds) = (streams.to_string(), seconds.to_string());
    let arguments = ["-c", host, "-p", port, "-P", &streams, "-t", &seconds, "-O", "1", "-J"];
    let output = row.command("client", "iperf3").args(arguments).output()?;
    let said: Value = serde_json::from_slice(&output.stdout)?;
    let bits = said.pointer("/end/sum_received/bits_per_second").and_then(Value::as_f64);
    Ok(bits.with_context(|| format!("iperf3 {address}: {}", said["error"]))? / 1e9)
}

/// What wrk saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Http {
    /// Requests per second.
    pub(crate) rate: f64,
    /// Half of the answers came within so many microseconds.
    pub(crate) p50_us: f64,
}

/// Requests of so many connections; with `close`, each on a connection of its own.
///
/// # Errors
/// When wrk fails or any request does.
pub(crate) fn wrk(row: &Row, address: &str, connections: u32, close: bool, seconds: u64) -> Result<Http> {
    let threads = connections.min(2);
    let mut command = row.command("client", "wrk");
    command.args(["--latency", "-t", &threads.to_string(), "-c", &connections.to_string()]);
    command.args(["-d", &format!("{seconds}s")]);
    if close {
        command.args(["-H", "Connection: close"]);
    }
    let output = command.arg(format!("http://{address}/")).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success() && !text.contains("Non-2xx"), "wrk {address}: {text}");
    let value = |label: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
        line.map(|rest| rest.trim().to_owned()).with_context(|| format!("{label} in {text}"))
    };
    Ok(Http { rate: value("Requests/sec:")?.parse()?, p50_us: microseconds(&value("50%")?)? })
}

/// wrk's `45.00us`, `1.20ms` or `2.00s`.
fn microseconds(text: &str) -> Result<f64> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let factor = match &text[digits.len()..] {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        unit => bail!("{unit} is no unit of time"),
    };
    Ok(digits.parse::<f64>()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_wrk_are_read() {
        let read = |text| microseconds(text).expect("a time");
        assert_eq!((read("45.50us"), read("1.20ms"), read("2s")), (45.5, 1200.0, 2e6));
        assert!(microseconds("7 days").is_err());
    }
}
