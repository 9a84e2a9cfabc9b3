//! A client of raw bytes: what curl would put right is sent as it is.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that is kept for many exchanges.
pub(crate) struct Kept(TcpStream);

impl Kept {
    pub(crate) fn connect(node: &str, port: u16) -> Result<Self> {
        let address: SocketAddr = format!("{node}:{port}").parse()?;
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }

    /// Sends a request; gives the head and the body of its answer.
    pub(crate) fn exchange(&mut self, request: &str) -> Result<(String, String)> {
        self.0.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            ensure!(
                self.0.read(&mut byte)? == 1,
                "the connection ended after {:?}",
                String::from_utf8_lossy(&head)
            );
            head.push(byte[0]);
        }
        let head = String::from_utf8(head)?;
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.0.read_exact(&mut body)?;
        Ok((head, String::from_utf8(body)?))
    }

    /// Sends bytes; gives as many back.
    pub(crate) fn echo(&mut self, bytes: &str) -> Result<String> {
        self.0.write_all(bytes.as_bytes())?;
        let mut back = vec![0; bytes.len()];
        self.0.read_exact(&mut back)?;
        Ok(String::from_utf8(back)?)
    }
}

/// Everything that comes back for raw bytes until the server closes.
pub(crate) fn raw(node: &str, port: u16, bytes: &str) -> Result<String> {
    let mut kept = Kept::connect(node, port)?;
    // The server may have answered and closed before all of it was taken.
    let _ = kept.0.write_all(bytes.as_bytes());
    let mut all = Vec::new();
    match kept.0.read_to_end(&mut all) {
        Err(error) if all.is_empty() => Err(error).context("no answer"),
        _ => Ok(String::from_utf8_lossy(&all).into_owned()),
    }
}
