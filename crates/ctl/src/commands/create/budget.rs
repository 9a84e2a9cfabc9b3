//! `create poddisruptionbudget`: how many of some pods must stay, or may go, at once.

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::{Map, Value, json};
use xebec_api::object::Object;

use super::shell;
use crate::only::OnlyArgs;

#[derive(Args)]
pub(crate) struct BudgetArgs {
    pub(crate) name: String,
    /// The labels of its pods, such as app=web
    #[arg(long, required = true, value_name = "KEY=VALUE", value_delimiter = ',')]
    pub(crate) selector: Vec<String>,
    /// How many must stay, or how many of a hundred, such as 50%
    #[arg(long, required_unless_present = "max_unavailable", conflicts_with = "max_unavailable")]
    pub(crate) min_available: Option<String>,
    /// How many may be gone, or how many of a hundred
    #[arg(long)]
    pub(crate) max_unavailable: Option<String>,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

/// The PodDisruptionBudget.
pub(super) fn made(args: &BudgetArgs) -> Result<Object> {
    let pair = |word: &String| {
        let (key, value) =
            word.split_once('=').ok_or_else(|| anyhow!("--selector {word}: write KEY=VALUE"))?;
        // `==` says the same.
        Ok((key.to_owned(), json!(value.trim_start_matches('='))))
    };
    let labels = args.selector.iter().map(pair).collect::<Result<Map<String, Value>>>()?;
    let mut object = shell("policy/v1", "PodDisruptionBudget", &args.name);
    object.set(&["spec", "selector", "matchLabels"], labels);
    for (field, amount) in [("minAvailable", &args.min_available), ("maxUnavailable", &args.max_unavailable)]
    {
        if let Some(amount) = amount {
            let amount = amount.parse::<u32>().map_or_else(|_| json!(amount), |number| json!(number));
            object.set(&["spec", field], amount);
        }
    }
    Ok(object)
}
