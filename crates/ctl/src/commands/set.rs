//! `set`: changes what people change most in a workload's template: images, variables and
//! resources.

mod env;
mod image;
mod resources;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::resource::Resource;

use crate::change::change;
use crate::chosen::{self, Choice};
use crate::only::{OnlyArgs, Printed};
use crate::output::Out;
use crate::session::Session;

#[derive(Subcommand)]
pub(crate) enum SetCommand {
    /// Give containers other images: set image deployment/web web=example.com/web:2
    Image(SetArgs),
    /// Set or remove variables: set env deployment/web COLOR=blue OLD-
    Env(EnvArgs),
    /// Set requests and limits: set resources deployment/web --limits cpu=1,memory=128Mi
    Resources(ResourcesArgs),
}

/// What every form takes.
#[derive(Args)]
pub(crate) struct SetArgs {
    /// TYPE NAME or TYPE/NAME, then what to set
    #[arg(required_unless_present = "filename")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

#[derive(Args)]
pub(crate) struct EnvArgs {
    #[command(flatten)]
    pub(crate) of: SetArgs,
    /// Only in these containers; * stands for any letters
    #[arg(short, long, default_value = "*")]
    pub(crate) containers: String,
    /// A variable for each key of this ConfigMap or Secret
    #[arg(long, value_name = "TYPE/NAME")]
    pub(crate) from: Option<String>,
    /// Before the name of each that comes by --from
    #[arg(long, default_value = "", requires = "from")]
    pub(crate) prefix: String,
    /// Only these keys of --from
    #[arg(long, value_delimiter = ',', requires = "from")]
    pub(crate) keys: Vec<String>,
    /// Show the variables instead
    #[arg(long)]
    pub(crate) list: bool,
}

#[derive(Args)]
pub(crate) struct ResourcesArgs {
    #[command(flatten)]
    pub(crate) of: SetArgs,
    /// Only in these containers; * stands for any letters
    #[arg(short, long, default_value = "*")]
    pub(crate) containers: String,
    /// Such as cpu=500m,memory=64Mi
    #[arg(long, default_value = "")]
    pub(crate) requests: String,
    /// Such as cpu=1,memory=128Mi
    #[arg(long, default_value = "")]
    pub(crate) limits: String,
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: &SetCommand, out: &mut Out) -> Result<()> {
    match command {
        SetCommand::Image(args) => {
            let (words, images) = split(&args.words, image::is_change);
            let images = image::read(&images)?;
            each(session, &words, args, "image updated", out, |o| image::set(o, &images)).await
        }
        SetCommand::Env(args) => {
            let (words, changes) = split(&args.of.words, env::is_change);
            if args.list {
                return env::list(session, &words, &args.of.choice, out).await;
            }
            let mut all = Vec::new();
            if let Some(source) = &args.from {
                all = env::from(session, source, &args.prefix, &args.keys).await?;
            }
            if args.from.is_none() || !changes.is_empty() {
                all.extend(env::read(&changes)?);
            }
            let set = |object: &mut Object| env::set(object, &args.containers, &all);
            each(session, &words, &args.of, "env updated", out, set).await
        }
        SetCommand::Resources(args) => {
            let wanted = resources::read(&args.requests, &args.limits)?;
            let set = |object: &mut Object| resources::set(object, &args.containers, &wanted);
            let told = "resource requirements updated";
            each(session, &args.of.words, &args.of, told, out, set).await
        }
    }
}

fn split(words: &[String], is_change: impl Fn(&str) -> bool) -> (Vec<String>, Vec<String>) {
    words.iter().cloned().partition(|word| !is_change(word))
}

/// Changes each object, and tells of those that were not so already.
async fn each(
    session: &Session,
    words: &[String],
    args: &SetArgs,
    told: &str,
    out: &mut Out,
    by: impl Fn(&mut Object) -> Result<()>,
) -> Result<()> {
    let mut printed = Printed::default();
    let writing = args.only.dry_run.session(session);
    for (row, object) in chosen::objects(session, words, &args.choice).await? {
        template_path(row)?;
        let changed = if args.only.dry_run.is_client() {
            let mut wanted = object.clone();
            by(&mut wanted)?;
            (wanted != object).then_some(wanted)
        } else {
            change(&writing.at(&object), row, object.name(), &by).await?
        };
        if let Some(changed) = changed {
            printed.one(&args.only, row, changed, told, out)?;
        }
    }
    Ok(())
}

/// Where a kind has the spec of its pods.
fn template_path(row: &Resource) -> Result<&'static [&'static str]> {
    match row.kind {
        "Pod" => Ok(&["spec"]),
        "CronJob" => Ok(&["spec", "jobTemplate", "spec", "template", "spec"]),
        "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet" | "Job" | "ReplicationController" => {
            Ok(&["spec", "template", "spec"])
        }
        _ => bail!("{} have no containers", row.plural),
    }
}

/// The containers of an object, those that start first included, to change them.
fn containers<'a>(object: &'a mut Object, pattern: &str) -> Result<Vec<&'a mut Value>> {
    let row = xebec_api::table::by_kind(object.api_version(), object.kind());
    let path = template_path(row.ok_or_else(|| anyhow::anyhow!("{} is no kind", object.kind()))?)?;
    let name = object.name().to_owned();
    let spec = path.iter().try_fold(object.as_map_mut(), |map, key| map.get_mut(*key)?.as_object_mut());
    let lists = spec.into_iter().flat_map(serde_json::Map::iter_mut);
    let lists = lists.filter(|(key, _)| matches!(key.as_str(), "containers" | "initContainers"));
    let all = lists.filter_map(|(_, list)| list.as_array_mut()).flatten();
    let chosen: Vec<&mut Value> = all.filter(|container| matches_name(pattern, container)).collect();
    if chosen.is_empty() {
        bail!("{name} has no container {pattern:?}");
    }
    Ok(chosen)
}

/// Whether a container's name is this one, where `*` stands for any letters.
fn matches_name(pattern: &str, container: &Value) -> bool {
    let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
    let Some((before, after)) = pattern.split_once('*') else { return pattern == name };
    name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
}

#[cfg(test)]
mod tests;
