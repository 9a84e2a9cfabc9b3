//! `set image`: `CONTAINER=IMAGE`, or `*=IMAGE` for every container.

use anyhow::{Result, bail};
use serde_json::Value;
use xebec_api::object::Object;

use super::containers;

pub(super) fn is_change(word: &str) -> bool {
    word.contains('=')
}

/// Containers and their images.
pub(super) fn read(changes: &[String]) -> Result<Vec<(String, String)>> {
    if changes.is_empty() {
        bail!("at least one image update is required: CONTAINER=IMAGE");
    }
    let read = |change: &String| match change.split_once('=') {
        Some((container, image)) if !container.is_empty() && !image.is_empty() => {
            Ok((container.to_owned(), image.to_owned()))
        }
        _ => bail!("{change:?}: write CONTAINER=IMAGE"),
    };
    changes.iter().map(read).collect()
}

/// Sets them.
pub(super) fn set(object: &mut Object, images: &[(String, String)]) -> Result<()> {
    for (container, image) in images {
        for container in containers(object, container)? {
            container["image"] = Value::String(image.clone());
        }
    }
    Ok(())
}
