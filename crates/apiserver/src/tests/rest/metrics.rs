//! What `kubectl top` asks for.

use std::sync::Arc;

use serde_json::json;
use xebec_rpc::node::v1::{UsageResponse, usage_response};
use xebec_rpc::v1::Usage;

use super::{Ask, Rest};
use crate::metrics::NodeUsage;

/// `n1` answers, and no other node.
struct Agents;

#[tonic::async_trait]
impl NodeUsage for Agents {
    async fn usage(&self, node: &str, node_only: bool) -> Result<UsageResponse, String> {
        if node != "n1" {
            return Err(format!("node {node} is away"));
        }
        let usage = Some(Usage { cpu_nanocores: 7, memory_working_set_bytes: 9 });
        let (namespace, pod, container) = ("default".to_owned(), "web".to_owned(), "a".to_owned());
        let own = usage_response::Container { namespace, pod, container, usage };
        Ok(UsageResponse { node: usage, containers: if node_only { Vec::new() } else { vec![own] } })
    }
}

const METRICS: &str = "/apis/metrics.k8s.io/v1beta1";

#[tokio::test]
async fn what_is_used_is_told_and_what_is_not_known_left_out() {
    let rest = Rest::new().await;
    assert_eq!(rest.get(&format!("{METRICS}/nodes")).await.code, 503, "nobody is there to measure");
    rest.api.0.set_usage(Arc::new(Agents));
    for node in ["n1", "n2"] {
        rest.send("POST", "/api/v1/nodes", &json!({"metadata": {"name": node}})).await;
    }
    let spec = json!({"nodeName": "n1", "containers": [{"name": "a", "image": "b"}]});
    let web = json!({"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": spec});
    rest.send("POST", "/api/v1/namespaces/default/pods", &web).await;

    let now = "2026-11-24T10:00:00Z";
    let used = json!({"cpu": "7n", "memory": "9"});
    let node = json!({"metadata": {"name": "n1", "creationTimestamp": now}, "timestamp": now, "window": "1s",
        "usage": used});
    assert_eq!(
        rest.get(&format!("{METRICS}/nodes")).await.json(),
        json!({"kind": "NodeMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": [node]})
    );
    let missing = rest.get(&format!("{METRICS}/nodes/n2")).await.failure();
    assert_eq!(missing, "404 NotFound: nodes.metrics.k8s.io \"n2\" not found");
    let pod = json!({"metadata": {"name": "web", "namespace": "default", "creationTimestamp": now},
        "timestamp": now, "window": "1s", "containers": [{"name": "a", "usage": used}]});
    for path in ["pods", "pods?labelSelector=app%3Dweb", "namespaces/default/pods"] {
        let list = rest.get(&format!("{METRICS}/{path}")).await.json();
        assert_eq!((&list["kind"], &list["items"]), (&json!("PodMetricsList"), &json!([pod])), "{path}");
    }
    let other = rest.get(&format!("{METRICS}/pods?labelSelector=app%3Ddb")).await.json();
    assert_eq!(other["items"], json!([]));
    let one = rest.get(&format!("{METRICS}/namespaces/default/pods/web")).await.json();
    assert_eq!((&one["kind"], &one["containers"]), (&json!("PodMetrics"), &pod["containers"]));

    assert_eq!(rest.get(&format!("{METRICS}/nothing")).await.code, 404);
    assert_eq!(rest.send("POST", &format!("{METRICS}/nodes"), &json!({})).await.code, 405);
    let eve = rest.ask(Ask::new("GET", &format!("{METRICS}/nodes")).by("eve", "people")).await;
    assert_eq!(eve.code, 403);
    let discovered = rest.get(METRICS).await.json();
    let nodes = json!({"name": "nodes", "singularName": "", "namespaced": false, "kind": "NodeMetrics",
        "verbs": ["get", "list"]});
    assert_eq!(discovered["resources"][0], nodes);
}
