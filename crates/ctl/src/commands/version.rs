//! `version`: this program's and the server's.

use anyhow::Result;

use crate::output::Out;
use crate::session::Session;

/// Shows both; the client's even when no server answers.
pub(crate) async fn run(session: &Session, out: &mut Out) -> Result<()> {
    out.line(format!("client  {}", env!("CARGO_PKG_VERSION")))?;
    let answer = session.client.discover().await?;
    Ok(out.line(format!("server  {}", answer.version))?)
}
