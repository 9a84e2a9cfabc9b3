//! What is told of revisions, events and versions, and what `run` makes, against the real API.

use expect_test::expect;
use serde_json::{Value, json};
use xebec_client::{Client, Patch};

use super::real::cluster;
use super::typed;
use crate::asked;

async fn applied(client: &Client, text: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("all.yaml");
    std::fs::write(&path, text).expect("written");
    let told = typed(client.clone(), &format!("apply -f {}", path.display())).await;
    assert!(!told.contains("[failed]"), "{told}");
}

const OWNERS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'web:1'}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log}
spec:
  selector: {matchLabels: {app: log}}
  template:
    metadata: {labels: {app: log}}
    spec: {containers: [{name: log, image: 'log:1'}]}
";

const REVISIONS: &str = "
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-2
  annotations: {deployment.kubernetes.io/revision: '2', kubernetes.io/change-cause: a new colour}
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: WEB, controller: true}]
spec:
  selector: {matchLabels: {app: web, pod-template-hash: b}}
  template:
    metadata: {labels: {app: web, pod-template-hash: b}}
    spec: {containers: [{name: web, image: 'web:2'}]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-1
  annotations: {deployment.kubernetes.io/revision: '1'}
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: WEB, controller: true}]
spec:
  selector: {matchLabels: {app: web, pod-template-hash: a}}
  template:
    metadata: {labels: {app: web, pod-template-hash: a}}
    spec: {containers: [{name: web, image: 'web:1'}]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: nobodys, annotations: {deployment.kubernetes.io/revision: '7'}}
spec:
  selector: {matchLabels: {app: other}}
  template:
    metadata: {labels: {app: other}}
    spec: {containers: [{name: web, image: 'web:7'}]}
---
apiVersion: apps/v1
kind: ControllerRevision
metadata:
  name: log-1
  annotations: {kubernetes.io/change-cause: the first}
  ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: log, uid: LOG, controller: true}]
revision: 1
data: {spec: {template: {metadata: {labels: {app: log}}, spec: {containers: [{name: log, image: 'log:1'}]}}}}
";

#[tokio::test]
async fn a_rollouts_history_is_of_its_own_revisions() {
    let client = cluster().await;
    applied(&client, OWNERS).await;
    let uid =
        async |name: &str| typed(client.clone(), &format!("get {name} -o jsonpath={{.metadata.uid}}")).await;
    let revisions = REVISIONS.replace("WEB", &uid("deploy/web").await).replace("LOG", &uid("ds/log").await);
    applied(&client, &revisions).await;
    let xctl = async |words: &str| format!("$ xctl {words}\n{}", typed(client.clone(), words).await);
    let told = [
        xctl("rollout history deployment/web").await,
        xctl("rollout history deployment web --revision 2").await,
        xctl("rollout history deployment web --revision 7").await,
        xctl("rollout history daemonset/log").await,
        xctl("rollout history ds/log --revision 1").await,
        xctl("rollout history deployment/none").await,
    ];
    expect![[r#"
        $ xctl rollout history deployment/web
        deployment.apps/web
        REVISION   CHANGE-CAUSE
        1          <none>
        2          a new colour
        $ xctl rollout history deployment web --revision 2
        deployment.apps/web with revision #2
        metadata:
          labels:
            app: web
        spec:
          containers:
          - image: web:2
            imagePullPolicy: IfNotPresent
            name: web
            resources: {}
            terminationMessagePath: /dev/termination-log
            terminationMessagePolicy: File
          dnsPolicy: ClusterFirst
          restartPolicy: Always
          schedulerName: default-scheduler
          securityContext: {}
          terminationGracePeriodSeconds: 30
        $ xctl rollout history deployment web --revision 7
        error: unable to find the specified revision
        [failed]
        $ xctl rollout history daemonset/log
        daemonset.apps/log
        REVISION   CHANGE-CAUSE
        1          the first
        $ xctl rollout history ds/log --revision 1
        daemonset.apps/log with revision #1
        metadata:
          labels:
            app: log
        spec:
          containers:
          - image: log:1
            name: log
        $ xctl rollout history deployment/none
        error: deployments.apps "none" not found; `xctl get deployments` shows what there is
        [failed]
    "#]]
    .assert_eq(&told.concat());
}

const EVENTS: &str = "
apiVersion: v1
kind: Event
metadata: {name: web.2, namespace: default}
involvedObject: {kind: Pod, name: web, namespace: default, apiVersion: v1}
type: Warning
reason: BackOff
message: Back-off restarting failed container
firstTimestamp: '2026-11-24T09:59:00Z'
lastTimestamp: '2026-11-24T10:00:00Z'
count: 3
---
apiVersion: v1
kind: Event
metadata: {name: web.1, namespace: default}
involvedObject: {kind: Pod, name: web, namespace: default, apiVersion: v1}
type: Normal
reason: Started
message: Started container web
firstTimestamp: '2026-11-24T09:59:30Z'
lastTimestamp: '2026-11-24T09:59:30Z'
count: 1
---
apiVersion: v1
kind: Event
metadata: {name: dns.1, namespace: kube-system}
involvedObject: {kind: Pod, name: dns, namespace: kube-system, apiVersion: v1}
type: Normal
reason: Pulled
message: Image is present
firstTimestamp: '2026-11-24T09:50:00Z'
lastTimestamp: '2026-11-24T09:50:00Z'
count: 1
";

#[tokio::test]
async fn events_are_told_of_oldest_first() {
    let client = cluster().await;
    applied(&client, EVENTS).await;
    let xctl = async |words: &str| format!("$ xctl {words}\n{}", typed(client.clone(), words).await);
    let told = [
        xctl("events").await,
        xctl("events -A --no-headers").await,
        xctl("events --types Warning").await,
        xctl("events --for pod/web --types normal").await,
        xctl("events --for pod/none").await,
        xctl("events --for web").await,
    ];
    expect![[r#"
        $ xctl events
        LAST SEEN   TYPE      REASON    OBJECT    MESSAGE
        35s         Normal    Started   pod/web   Started container web
        5s          Warning   BackOff   pod/web   Back-off restarting failed container
        $ xctl events -A --no-headers
        kube-system   10m         Normal    Pulled    pod/dns   Image is present
        default       35s         Normal    Started   pod/web   Started container web
        default       5s          Warning   BackOff   pod/web   Back-off restarting failed container
        $ xctl events --types Warning
        LAST SEEN   TYPE      REASON    OBJECT    MESSAGE
        5s          Warning   BackOff   pod/web   Back-off restarting failed container
        $ xctl events --for pod/web --types normal
        LAST SEEN   TYPE     REASON    OBJECT    MESSAGE
        35s         Normal   Started   pod/web   Started container web
        $ xctl events --for pod/none
        No events found in default namespace.
        $ xctl events --for web
        error: --for "web": write TYPE/NAME
        [failed]
    "#]]
    .assert_eq(&told.concat());
}

#[tokio::test]
async fn kinds_are_listed_as_asked() {
    let client = cluster().await;
    let xctl = async |words: &str| typed(client.clone(), words).await;
    let names = xctl("api-resources --api-group=apps -o name").await;
    expect![[r"
        controllerrevisions.apps
        daemonsets.apps
        deployments.apps
        replicasets.apps
        statefulsets.apps
    "]]
    .assert_eq(&names);
    let of_the_cluster = xctl("api-resources --namespaced=false --no-headers").await;
    assert!(of_the_cluster.lines().any(|line| line.starts_with("nodes ")), "{of_the_cluster}");
    assert!(!of_the_cluster.contains("pods") && !of_the_cluster.contains("NAME"), "{of_the_cluster}");
}

const SYSTEM: &str = "
apiVersion: v1
kind: Service
metadata: {name: ingress, namespace: kube-system}
spec:
  type: NodePort
  ports: [{name: http, port: 80, nodePort: 30880}, {name: https, port: 443, nodePort: 30443}]
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {kubernetes.io/cluster-service: 'true'}}
spec: {clusterIP: 10.43.0.10, ports: [{port: 53}]}
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: kube-system}
spec: {ports: [{port: 53}]}
";

#[tokio::test]
async fn a_cluster_is_told_of_by_where_it_is_reached() {
    let client = cluster().await;
    applied(&client, SYSTEM).await;
    let server = client.servers()[0].to_string();
    expect![[r"
        Kubernetes control plane is running at SERVER
        ingress is running at port 30880 and 30443 of every node
        kube-dns is running at 10.43.0.10

        `xctl cluster status` shows the masters, and which of them leads.
    "]]
    .assert_eq(&typed(client, "cluster-info").await.replace(&server, "SERVER"));
}

#[tokio::test]
async fn the_versions_of_the_api_are_listed_once_each() {
    let versions = typed(cluster().await, "api-versions").await;
    let lines: Vec<&str> = versions.lines().collect();
    assert!(lines.is_sorted() && !lines.windows(2).any(|pair| pair[0] == pair[1]), "{versions}");
    for wanted in ["v1", "apps/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1", "autoscaling/v2"]
    {
        assert!(lines.contains(&wanted), "{wanted} is not in\n{versions}");
    }
}

const BUSY: &str = "
apiVersion: v1
kind: Node
metadata: {name: n1}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1}
spec:
  nodeName: n1
  containers:
    - {name: web, image: 'web:1', resources: {requests: {cpu: 500m, memory: 1Gi}, limits: {memory: 2Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: web-2}
spec: {containers: [{name: web, image: 'web:1'}]}
---
apiVersion: v1
kind: Event
metadata: {name: web.1, namespace: default}
involvedObject: {kind: Pod, name: web-2, namespace: default, apiVersion: v1}
type: Warning
reason: BackOff
message: Back-off
firstTimestamp: '2026-11-24T09:58:05Z'
lastTimestamp: '2026-11-24T10:00:00Z'
count: 3
";

#[tokio::test]
async fn what_is_described_may_be_named_by_its_beginning_or_a_file() {
    let client = cluster().await;
    applied(&client, BUSY).await;
    let has = Patch::Merge(json!({"status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"}}}));
    let nodes = asked::row("nodes").expect("a kind");
    client.patch_subresource(nodes, "", "n1", "status", &has).await.expect("patched");
    let xctl = async |words: &str| typed(client.clone(), words).await;
    let names = |text: &str| {
        let named = text.lines().filter_map(|line| line.strip_prefix("Name:"));
        named.map(|name| name.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&xctl("describe pod web").await), ["web-1", "web-2"]);
    assert_eq!(names(&xctl("describe pod web-2").await), ["web-2"]);
    let none = "error: pods \"shop\" not found; `xctl get pods` shows what there is\n[failed]\n";
    assert_eq!(xctl("describe pod shop").await, none);
    let told = xctl("describe pod web-2").await;
    assert!(told.contains("BackOff   5s (x3 over 2m)"), "{told}");
    assert!(!xctl("describe pod web-2 --show-events=false").await.contains("Events"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("busy.yaml");
    std::fs::write(&path, BUSY.split("---").take(2).collect::<Vec<_>>().join("---")).expect("written");
    let told = xctl(&format!("describe -f {}", path.display())).await;
    assert_eq!(names(&told), ["n1", "web-1"]);
    let allocated = told.lines().skip_while(|line| *line != "Allocated:").take(4);
    expect![[r"
        Allocated:
          RESOURCE   REQUESTS       LIMITS
          cpu        500m (25%)     0m (0%)
          memory     1024Mi (25%)   2048Mi (50%)"]]
    .assert_eq(&allocated.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn a_pod_is_run_as_it_is_asked_for() {
    let client = cluster().await;
    let xctl = async |words: &str| typed(client.clone(), words).await;
    assert_eq!(xctl("run web --image web:1").await, "pod/web created\n");
    let job = "run job --image job:1 --restart Never --env A=b --env C=d=e -- -v all";
    assert_eq!(xctl(job).await, "pod/job created\n");
    assert_eq!(xctl("run tool --image tool:1 --command -- sh -c true").await, "pod/tool created\n");
    let made = async |name: &str| {
        let text = xctl(&format!("get pod {name} -o json")).await;
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let (web, job, tool) = (made("web").await, made("job").await, made("tool").await);
    assert_eq!(
        (&web["metadata"]["labels"], &web["spec"]["restartPolicy"]),
        (&json!({"run": "web"}), &json!("Always"))
    );
    let container = &job["spec"]["containers"][0];
    assert_eq!((&job["spec"]["restartPolicy"], &container["args"]), (&json!("Never"), &json!(["-v", "all"])));
    assert_eq!(container["env"], json!([{"name": "A", "value": "b"}, {"name": "C", "value": "d=e"}]));
    assert_eq!(tool["spec"]["containers"][0]["command"], json!(["sh", "-c", "true"]));
    expect![[r"
        apiVersion: v1
        kind: Pod
        metadata:
          annotations:
            note: x
          labels:
            app: web
            tier: front
          name: web
        spec:
          containers:
          - image: web:2
            imagePullPolicy: Never
            name: web
            ports:
            - containerPort: 8080
          restartPolicy: Always
    "]]
    .assert_eq(
        &xctl(
            "run web --image=web:2 --port=8080 -l app=web,tier=front --annotations=note=x \
             --image-pull-policy=Never --dry-run=client -o yaml",
        )
        .await,
    );
    assert_eq!(
        xctl("run shop --image web:1 --port 80 --expose").await,
        "service/shop created\npod/shop created\n"
    );
    let selected =
        xctl("get service shop -o jsonpath={.spec.selector.run}:{.spec.ports[0].targetPort}").await;
    assert_eq!(selected, "shop:80");
    for (words, wanted) in [
        (
            "run other --image web:1 --attach --dry-run=client",
            "error: --dry-run makes no pod that could be followed: leave --attach and -i out",
        ),
        ("run web --image web:1", "error: pods \"web\" already exists"),
        (
            "run other --image web:1 --rm",
            "error: --rm deletes what was followed to its end: add --attach or -i",
        ),
        ("run other --image web:1 --env A", "error: --env A: write NAME=VALUE"),
        ("run Other --image web:1", "error: Pod \"Other\" is invalid: metadata.name: "),
    ] {
        let told = xctl(words).await;
        assert!(told.starts_with(wanted) && told.ends_with("[failed]\n"), "{words}: {told}");
    }
}
