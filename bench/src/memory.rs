//! What idle processes hold: masters and an agent with ten pods, beside etcd.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use xebec_api::object::Object;
use xebec_api::table;

use crate::Options;
use crate::etcd::Etcd;
use crate::masters::Masters;
use crate::node::{Node, is_true, pod_spec};
use crate::process::Process;
use crate::report::{Report, verdict};
use crate::stats::median;

const MASTER_GOAL_MIB: f64 = 60.0;
const AGENT_GOAL_MIB: f64 = 30.0;
const PODS: usize = 10;
/// How long nothing happens before it is looked.
const IDLE: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures and adds the table.
///
/// # Errors
/// When something does not come up.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("Resident memory when idle", &["who", "MiB", "of it its own", "goal MiB", ""]);
    let masters = Masters::boot(&options.xebec, 3).await?;
    let node = Node::join(&options.xebec, &masters).await?;
    let etcd = Etcd::boot().await?;
    run_pods(&masters).await?;
    tokio::time::sleep(IDLE).await;
    let leader = masters.leader(0).await?;
    row(report, "the leading master", &[&masters.processes[leader]], Some(MASTER_GOAL_MIB))?;
    let others: Vec<_> =
        (0..3).filter(|index| *index != leader).map(|index| &masters.processes[index]).collect();
    row(report, "another master", &others, Some(MASTER_GOAL_MIB))?;
    row(report, "an agent with ten pods", &[&node.process], Some(AGENT_GOAL_MIB))?;
    row(report, "a member of etcd 3.4, empty", &etcd.processes.iter().collect::<Vec<_>>(), None)?;
    Ok(())
}

fn row(report: &mut Report, who: &str, processes: &[&Process], goal: Option<f64>) -> Result<()> {
    let figures = |of: fn(&Process) -> Result<f64>| {
        processes.iter().map(|process| of(process)).collect::<Result<Vec<f64>>>()
    };
    let seen = median(&mut figures(Process::rss_mib)?);
    report.row([
        who.to_owned(),
        format!("{seen:.1}"),
        format!("{:.1}", median(&mut figures(Process::anonymous_mib)?)),
        goal.map(|goal| format!("< {goal:.0}")).unwrap_or_default(),
        goal.map(|goal| verdict(seen, goal)).unwrap_or_default(),
    ]);
    Ok(())
}

async fn run_pods(masters: &Masters) -> Result<()> {
    let (client, row) = (masters.client(0)?, table::find("", "pods").expect("a built-in kind"));
    for index in 0..PODS {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("idle-{index}"), "namespace": "default"}, "spec": pod_spec()});
        client.create(row, &Object::from_json(pod.to_string().as_bytes())?).await?;
    }
    let ready = async {
        loop {
            let pods = client.list(row, "default", &Default::default()).await?;
            if pods.items.iter().filter(|pod| is_true(pod, "Ready")).count() == PODS {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ready).await.context("the pods are not Ready")?
}
