//! iperf3 as a load generator.

use anyhow::{Context, Result};
use serde_json::Value;

use super::row::Row;

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
