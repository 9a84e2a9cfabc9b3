//! What may be typed: the options that every command takes, and the list of commands.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::commands::*;
use crate::durations;
use crate::process::ProcessArgs;

/// Talks to a Xebec cluster.
#[derive(Parser)]
#[command(name = "xctl", bin_name = "xctl", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Args)]
pub(crate) struct Global {
    /// The kubeconfig; else $KUBECONFIG, /etc/xebec/admin.kubeconfig, ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; else its current one
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The namespace; else the kubeconfig's
    #[arg(short, long, global = true)]
    pub(crate) namespace: Option<String>,
    /// How long to wait for an answer
    #[arg(long, global = true, value_parser = durations::parse, default_value = "10s")]
    pub(crate) request_timeout: Duration,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show objects
    Get(get::GetArgs),
    /// Show everything about objects, with their events
    Describe(describe::DescribeArgs),
    /// Say in one paragraph why a thing is not as it should be, and what to do
    Why(why::WhyArgs),
    /// Make the cluster's objects be as files say
    Apply(apply::ApplyArgs),
    /// Make objects
    Create(create::CreateArgs),
    /// Delete objects and wait until they are gone
    Delete(delete::DeleteArgs),
    /// Show what a pod's containers print
    Logs(logs::LogsArgs),
    /// Run a command in a container
    Exec(exec::ExecArgs),
    /// Replace objects by what files say
    Replace(replace::ReplaceArgs),
    /// Change fields of objects
    Patch(patch::PatchArgs),
    /// Change an object in your editor
    Edit(edit::EditArgs),
    /// Change images, variables or resources
    #[command(subcommand)]
    Set(set::SetCommand),
    /// Make a Service for pods
    Expose(expose::ExposeArgs),
    /// Wait until objects are as asked for
    Wait(wait::WaitArgs),
    /// Show what happened
    Events(events::EventsArgs),
    /// Show what nodes and pods use
    #[command(subcommand)]
    Top(top::TopCommand),
    /// Have every pod leave nodes
    Drain(drain::DrainArgs),
    /// Set or remove what keeps pods off nodes
    Taint(taint::TaintArgs),
    /// Run one pod from an image
    Run(run::RunArgs),
    /// Join the streams of a running container
    Attach(ProcessArgs),
    /// Copy files into a container, or out of one
    Cp(cp::CpArgs),
    /// Lead ports of this machine into a pod
    PortForward(port_forward::PortForwardArgs),
    /// Set how many replicas there are
    Scale(scale::ScaleArgs),
    /// Follow, restart or take back a rollout
    #[command(subcommand)]
    Rollout(rollout::RolloutCommand),
    /// Set or remove labels
    Label(label::LabelArgs),
    /// Set or remove annotations
    Annotate(label::LabelArgs),
    /// Let no new pods onto nodes
    Cordon(cordon::CordonArgs),
    /// Let pods onto nodes again
    Uncordon(cordon::CordonArgs),
    /// Tokens by which nodes and masters join
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Show where the cluster is reached
    ClusterInfo,
    /// The cluster's own state
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Show what apply would change
    Diff(diff::DiffArgs),
    /// Show or change which cluster is meant
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Show who you are, and what you may do
    #[command(subcommand)]
    Auth(auth::AuthCommand),
    /// Show which fields a kind has, and what they mean
    Explain(explain::ExplainArgs),
    /// Print what makes a shell complete words, also names of objects
    Completion(complete::CompletionArgs),
    #[command(name = "__complete", hide = true)]
    Complete(complete::CompleteArgs),
    /// List the kinds of objects
    ApiResources(api_resources::ApiResourcesArgs),
    /// List the groups and versions of the API
    ApiVersions,
    /// Show the versions of client and server
    Version(version::VersionArgs),
}
