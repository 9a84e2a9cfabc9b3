//! Objects for the masters under test.

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::task::JoinSet;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_client::Client;

/// Objects that are made at the same time.
const WRITERS: usize = 32;

/// Makes an object of whichever kind.
///
/// # Errors
/// What the masters say of it.
pub(crate) async fn create(client: &Client, object: &Value) -> Result<()> {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let row = table::by_kind(text("apiVersion"), text("kind")).context("a kind")?;
    client.create(row, &Object::from_json(object.to_string().as_bytes())?).await?;
    Ok(())
}

/// Makes what `object` gives for each number below `count`.
///
/// # Errors
/// What the masters say of one of them.
pub(crate) async fn create_many(client: &Client, count: usize, object: fn(usize) -> Value) -> Result<()> {
    let mut writers = JoinSet::new();
    for first in 0..WRITERS {
        let client = client.clone();
        writers.spawn(async move {
            for number in (first..count).step_by(WRITERS) {
                create(&client, &object(number)).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    Ok(())
}
