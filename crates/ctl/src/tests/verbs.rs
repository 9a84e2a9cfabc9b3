//! The verbs that change things, against the real API, in kubectl's words.

use expect_test::expect;
use serde_json::json;
use xebec_client::Patch;

use super::real::cluster;
use super::typed;
use crate::asked;

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: 'example.com/web:1', ports: [{containerPort: 8080}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: paint}
data: {color: red}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
";

/// A cluster with a Deployment, a ConfigMap and a node, and a folder for files, `DIR`.
pub(super) struct Shop {
    pub(super) client: xebec_client::Client,
    pub(super) folder: tempfile::TempDir,
}

impl Shop {
    pub(super) async fn open() -> Self {
        let shop = Self { client: cluster().await, folder: tempfile::tempdir().expect("a folder") };
        shop.write("web.yaml", WEB);
        let made = shop.xctl("apply -f DIR/web.yaml").await;
        assert_eq!(made, "deployment.apps/web created\nconfigmap/paint created\nnode/n1 created\n");
        shop
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("written");
    }

    pub(super) async fn xctl(&self, words: &str) -> String {
        let words = words.replace("DIR", &self.folder.path().display().to_string());
        typed(self.client.clone(), &words).await
    }

    /// Several command lines, each with what it prints.
    pub(super) async fn session(&self, lines: &str) -> String {
        let mut text = String::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            text.push_str(&format!("$ xctl {line}\n{}", self.xctl(line).await));
        }
        text
    }
}

#[tokio::test]
async fn templates_are_set_patched_and_replaced() {
    let shop = Shop::open().await;
    shop.write(
        "paint.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: paint}\ndata: {shape: round}\n",
    );
    let lines = r#"
        set image deployment/web web=example.com/web:2
        set image deployment/web web=example.com/web:2
        set image deployment/web wbe=example.com/web:2
        set env deploy web COLOR=blue
        set env deploy web --from=configmap/paint --prefix=PAINT_
        set env deploy web --list
        set env deploy web --from=configmap/paint --keys=shape
        set env deploy web --from=node/n1
        set image deploy web web=example.com/web:9 --dry-run=server
        set image deploy web web=example.com/web:9 --dry-run=client -o name
        set resources deploy web --limits memory=64Mi
        get deploy web -o jsonpath={.spec.template.spec.containers[0].image}{"\n"}
        patch cm paint --type merge -p {"data":{"color":"blue"}}
        patch cm paint --type merge -p {"data":{"color":"blue"}}
        patch deploy web -p {"spec":{"template":{"spec":{"containers":[{"name":"log","image":"example.com/log:1"}]}}}}
        get deploy web -o jsonpath={.spec.template.spec.containers[*].image}{"\n"}
        patch cm paint --type json -p [{"op":"remove","path":"/data/color"}]
        patch cm paint --type json -p {}
        replace -f DIR/paint.yaml
        get cm paint -o jsonpath={.data}{"\n"}
        patch -f DIR/paint.yaml --type merge -p {"data":{"shape":"flat"}} -o name
        apply -f DIR/paint.yaml -o name
        get cm paint -o jsonpath={.data.shape}{"\n"}
        patch cm -p {"data":{}}
        rollout pause deploy/web
        rollout pause deploy/web
        rollout resume deploy/web
    "#;
    expect![[r#"
        $ xctl set image deployment/web web=example.com/web:2
        deployment.apps/web image updated
        $ xctl set image deployment/web web=example.com/web:2
        $ xctl set image deployment/web wbe=example.com/web:2
        error: web has no container "wbe"
        [failed]
        $ xctl set env deploy web COLOR=blue
        deployment.apps/web env updated
        $ xctl set env deploy web --from=configmap/paint --prefix=PAINT_
        deployment.apps/web env updated
        $ xctl set env deploy web --list
        # deployment.apps/web, container web
        COLOR=blue
        # PAINT_COLOR from {"configMapKeyRef":{"key":"color","name":"paint"}}
        $ xctl set env deploy web --from=configmap/paint --keys=shape
        error: --keys: configmap/paint has no key "shape"
        [failed]
        $ xctl set env deploy web --from=node/n1
        error: --from node/n1: write configmap/NAME or secret/NAME
        [failed]
        $ xctl set image deploy web web=example.com/web:9 --dry-run=server
        deployment.apps/web image updated (server dry run)
        $ xctl set image deploy web web=example.com/web:9 --dry-run=client -o name
        deployment.apps/web
        $ xctl set resources deploy web --limits memory=64Mi
        deployment.apps/web resource requirements updated
        $ xctl get deploy web -o jsonpath={.spec.template.spec.containers[0].image}{"\n"}
        example.com/web:2
        $ xctl patch cm paint --type merge -p {"data":{"color":"blue"}}
        configmap/paint patched
        $ xctl patch cm paint --type merge -p {"data":{"color":"blue"}}
        configmap/paint patched (no change)
        $ xctl patch deploy web -p {"spec":{"template":{"spec":{"containers":[{"name":"log","image":"example.com/log:1"}]}}}}
        deployment.apps/web patched
        $ xctl get deploy web -o jsonpath={.spec.template.spec.containers[*].image}{"\n"}
        example.com/log:1 example.com/web:2
        $ xctl patch cm paint --type json -p [{"op":"remove","path":"/data/color"}]
        configmap/paint patched
        $ xctl patch cm paint --type json -p {}
        error: a JSON patch is a list of operations: [{"op": …, "path": …, "value": …}]
        [failed]
        $ xctl replace -f DIR/paint.yaml
        configmap/paint replaced
        $ xctl get cm paint -o jsonpath={.data}{"\n"}
        {"shape":"round"}
        $ xctl patch -f DIR/paint.yaml --type merge -p {"data":{"shape":"flat"}} -o name
        configmap/paint
        $ xctl apply -f DIR/paint.yaml -o name
        configmap/paint
        $ xctl get cm paint -o jsonpath={.data.shape}{"\n"}
        round
        $ xctl patch cm -p {"data":{}}
        error: name the configmap: write configmap NAME
        [failed]
        $ xctl rollout pause deploy/web
        deployment.apps/web paused
        $ xctl rollout pause deploy/web
        error: deployment.apps/web is already paused
        [failed]
        $ xctl rollout resume deploy/web
        deployment.apps/web resumed
    "#]]
    .assert_eq(&shop.session(lines).await);
}

#[tokio::test]
async fn nodes_are_chosen_by_label_and_by_type_and_name() {
    let shop = Shop::open().await;
    let lines = "
        label node n1 tier=front
        cordon -l tier=front --dry-run=client
        cordon -l tier=front
        uncordon nodes/n1
        cordon pod/n1
        cordon -l tier=none
        drain -l tier=front --dry-run=client
    ";
    expect![[r#"
        $ xctl label node n1 tier=front
        node/n1 labeled
        $ xctl cordon -l tier=front --dry-run=client
        node/n1 cordoned (dry run)
        $ xctl cordon -l tier=front
        node/n1 cordoned
        $ xctl uncordon nodes/n1
        node/n1 uncordoned
        $ xctl cordon pod/n1
        error: "pod/n1": this is no node: write NAME or node/NAME
        [failed]
        $ xctl cordon -l tier=none
        error: no node has these labels: `xctl get nodes --show-labels` shows what there is
        [failed]
        $ xctl drain -l tier=front --dry-run=client
        node/n1 cordoned (dry run)
        node/n1 drained (dry run)
    "#]]
    .assert_eq(&shop.session(lines).await);
}

#[tokio::test]
async fn nodes_are_tainted_and_drained() {
    let shop = Shop::open().await;
    let lines = r#"
        taint nodes n1 role=db:NoSchedule
        taint nodes n1 role=web:NoSchedule
        taint nodes n1 role=web:NoSchedule --overwrite
        get node n1 -o jsonpath={.spec.taints}{"\n"}
        taint nodes n1 role-
        drain n1
        uncordon n1
    "#;
    expect![[r#"
        $ xctl taint nodes n1 role=db:NoSchedule
        node/n1 tainted
        $ xctl taint nodes n1 role=web:NoSchedule
        error: node n1 already has role taint(s) with same effect(s) and --overwrite is false
        [failed]
        $ xctl taint nodes n1 role=web:NoSchedule --overwrite
        node/n1 tainted
        $ xctl get node n1 -o jsonpath={.spec.taints}{"\n"}
        [{"effect":"NoSchedule","key":"role","value":"web"}]
        $ xctl taint nodes n1 role-
        node/n1 untainted
        $ xctl drain n1
        node/n1 cordoned
        node/n1 drained
        $ xctl uncordon n1
        node/n1 uncordoned
    "#]]
    .assert_eq(&shop.session(lines).await);
}

#[tokio::test]
async fn nodes_are_cordoned_and_objects_labelled() {
    let shop = Shop::open().await;
    let lines = r#"
        cordon n1
        cordon node/n1
        get node n1 -o jsonpath={.spec.unschedulable}{"\n"}
        uncordon n1
        uncordon n1
        get node n1 -o jsonpath={.spec.unschedulable}{"\n"}
        cordon n2
        label node n1 tier=front
        label node n1 tier=front
        label node n1 tier=back
        label node n1 tier=back --overwrite
        get nodes -l tier=back -o name
        label node n1 tier-
        get nodes -l tier -o name
        annotate cm paint note=bright
        annotate cm/paint note=dark
        annotate cm paint note=dark --overwrite
        get cm paint -o jsonpath={.metadata.annotations.note}{"\n"}
        annotate cm paint note-
    "#;
    expect![[r#"
        $ xctl cordon n1
        node/n1 cordoned
        $ xctl cordon node/n1
        node/n1 already cordoned
        $ xctl get node n1 -o jsonpath={.spec.unschedulable}{"\n"}
        true
        $ xctl uncordon n1
        node/n1 uncordoned
        $ xctl uncordon n1
        node/n1 already uncordoned
        $ xctl get node n1 -o jsonpath={.spec.unschedulable}{"\n"}

        $ xctl cordon n2
        error: nodes "n2" not found; `xctl get nodes` shows what there is
        [failed]
        $ xctl label node n1 tier=front
        node/n1 labeled
        $ xctl label node n1 tier=front
        node/n1 not labeled
        $ xctl label node n1 tier=back
        error: node/n1 has tier already: say --overwrite to replace its value
        [failed]
        $ xctl label node n1 tier=back --overwrite
        node/n1 labeled
        $ xctl get nodes -l tier=back -o name
        node/n1
        $ xctl label node n1 tier-
        node/n1 unlabeled
        $ xctl get nodes -l tier -o name
        $ xctl annotate cm paint note=bright
        configmap/paint annotated
        $ xctl annotate cm/paint note=dark
        error: configmap/paint has note already: say --overwrite to replace its value
        [failed]
        $ xctl annotate cm paint note=dark --overwrite
        configmap/paint annotated
        $ xctl get cm paint -o jsonpath={.metadata.annotations.note}{"\n"}
        dark
        $ xctl annotate cm paint note-
        configmap/paint annotated
    "#]]
    .assert_eq(&shop.session(lines).await);
}

#[tokio::test]
async fn deployments_are_scaled_restarted_and_followed() {
    let shop = Shop::open().await;
    let lines = r#"
        scale deployment web --replicas 3
        scale deploy/web --replicas 1 --current-replicas 2
        get deploy web -o jsonpath={.spec.replicas}{"\n"}
        rollout restart deployment/web
        rollout status deploy/web --watch=false
        rollout status deploy/none
    "#;
    expect![[r#"
        $ xctl scale deployment web --replicas 3
        deployment.apps/web scaled
        $ xctl scale deploy/web --replicas 1 --current-replicas 2
        error: deployment.apps/web has 3 replicas, not 2
        [failed]
        $ xctl get deploy web -o jsonpath={.spec.replicas}{"\n"}
        3
        $ xctl rollout restart deployment/web
        deployment.apps/web restarted
        $ xctl rollout status deploy/web --watch=false
        Waiting for deployment spec update to be observed...
        $ xctl rollout status deploy/none
        error: deployments.apps "none" not found; `xctl get deployments` shows what there is
        [failed]
    "#]]
    .assert_eq(&shop.session(lines).await);
    let annotations = shop.xctl("get deploy web -o jsonpath={.spec.template.metadata.annotations}").await;
    assert!(annotations.contains("kubectl.kubernetes.io/restartedAt"), "{annotations}");
    // As a controller says that it is done, while somebody looks on.
    let deployments = asked::row("deployments").expect("a kind");
    let web = shop.client.get(deployments, "default", "web").await.expect("it is there");
    let status = json!({"observedGeneration": web.generation(), "replicas": 3, "updatedReplicas": 3,
        "readyReplicas": 3, "availableReplicas": 3});
    let patch = Patch::Merge(json!({"status": status}));
    let (followed, patched) = tokio::join!(
        shop.xctl("rollout status deploy/web --timeout 20s"),
        shop.client.patch_subresource(deployments, "default", "web", "status", &patch),
    );
    patched.expect("patched");
    assert!(followed.ends_with("deployment \"web\" successfully rolled out\n"), "{followed}");
}

#[tokio::test]
async fn objects_are_shown_as_asked() {
    let shop = Shop::open().await;
    let lines = r#"
        expose deployment web --port 80 --target-port 8080
        get svc web -o jsonpath={.spec.selector.app}:{.spec.ports[0].targetPort}{"\n"}
        expose deployment web --name inner --port 80 --selector=app=web,tier=back -l team=red --cluster-ip=None
        get svc inner -o jsonpath={.spec.selector}{.metadata.labels}{.spec.clusterIP}{"\n"}
        expose deployment web --name odd --port 80 --selector=app
        delete svc inner
        get deploy,svc -o name
        get cm,deploy -o custom-columns=KIND:.kind,NAME:.metadata.name,COLOR:.data.color
        get cm --sort-by .metadata.name -L app
        get deploy --show-labels --no-headers
        get -f DIR/web.yaml -o name
        get cm --show-kind --no-headers
        get cm -o jsonpath-as-json={.items[*].data}
        why cm paint
        why deployment/web
    "#;
    expect![[r#"
        $ xctl expose deployment web --port 80 --target-port 8080
        service/web exposed
        $ xctl get svc web -o jsonpath={.spec.selector.app}:{.spec.ports[0].targetPort}{"\n"}
        web:8080
        $ xctl expose deployment web --name inner --port 80 --selector=app=web,tier=back -l team=red --cluster-ip=None
        service/inner exposed
        $ xctl get svc inner -o jsonpath={.spec.selector}{.metadata.labels}{.spec.clusterIP}{"\n"}
        {"app":"web","tier":"back"}{"team":"red"}None
        $ xctl expose deployment web --name odd --port 80 --selector=app
        error: --selector app: write KEY=VALUE
        [failed]
        $ xctl delete svc inner
        service/inner deleted
        $ xctl get deploy,svc -o name
        deployment.apps/web
        service/web
        $ xctl get cm,deploy -o custom-columns=KIND:.kind,NAME:.metadata.name,COLOR:.data.color
        KIND         NAME    COLOR
        ConfigMap    paint   red
        Deployment   web     <none>
        $ xctl get cm --sort-by .metadata.name -L app
        NAME    DATA   AGE   APP
        paint   1      5s    <none>
        $ xctl get deploy --show-labels --no-headers
        web   0/2   0   0   5s   app=web
        $ xctl get -f DIR/web.yaml -o name
        deployment.apps/web
        configmap/paint
        node/n1
        $ xctl get cm --show-kind --no-headers
        configmap/paint   1   5s
        $ xctl get cm -o jsonpath-as-json={.items[*].data}
        [
          {
            "color": "red"
          }
        ]
        $ xctl why cm paint
        ConfigMap paint has 1 key, and nothing in namespace default uses it.
        $ xctl why deployment/web
        Deployment web was changed, and no controller has taken that up yet. That takes a moment only; if it does not pass, see whether a master leads: `xctl cluster status`.
    "#]].assert_eq(&shop.session(lines).await);
}

#[tokio::test]
async fn many_objects_are_chosen_at_once() {
    let shop = Shop::open().await;
    shop.write(
        "deploy.yaml",
        &WEB.split("---").next().expect("the first").replacen("name: web,", "name: shop,", 1),
    );
    let lines = r#"
        apply -f DIR/deploy.yaml,DIR/web.yaml
        label cm --all tier=front
        label cm --list -l tier=front
        scale deploy -l app=web --replicas 3
        scale -f DIR/deploy.yaml --replicas 4
        get deploy -o jsonpath={.items[*].spec.replicas}{"\n"}
        set image deploy --all web=example.com/web:3
        set image -f DIR/deploy.yaml web=example.com/web:4
        taint nodes --all role=db:NoSchedule
        taint nodes --all role-
        wait deploy --all -A --for jsonpath={.spec.selector}
        wait deploy web -A --for create
        rollout restart deployment
        rollout status deploy -l app=web --watch=false
        rollout status ds
        rollout restart rs
        delete cm -l tier=none
        delete cm,deploy --all --dry-run=client -o name
        delete deploy --all -A --now
    "#;
    expect![[r#"
        $ xctl apply -f DIR/deploy.yaml,DIR/web.yaml
        deployment.apps/shop created
        deployment.apps/web unchanged
        configmap/paint unchanged
        node/n1 unchanged
        $ xctl label cm --all tier=front
        configmap/paint labeled
        $ xctl label cm --list -l tier=front
        tier=front
        $ xctl scale deploy -l app=web --replicas 3
        deployment.apps/shop scaled
        deployment.apps/web scaled
        $ xctl scale -f DIR/deploy.yaml --replicas 4
        deployment.apps/shop scaled
        $ xctl get deploy -o jsonpath={.items[*].spec.replicas}{"\n"}
        4 3
        $ xctl set image deploy --all web=example.com/web:3
        deployment.apps/shop image updated
        deployment.apps/web image updated
        $ xctl set image -f DIR/deploy.yaml web=example.com/web:4
        deployment.apps/shop image updated
        $ xctl taint nodes --all role=db:NoSchedule
        node/n1 tainted
        $ xctl taint nodes --all role-
        node/n1 untainted
        $ xctl wait deploy --all -A --for jsonpath={.spec.selector}
        deployment.apps/shop condition met
        deployment.apps/web condition met
        $ xctl wait deploy web -A --for create
        error: -A goes with -l, --field-selector or --all: names are of one namespace
        [failed]
        $ xctl rollout restart deployment
        deployment.apps/shop restarted
        deployment.apps/web restarted
        $ xctl rollout status deploy -l app=web --watch=false
        Waiting for deployment spec update to be observed...
        Waiting for deployment spec update to be observed...
        $ xctl rollout status ds
        error: there is none of these in namespace default
        [failed]
        $ xctl rollout restart rs
        error: replicasets have no rollouts: deployments, daemonsets and statefulsets do
        [failed]
        $ xctl delete cm -l tier=none
        No resources found
        $ xctl delete cm,deploy --all --dry-run=client -o name
        configmap/paint
        deployment.apps/shop
        deployment.apps/web
        $ xctl delete deploy --all -A --now
        deployment.apps/shop deleted
        deployment.apps/web deleted
    "#]]
    .assert_eq(&shop.session(lines).await);
}

#[tokio::test]
async fn files_are_read_by_every_command_alike() {
    let shop = Shop::open().await;
    shop.write("other.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {a: b}\n");
    let lines = "
        create -f DIR/other.yaml --dry-run=client -o yaml
        create --dry-run=client configmap x -o yaml
        create -n default configmap x --dry-run=client -o yaml
        create -f DIR -R --dry-run=client -o name
        create -f DIR/other.yaml configmap x
        get cm -o name
        apply
        apply -f https://example.com/web.yaml
        replace -f DIR/none.yaml
    ";
    let folder = shop.folder.path().display().to_string();
    expect![[r#"
        $ xctl create -f DIR/other.yaml --dry-run=client -o yaml
        apiVersion: v1
        data:
          a: b
        kind: ConfigMap
        metadata:
          name: other
          namespace: default
        $ xctl create --dry-run=client configmap x -o yaml
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: x
        $ xctl create -n default configmap x --dry-run=client -o yaml
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: x
          namespace: default
        $ xctl create -f DIR -R --dry-run=client -o name
        configmap/other
        deployment.apps/web
        configmap/paint
        node/n1
        $ xctl create -f DIR/other.yaml configmap x
        error: give files, or a kind and its name, not both
        [failed]
        $ xctl get cm -o name
        configmap/paint
        $ xctl apply
        error: name what is meant by -f: a file, a folder, or - for standard input
        [failed]
        $ xctl apply -f https://example.com/web.yaml
        error: https://example.com/web.yaml is an address, and xctl reads files: `curl -fsSL https://example.com/web.yaml` fetches it, pass that on to -f -
        [failed]
        $ xctl replace -f DIR/none.yaml
        error: read DIR/none.yaml: No such file or directory (os error 2)
        [failed]
    "#]]
    .assert_eq(&shop.session(lines).await.replace(&folder, "DIR"));
}

#[tokio::test]
async fn what_is_named_and_not_there_is_not_shown_as_an_empty_list() {
    let shop = Shop::open().await;
    shop.write("none.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: none}\n");
    let lines = "
        get cm none -o yaml
        get cm/none -o jsonpath={.data} --ignore-not-found
        get cm none --ignore-not-found
        get -f DIR/none.yaml --ignore-not-found=true -o json
        get secrets -o jsonpath={.items}
    ";
    expect![[r#"
        $ xctl get cm none -o yaml
        error: configmaps "none" not found; `xctl get configmaps` shows what there is
        [failed]
        $ xctl get cm/none -o jsonpath={.data} --ignore-not-found
        $ xctl get cm none --ignore-not-found
        $ xctl get -f DIR/none.yaml --ignore-not-found=true -o json
        $ xctl get secrets -o jsonpath={.items}
        []"#]]
    .assert_eq(&shop.session(lines).await);
}

#[tokio::test]
async fn what_is_only_tried_changes_nothing() {
    let shop = Shop::open().await;
    let lines = r#"
        create configmap other --from-literal a=1 --dry-run=server
        create configmap other --from-literal a=1 --dry-run=client
        patch cm paint -p {"data":{"color":"green"}} --dry-run=server
        delete cm paint --dry-run=client
        delete cm paint --dry-run=server
        get cm -o name
        get cm paint -o jsonpath={.data.color}{"\n"}
    "#;
    expect![[r#"
        $ xctl create configmap other --from-literal a=1 --dry-run=server
        configmap/other created (server dry run)
        $ xctl create configmap other --from-literal a=1 --dry-run=client
        configmap/other created (dry run)
        $ xctl patch cm paint -p {"data":{"color":"green"}} --dry-run=server
        configmap/paint patched (server dry run)
        $ xctl delete cm paint --dry-run=client
        configmap/paint deleted (dry run)
        $ xctl delete cm paint --dry-run=server
        configmap/paint deleted (server dry run)
        $ xctl get cm -o name
        configmap/paint
        $ xctl get cm paint -o jsonpath={.data.color}{"\n"}
        red
    "#]]
    .assert_eq(&shop.session(lines).await);
}

#[tokio::test]
async fn one_is_told_who_one_is_and_what_one_may_do() {
    let shop = Shop::open().await;
    let lines = "
        auth can-i delete pods
        auth can-i get pods/web --subresource log
        auth can-i * *
        auth can-i get /metrics
        create role reader --verb=list --resource=pods
        create rolebinding readers --role=reader --serviceaccount=default:web
        auth can-i list pods --as=system:serviceaccount:default:web
        auth can-i delete pods --as=system:serviceaccount:default:web
        auth can-i list pods --as=jane --as-group=system:masters
        auth whoami
    ";
    expect![[r#"
        $ xctl auth can-i delete pods
        yes
        $ xctl auth can-i get pods/web --subresource log
        yes
        $ xctl auth can-i * *
        yes
        $ xctl auth can-i get /metrics
        yes
        $ xctl create role reader --verb=list --resource=pods
        role.rbac.authorization.k8s.io/reader created
        $ xctl create rolebinding readers --role=reader --serviceaccount=default:web
        rolebinding.rbac.authorization.k8s.io/readers created
        $ xctl auth can-i list pods --as=system:serviceaccount:default:web
        yes
        $ xctl auth can-i delete pods --as=system:serviceaccount:default:web
        no
        [failed]
        $ xctl auth can-i list pods --as=jane --as-group=system:masters
        yes
        $ xctl auth whoami
        ATTRIBUTE   VALUE
        Username    xebec-admin
        Groups      [system:masters system:authenticated]
    "#]]
    .assert_eq(&shop.session(lines).await);
}

#[tokio::test]
async fn all_that_one_may_do_is_listed() {
    let shop = Shop::open().await;
    let listed = shop.xctl("auth can-i --list").await;
    let mut lines = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    assert_eq!(lines.next().as_deref(), Some("Resources Non-Resource URLs Resource Names Verbs"));
    assert!(lines.any(|line| line == "*.* [] [] [*]"), "{listed}");
}

#[tokio::test]
async fn waiting_ends_with_what_is_waited_for() {
    let shop = Shop::open().await;
    let lines = r#"
        wait deploy/web --for jsonpath={.spec.replicas}=2
        wait cm/paint --for create
        wait cm/none --for delete
        wait deploy/web --for condition=Available --timeout 0
        wait cm/none --for condition=Ready
        wait cm/paint --for create --timeout=-1s
    "#;
    expect![[r#"
        $ xctl wait deploy/web --for jsonpath={.spec.replicas}=2
        deployment.apps/web condition met
        $ xctl wait cm/paint --for create
        configmap/paint condition met
        $ xctl wait cm/none --for delete
        configmap/none condition met
        $ xctl wait deploy/web --for condition=Available --timeout 0
        error: timed out waiting for the condition on deployments/web
        [failed]
        $ xctl wait cm/none --for condition=Ready
        error: configmaps "none" not found; `xctl get configmaps` shows what there is
        [failed]
        $ xctl wait cm/paint --for create --timeout=-1s
        configmap/paint condition met
    "#]]
    .assert_eq(&shop.session(lines).await);
    let (waited, deleted) =
        tokio::join!(shop.xctl("wait cm/paint --for delete --timeout 20s"), shop.xctl("delete cm paint"));
    assert_eq!(
        (waited.as_str(), deleted.as_str()),
        ("configmap/paint condition met\n", "configmap/paint deleted\n")
    );
}
