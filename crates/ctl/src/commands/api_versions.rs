//! `api-versions`: the groups and versions that the server has.

use anyhow::Result;

use crate::output::Out;
use crate::session::Session;

/// Lists them.
pub(crate) async fn run(session: &Session, out: &mut Out) -> Result<()> {
    let kinds = session.client.discover().await?.resources;
    let version = |group: &str, version: &str| {
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
    };
    let mut versions: Vec<String> = kinds.iter().map(|kind| version(&kind.group, &kind.version)).collect();
    versions.sort();
    versions.dedup();
    for version in versions {
        out.line(version)?;
    }
    Ok(())
}
