//! What nodes and pods use now, asked of the nodes' agents: for `xebec.v1.Metrics`, and for
//! `metrics.k8s.io` once that is served. Nothing is kept: each question is one to every node
//! that it concerns, all at once, and a node that does not answer spoils no other's answer.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;
use xebec_api::error::ApiError;
use xebec_api::object::Object;
use xebec_api::pod::{is_terminal, node_name};
use xebec_api::table;
use xebec_rpc::node::v1::UsageResponse;
use xebec_rpc::v1::{node_metrics_response, pod_metrics_response};

use crate::{ApiServer, ListOptions, RequestContext, Target};

/// How long one node may take; its measuring takes a second of it.
const PATIENCE: Duration = Duration::from_secs(4);

/// The way to what an agent measures.
#[tonic::async_trait]
pub trait NodeUsage: Send + Sync {
    /// What a node uses, and unless it alone is asked about, its containers.
    ///
    /// # Errors
    /// Why it does not answer.
    async fn usage(&self, node: &str, node_only: bool) -> Result<UsageResponse, String>;
}

impl ApiServer {
    /// What nodes use, sorted by name; one, or every one for `""`.
    ///
    /// # Errors
    /// `Forbidden` without the right to list nodes, `NotFound` for one that is not there.
    pub async fn node_metrics(
        &self,
        ctx: &RequestContext,
        agents: &dyn NodeUsage,
        name: &str,
    ) -> Result<Vec<node_metrics_response::Node>, ApiError> {
        let nodes = self.measured(ctx, "nodes", "", name, "").await?;
        let asked = nodes.iter().map(|node| async {
            let answer = usage_of(agents, node.name(), true).await;
            let (usage, error) = match answer {
                Ok(answer) => (answer.node, String::new()),
                Err(why) => (None, why),
            };
            node_metrics_response::Node { name: node.name().to_owned(), usage, error }
        });
        Ok(join_all(asked).await)
    }

    /// What the containers of running pods use, sorted by namespace and name, and which nodes
    /// did not answer. `""` stands for every namespace, and for every pod.
    ///
    /// # Errors
    /// `Forbidden` without the right to list pods, `NotFound` for one that is not there.
    pub async fn pod_metrics(
        &self,
        ctx: &RequestContext,
        agents: &dyn NodeUsage,
        namespace: &str,
        name: &str,
        label_selector: &str,
    ) -> Result<(Vec<pod_metrics_response::Pod>, Vec<String>), ApiError> {
        let pods = self.measured(ctx, "pods", namespace, name, label_selector).await?;
        let running = pods.iter().filter(|pod| !is_terminal(pod));
        let mut nodes: Vec<&str> = running.clone().filter_map(node_name).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let answers = join_all(nodes.iter().map(|node| usage_of(agents, node, false))).await;
        let mut errors = Vec::new();
        // By their node too: one of that name that ran elsewhere before is not the pod.
        let mut used: BTreeMap<(&str, String, String), Vec<pod_metrics_response::Container>> =
            BTreeMap::new();
        for (&node, answer) in nodes.iter().zip(answers) {
            match answer {
                Ok(answer) => {
                    for it in answer.containers {
                        let container =
                            pod_metrics_response::Container { name: it.container, usage: it.usage };
                        used.entry((node, it.namespace, it.pod)).or_default().push(container);
                    }
                }
                Err(why) => errors.push(why),
            }
        }
        let measured = running.filter_map(|pod| {
            let key = (node_name(pod)?, pod.namespace().to_owned(), pod.name().to_owned());
            let containers = used.remove(&key)?;
            Some(pod_metrics_response::Pod { namespace: key.1, name: key.2, containers })
        });
        Ok((measured.collect(), errors))
    }

    /// The objects that are asked about, by the right of who asks.
    async fn measured(
        &self,
        ctx: &RequestContext,
        plural: &'static str,
        namespace: &str,
        name: &str,
        label_selector: &str,
    ) -> Result<Vec<Object>, ApiError> {
        let row = table::find("", plural).expect("a built-in kind");
        let field_selector = if name.is_empty() { String::new() } else { format!("metadata.name={name}") };
        let options = ListOptions {
            label_selector: label_selector.to_owned(),
            field_selector,
            ..ListOptions::default()
        };
        let found = self.list(ctx, &Target::collection(row, namespace), &options).await?.items;
        if found.is_empty() && !name.is_empty() {
            return Err(ApiError::not_found("", plural, name));
        }
        Ok(found)
    }
}

async fn usage_of(agents: &dyn NodeUsage, node: &str, node_only: bool) -> Result<UsageResponse, String> {
    let answer = timeout(PATIENCE, agents.usage(node, node_only)).await;
    answer.unwrap_or_else(|_| Err(format!("node {node}: no answer within {PATIENCE:?}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use xebec_rpc::node::v1::usage_response;
    use xebec_rpc::v1::Usage;

    use super::*;
    use crate::testing::Fixture;

    /// `n1` answers, and `n3` with pods that are not its own; every other node does not.
    struct Agents;

    #[tonic::async_trait]
    impl NodeUsage for Agents {
        async fn usage(&self, node: &str, node_only: bool) -> Result<UsageResponse, String> {
            if !matches!(node, "n1" | "n3") {
                return Err(format!("node {node} is away"));
            }
            let usage = Some(Usage { cpu_nanocores: 7, memory_working_set_bytes: 9 });
            let of = |pod: &str, container: &str| usage_response::Container {
                namespace: "default".to_owned(),
                pod: pod.to_owned(),
                container: container.to_owned(),
                usage,
            };
            let all = vec![of("web", "a"), of("web", "b"), of("gone", "c")];
            Ok(UsageResponse { node: usage, containers: if node_only { Vec::new() } else { all } })
        }
    }

    #[tokio::test]
    async fn what_answers_is_told_and_what_does_not_is_named() {
        let server = Fixture::new().await.server;
        let admin = RequestContext::internal("test");
        let make = async |object: serde_json::Value| {
            let object = Object::from_json(object.to_string().as_bytes()).expect("an object");
            let target = Target::of(&object).expect("a kind");
            let target = Target::collection(target.row, object.namespace());
            server.create(&admin, &target, object).await.expect("created");
        };
        for name in ["n1", "n2"] {
            make(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})).await;
        }
        for (name, node) in [("web", "n1"), ("db", "n2"), ("other", "n3")] {
            make(
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
                "spec": {"nodeName": node, "containers": [{"name": "a", "image": "x"}]}}),
            )
            .await;
        }
        let nodes = server.node_metrics(&admin, &Agents, "").await.expect("measured");
        let told: Vec<(&str, bool, &str)> = nodes
            .iter()
            .map(|node| (node.name.as_str(), node.usage.is_some(), node.error.as_str()))
            .collect();
        assert_eq!(told, [("n1", true, ""), ("n2", false, "node n2 is away")]);
        let (pods, errors) = server.pod_metrics(&admin, &Agents, "", "", "").await.expect("measured");
        let told: Vec<(&str, usize)> =
            pods.iter().map(|pod| (pod.name.as_str(), pod.containers.len())).collect();
        assert_eq!((told, errors), (vec![("web", 2)], vec!["node n2 is away".to_owned()]));
        let missing =
            server.pod_metrics(&admin, &Agents, "default", "none", "").await.expect_err("not there");
        assert_eq!(missing.to_string(), "pods \"none\" not found");
    }
}
