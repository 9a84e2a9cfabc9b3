//! `create quota`: how much the objects of a namespace may take together.

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::{Map, Value, json};
use xebec_api::object::Object;

use super::shell;
use crate::only::OnlyArgs;

#[derive(Args)]
pub(crate) struct QuotaArgs {
    pub(crate) name: String,
    /// How much of what, such as cpu=2,memory=4Gi,pods=10
    #[arg(long, required = true, value_name = "RESOURCE=AMOUNT", value_delimiter = ',')]
    pub(crate) hard: Vec<String>,
    /// Only of objects in these scopes, such as BestEffort
    #[arg(long, value_name = "SCOPE", value_delimiter = ',')]
    pub(crate) scopes: Vec<String>,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

/// The ResourceQuota.
pub(super) fn made(args: &QuotaArgs) -> Result<Object> {
    let pair = |word: &String| {
        let (resource, amount) =
            word.split_once('=').ok_or_else(|| anyhow!("--hard {word}: write RESOURCE=AMOUNT"))?;
        Ok((resource.to_owned(), json!(amount)))
    };
    let hard = args.hard.iter().map(pair).collect::<Result<Map<String, Value>>>()?;
    let mut object = shell("v1", "ResourceQuota", &args.name);
    object.set(&["spec", "hard"], hard);
    if !args.scopes.is_empty() {
        object.set(&["spec", "scopes"], json!(args.scopes));
    }
    Ok(object)
}
