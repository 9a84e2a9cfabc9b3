//! `create priorityclass`: who goes before whom where there is not room for all.

use clap::Args;
use serde_json::json;
use xebec_api::object::Object;

use super::shell;
use crate::only::OnlyArgs;

#[derive(Args)]
pub(crate) struct PriorityArgs {
    pub(crate) name: String,
    /// The higher, the sooner
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) value: i32,
    /// Of pods that name none, too
    #[arg(long)]
    pub(crate) global_default: bool,
    /// What it is for
    #[arg(long, default_value = "")]
    pub(crate) description: String,
    /// Never, where its pods are to push out no others
    #[arg(long, default_value = "PreemptLowerPriority")]
    pub(crate) preemption_policy: String,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

/// The PriorityClass.
pub(super) fn made(args: &PriorityArgs) -> Object {
    let mut object = shell("scheduling.k8s.io/v1", "PriorityClass", &args.name);
    object.set(&["value"], json!(args.value));
    object.set(&["globalDefault"], json!(args.global_default));
    object.set(&["preemptionPolicy"], args.preemption_policy.as_str());
    if !args.description.is_empty() {
        object.set(&["description"], args.description.as_str());
    }
    object
}
