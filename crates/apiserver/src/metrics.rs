//! What nodes and pods use now, asked of the nodes' agents: for `xebec.v1.Metrics` and for
//! `metrics.k8s.io`. A question goes to every node that it concerns, all
//! at once, and a node that does not answer spoils no other's answer. However many ask, a node
//! measures once at a time: who asks meanwhile, or a moment later, is told the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout};
use xebec_api::error::ApiError;
use xebec_api::object::Object;
use xebec_api::pod::{is_terminal, node_name};
use xebec_api::table;
use xebec_rpc::node::v1::UsageResponse;
use xebec_rpc::v1::{node_metrics_response, pod_metrics_response};

use crate::{ApiServer, ListOptions, RequestContext, Target};

/// How long one node may take; its measuring takes a second of it.
const PATIENCE: Duration = Duration::from_secs(4);
/// For how long what was measured is told again.
const FRESH: Duration = Duration::from_secs(1);

/// The way to what an agent measures.
#[tonic::async_trait]
pub trait NodeUsage: Send + Sync {
    /// What a node uses, and unless it alone is asked about, its containers.
    ///
    /// # Errors
    /// Why it does not answer.
    async fn usage(&self, node: &str, node_only: bool) -> Result<UsageResponse, String>;
}

type Answer = Result<Arc<UsageResponse>, String>;
/// What a node answered last, and when. Locked while it is asked.
type Last = Option<(Instant, Answer)>;

/// What nodes answered, by their name and whether they alone were asked about.
#[derive(Default)]
pub(crate) struct Measurements(Mutex<Slots>);

type Slots = HashMap<(String, bool), Arc<tokio::sync::Mutex<Last>>>;

impl Measurements {
    async fn of_all(&self, agents: &dyn NodeUsage, nodes: &[&str], node_only: bool) -> Vec<Answer> {
        // What somebody waits for stays.
        self.slots().retain(|_, slot| Arc::get_mut(slot).is_none_or(|last| fresh(last.get_mut()).is_some()));
        join_all(nodes.iter().map(|node| self.of(agents, node, node_only))).await
    }

    async fn of(&self, agents: &dyn NodeUsage, node: &str, node_only: bool) -> Answer {
        let slot = self.slots().entry((node.to_owned(), node_only)).or_default().clone();
        let mut last = slot.lock().await;
        if let Some(answer) = fresh(&last) {
            return answer.clone();
        }
        let answer = match timeout(PATIENCE, agents.usage(node, node_only)).await {
            Ok(answer) => answer.map(Arc::new),
            Err(_) => Err(format!("node {node}: no answer within {PATIENCE:?}")),
        };
        *last = Some((Instant::now(), answer.clone()));
        answer
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fresh(last: &Last) -> Option<&Answer> {
    last.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, answer)| answer)
}

impl ApiServer {
    /// Gives the way to what agents measure. Without it, `metrics.k8s.io` has nothing to tell.
    pub fn set_usage(&self, agents: Arc<dyn NodeUsage>) {
        // The first one stays: a server has one way to its nodes.
        let _ = self.usage_slot().set(agents);
    }

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
        let names: Vec<&str> = nodes.iter().map(Object::name).collect();
        let answers = self.measurements().of_all(agents, &names, true).await;
        let told = names.into_iter().zip(answers).map(|(name, answer)| {
            let (usage, error) = match answer {
                Ok(answer) => (answer.node, String::new()),
                Err(why) => (None, why),
            };
            node_metrics_response::Node { name: name.to_owned(), usage, error }
        });
        Ok(told.collect())
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
        let answers = self.measurements().of_all(agents, &nodes, false).await;
        let mut errors = Vec::new();
        // By their node too: one of that name that ran elsewhere before is not the pod.
        let mut used: BTreeMap<(&str, &str, &str), Vec<pod_metrics_response::Container>> = BTreeMap::new();
        for (&node, answer) in nodes.iter().zip(&answers) {
            match answer {
                Ok(answer) => {
                    for it in &answer.containers {
                        let (name, usage) = (it.container.clone(), it.usage);
                        let of_pod = used.entry((node, it.namespace.as_str(), it.pod.as_str())).or_default();
                        of_pod.push(pod_metrics_response::Container { name, usage });
                    }
                }
                Err(why) => errors.push(why.clone()),
            }
        }
        let measured = running.filter_map(|pod| {
            let containers = used.remove(&(node_name(pod)?, pod.namespace(), pod.name()))?;
            let (namespace, name) = (pod.namespace().to_owned(), pod.name().to_owned());
            Some(pod_metrics_response::Pod { namespace, name, containers })
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

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

    /// Measures for a second, as agents do, and counts how often.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    #[tonic::async_trait]
    impl NodeUsage for Counting {
        async fn usage(&self, _node: &str, _node_only: bool) -> Result<UsageResponse, String> {
            self.0.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(UsageResponse::default())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_ask_a_node_measures_once_at_a_time() {
        let (agents, measurements) = (Counting::default(), Measurements::default());
        let ask = async |node: &str| measurements.of_all(&agents, &[node], true).await;
        let measured = || agents.0.swap(0, Ordering::Relaxed);
        timeout(Duration::from_millis(10), ask("n1")).await.expect_err("who asked is gone");
        assert_eq!(measured(), 1);
        let answers = join_all((0..100).map(|_| ask("n1"))).await;
        assert!(answers.iter().flatten().all(Result::is_ok));
        ask("n1").await;
        assert_eq!(measured(), 1);
        tokio::time::advance(FRESH).await;
        ask("n2").await;
        assert_eq!((measured(), measurements.slots().len()), (1, 1), "what is old is forgotten");
    }
}
