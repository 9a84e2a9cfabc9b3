//! From created to Ready on one node and three masters: pods one by one, and a
//! Deployment of 50 replicas.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_client::{Client, DeleteParams, Event, WatchParams};

use crate::Options;
use crate::masters::Masters;
use crate::node::{Node, is_true, pod_spec};
use crate::process::cpu_of_machine;
use crate::report::{Report, verdict};
use crate::stats::{median, ms, percentile};

const PODS: usize = 20;
const REPLICAS: u64 = 50;
const POD_GOAL_MS: f64 = 150.0;
const REPLICAS_GOAL_MS: f64 = 2500.0;
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures both and adds the table.
///
/// # Errors
/// When the cluster does not come up, or a pod does not become Ready.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    report.begin(
        "From created to Ready, one node",
        &["what", "p50 ms", "p99 ms", "CPU s of the machine", "goal ms", ""],
    );
    let masters = Masters::boot(&options.xebec, 3).await?;
    let _node = Node::join(&options.xebec, &masters).await?;
    let client = masters.client(1)?;
    // The first pod finds cold caches, as no other does.
    one_pod(&client, "warm-up").await?;
    let cpu = cpu_of_machine();
    let mut times = Vec::new();
    for index in 0..PODS * options.rounds as usize {
        times.push(ms(one_pod(&client, &format!("single-{index}")).await?));
    }
    row(report, "one pod", &mut times, cpu, POD_GOAL_MS);
    let (mut times, cpu) = (Vec::new(), cpu_of_machine());
    for round in 0..options.rounds {
        times.push(ms(replicas(&client, &format!("many-{round}")).await?));
    }
    row(report, "50 replicas", &mut times, cpu, REPLICAS_GOAL_MS);
    Ok(())
}

fn row(report: &mut Report, what: &str, times: &mut [f64], cpu: Duration, goal: f64) {
    let spent = (cpu_of_machine() - cpu).as_secs_f64() / times.len() as f64;
    let middle = median(times);
    report.row([
        what.to_owned(),
        format!("{middle:.0}"),
        format!("{:.0}", percentile(times, 99)),
        format!("{spent:.3}"),
        format!("< {goal:.0}"),
        verdict(middle, goal),
    ]);
}

/// Creates a pod, waits until it is Ready, and deletes it.
async fn one_pod(client: &Client, name: &str) -> Result<Duration> {
    let row = table::find("", "pods").expect("a built-in kind");
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"}, "spec": pod_spec()});
    let only = format!("metadata.name={name}");
    let start = Instant::now();
    let made = client.create(row, &Object::from_json(pod.to_string().as_bytes())?).await?;
    follow(
        client,
        "pods",
        &only,
        made.text(&["metadata", "resourceVersion"]),
        |event| matches!(event, Event::Modified(pod) if is_true(pod, "Ready")),
    )
    .await
    .with_context(|| format!("pod {name}"))?;
    let took = start.elapsed();
    delete_and_wait(client, "", "pods", name).await?;
    Ok(took)
}

async fn replicas(client: &Client, name: &str) -> Result<Duration> {
    let row = table::find("apps", "deployments").expect("a built-in kind");
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": REPLICAS, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec()}}});
    let start = Instant::now();
    let made = client.create(row, &Object::from_json(deployment.to_string().as_bytes())?).await?;
    let only = format!("metadata.name={name}");
    follow(client, "deployments", &only, made.text(&["metadata", "resourceVersion"]), |event| {
        let ready =
            |object: &Object| object.get(&["status", "readyReplicas"]).and_then(serde_json::Value::as_u64);
        matches!(event, Event::Modified(object) if ready(object) == Some(REPLICAS))
    })
    .await?;
    let took = start.elapsed();
    delete_and_wait(client, "apps", "deployments", name).await?;
    wait_for_no_pods(client).await?;
    Ok(took)
}

/// Watches one object until an event is the wanted one.
async fn follow(
    client: &Client,
    plural: &str,
    only: &str,
    revision: &str,
    wanted: impl Fn(&Event) -> bool,
) -> Result<()> {
    let row = table::find(if plural == "pods" { "" } else { "apps" }, plural).expect("a built-in kind");
    let params = WatchParams {
        field_selector: only.to_owned(),
        resource_version: revision.to_owned(),
        ..Default::default()
    };
    let mut watch = client.watch(row, "default", &params).await?;
    let wait = async {
        while let Some((event, _)) = watch.next().await? {
            if wanted(&event) {
                return Ok(());
            }
        }
        anyhow::bail!("the watch ended")
    };
    tokio::time::timeout(PATIENCE, wait).await.context("it did not become Ready")?
}

async fn delete_and_wait(client: &Client, group: &str, plural: &str, name: &str) -> Result<()> {
    let row = table::find(group, plural).expect("a built-in kind");
    client.delete(row, "default", name, &DeleteParams::default()).await?;
    let deadline = Instant::now() + PATIENCE;
    while client.find(row, "default", name).await?.is_some() {
        anyhow::ensure!(Instant::now() < deadline, "{plural} {name} did not go");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn wait_for_no_pods(client: &Client) -> Result<()> {
    let row = table::find("", "pods").expect("a built-in kind");
    let deadline = Instant::now() + PATIENCE;
    while !client.list(row, "default", &Default::default()).await?.items.is_empty() {
        anyhow::ensure!(Instant::now() < deadline, "the pods did not go");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
