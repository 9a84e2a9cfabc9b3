//! `api-resources`: the kinds that the server has.

use anyhow::Result;

use crate::output::Out;
use crate::session::Session;
use crate::table;

/// Lists them.
pub(crate) async fn run(session: &Session, out: &mut Out) -> Result<()> {
    let answer = session.client.discover().await?;
    let mut rows: Vec<Vec<String>> = answer
        .resources
        .into_iter()
        .map(|kind| {
            let version =
                if kind.group.is_empty() { kind.version } else { format!("{}/{}", kind.group, kind.version) };
            vec![kind.resource, kind.short_names.join(","), version, kind.namespaced.to_string(), kind.kind]
        })
        .collect();
    rows.sort();
    for line in table::lines(&["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"], &rows) {
        out.line(line)?;
    }
    Ok(())
}
