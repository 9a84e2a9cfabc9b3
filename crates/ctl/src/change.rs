//! A change that depends on what an object is: it is read, changed and written back, and
//! all of that once more where somebody else was faster.

use anyhow::{Result, bail};
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::Reason;

use crate::session::{Session, reference};

/// How often it is tried.
const MOST_CONFLICTS: usize = 5;

/// Changes an object; `None` where there was nothing to change.
///
/// # Errors
/// What `by` refuses, or the API.
pub(crate) async fn change(
    session: &Session,
    row: &'static Resource,
    name: &str,
    by: impl Fn(&mut Object) -> Result<()>,
) -> Result<Option<Object>> {
    for _ in 0..MOST_CONFLICTS {
        let present = session.client.get(row, session.namespace_of(row), name).await?;
        let mut wanted = present.clone();
        by(&mut wanted)?;
        if wanted == present {
            return Ok(None);
        }
        match session.client.update(row, &wanted).await {
            Ok(changed) => return Ok(Some(changed)),
            Err(error) if error.reason == Reason::Conflict => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("{} changes all the time: try again", reference(row, name))
}
