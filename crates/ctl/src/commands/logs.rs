//! `logs`: what containers print, of one pod or of all that a selector or a workload names.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use xebec_api::object::Object;
use xebec_client::ApiError;
use xebec_rpc::error::from_status;
use xebec_rpc::v1::LogsRequest;
use xebec_rpc::v1::pods_client::PodsClient;

use crate::output::Out;
use crate::session::Session;
use crate::{advice, durations, pod_of};

/// Pods that are read from at once, as a selector may name many.
const MOST_STREAMS: usize = 20;
/// Lines of each pod when a selector names them.
const TAIL_OF_MANY: i64 = 10;

/// Whose logs, and which part of them.
#[derive(Args)]
pub(crate) struct LogsArgs {
    /// POD or TYPE/NAME, such as deployment/web
    #[arg(required_unless_present = "selector")]
    pub(crate) name: Option<String>,
    /// Which container, as with -c
    #[arg(value_name = "CONTAINER", conflicts_with_all = ["container", "all_containers"])]
    pub(crate) own: Option<String>,
    /// Of the pods with these labels
    #[arg(short = 'l', long, conflicts_with = "name")]
    pub(crate) selector: Option<String>,
    /// Of all pods of a TYPE/NAME, each line with its pod's name
    #[arg(long, conflicts_with = "selector")]
    pub(crate) all_pods: bool,
    /// Go on as more is printed
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Which container; else the first
    #[arg(short, long, default_value = "")]
    pub(crate) container: String,
    /// Of every container, those that run before the others included
    #[arg(long, conflicts_with = "container")]
    pub(crate) all_containers: bool,
    /// Of the container's run before this one
    #[arg(short, long)]
    pub(crate) previous: bool,
    /// Lines from the end; -1 for all
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) tail: Option<i64>,
    /// No older than this
    #[arg(long, value_parser = durations::parse)]
    pub(crate) since: Option<Duration>,
    /// No older than this time, such as 2026-01-31T12:00:00Z
    #[arg(long, conflicts_with = "since")]
    pub(crate) since_time: Option<String>,
    /// No more than so many bytes of each
    #[arg(long)]
    pub(crate) limit_bytes: Option<u64>,
    /// Put the time before each line
    #[arg(long)]
    pub(crate) timestamps: bool,
    /// Put pod and container before each line
    #[arg(long)]
    pub(crate) prefix: bool,
    /// Go on with the others where one cannot be read
    #[arg(long)]
    pub(crate) ignore_errors: bool,
    /// How many containers are read at once
    #[arg(long, value_name = "NUMBER", default_value_t = MOST_STREAMS)]
    pub(crate) max_log_requests: usize,
}

type Chunk = Result<(String, Vec<u8>), ApiError>;

/// Prints them.
pub(crate) async fn run(session: &Session, args: &LogsArgs, out: &mut Out) -> Result<()> {
    let pods = pods(session, args, out).await?;
    let mut all = Vec::new();
    for pod in &pods {
        all.extend(sources(args, pod, out)?);
    }
    let most = args.max_log_requests;
    if all.len() > most {
        bail!(
            "that is {} containers, more than {most}: narrow the selector, or allow more by --max-log-requests",
            all.len()
        );
    }
    let mut streams = Vec::new();
    for (pod, container) in all {
        match open(session, args, pod, &container).await.with_context(|| format!("logs of {}", pod.name())) {
            Ok(stream) => streams.push(stream),
            Err(error) if args.ignore_errors => out.error(&advice::line(&error)),
            Err(error) => return Err(error),
        }
    }
    let mut chunks = if args.follow {
        stream::select_all(streams).boxed()
    } else {
        stream::iter(streams).flatten().boxed()
    };
    while let Some(chunk) = chunks.next().await {
        let (prefix, data) = chunk.context("the stream of logs broke: run it again, with --since 10s")?;
        out.raw(&prefixed(&prefix, &data))?;
    }
    Ok(())
}

async fn pods(session: &Session, args: &LogsArgs, out: &mut Out) -> Result<Vec<Object>> {
    let Some(name) = &args.name else {
        return pod_of::selected(session, args.selector.clone().unwrap_or_default()).await;
    };
    let mut pods = pod_of::all_of(session, name).await?;
    if !args.all_pods && pods.len() > 1 {
        out.note(format!("Found {} pods, using pod/{}", pods.len(), pods[0].name()))?;
        pods.truncate(1);
    }
    Ok(pods)
}

/// Pod and container, for each that is meant.
fn sources<'a>(args: &LogsArgs, pod: &'a Object, out: &mut Out) -> Result<Vec<(&'a Object, String)>> {
    if args.all_containers {
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        let containers = lists.into_iter().filter_map(|list| pod.get(&["spec", list])?.as_array()).flatten();
        let names = containers.filter_map(|container| container["name"].as_str());
        return Ok(names.map(|name| (pod, name.to_owned())).collect());
    }
    let named = args.own.as_deref().unwrap_or(&args.container);
    Ok(vec![(pod, pod_of::container(pod, named, out)?)])
}

async fn open(
    session: &Session,
    args: &LogsArgs,
    pod: &Object,
    container: &str,
) -> Result<BoxStream<'static, Chunk>, ApiError> {
    let many = args.selector.is_some();
    let tail = args.tail.or(many.then_some(TAIL_OF_MANY)).and_then(|lines| u32::try_from(lines).ok());
    let seconds = args.since.map(|since| u32::try_from(since.as_secs().max(1)).unwrap_or(u32::MAX));
    let request = LogsRequest {
        namespace: session.namespace.clone(),
        pod: pod.name().to_owned(),
        container: container.to_owned(),
        follow: args.follow,
        previous: args.previous,
        tail_lines: tail,
        since_seconds: seconds,
        timestamps: args.timestamps,
        limit_bytes: args.limit_bytes,
        since_time: args.since_time.clone().unwrap_or_default(),
        pod_uid: pod.uid().to_owned(),
    };
    let answer = session.client.ask(true, |channel| {
        let request = request.clone();
        async move { Ok(PodsClient::new(channel).logs(request).await?.into_inner()) }
    });
    let answer = answer.await?;
    let prefix = if args.prefix || args.all_pods {
        format!("[pod/{}/{container}] ", pod.name())
    } else {
        String::new()
    };
    Ok(answer
        .map(move |chunk| {
            let chunk = chunk.map_err(|status| from_status(&status))?;
            Ok((prefix.clone(), chunk.data.into()))
        })
        .boxed())
}

/// The prefix before each line of a chunk; chunks end with lines.
fn prefixed(prefix: &str, data: &[u8]) -> Vec<u8> {
    if prefix.is_empty() {
        return data.to_vec();
    }
    let lines = data.split_inclusive(|byte| *byte == b'\n');
    lines.flat_map(|line| [prefix.as_bytes(), line].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_gets_the_prefix() {
        assert_eq!(prefixed("[p] ", b"a\nb\n"), b"[p] a\n[p] b\n");
        assert_eq!(prefixed("", b"a"), b"a");
    }
}
