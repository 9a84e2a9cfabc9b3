//! A DaemonSet goes back to what its ControllerRevisions keep, against the real API.

use expect_test::expect;
use serde_json::{Value, json};

use super::object;
use super::verbs::Shop;
use crate::asked;

const LOG: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log}
spec:
  selector: {matchLabels: {app: log}}
  template:
    metadata: {labels: {app: log}}
    spec: {containers: [{name: log, image: 'example.com/log:2'}]}
";

/// Keeps the set's template, changed, as its controller does.
async fn keep(shop: &Shop, set: &Value, number: i64, change: impl Fn(&mut Value)) {
    let mut template = set["spec"]["template"].clone();
    change(&mut template);
    template["$patch"] = "replace".into();
    let owner = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "log", "controller": true,
        "uid": set["metadata"]["uid"]});
    let revision = object(&json!({"apiVersion": "apps/v1", "kind": "ControllerRevision",
        "metadata": {"name": format!("log-{number}"), "namespace": "default", "ownerReferences": [owner]},
        "revision": number, "data": {"spec": {"template": template}}}));
    let row = asked::row("controllerrevisions.apps").expect("a kind");
    shop.client.create(row, &revision).await.expect("created");
}

#[tokio::test]
async fn a_daemonset_goes_back_to_an_older_template() {
    let shop = Shop::open().await;
    shop.write("log.yaml", LOG);
    assert_eq!(shop.xctl("apply -f DIR/log.yaml").await, "daemonset.apps/log created\n");
    let alone = shop.xctl("rollout undo ds/log").await;
    assert_eq!(alone, "error: there is no earlier revision: the revisions are none\n[failed]\n");
    let set: Value = serde_json::from_str(&shop.xctl("get ds log -o json").await).expect("JSON");
    keep(&shop, &set, 2, |_| {}).await;
    // Nothing of the newer container may stay, which a patch without a directive would merge.
    keep(&shop, &set, 1, |template| {
        let container = &mut template["spec"]["containers"][0];
        container["name"] = "old".into();
        container["image"] = "example.com/log:1".into();
    })
    .await;
    let lines = r#"
        rollout undo daemonset/log --to-revision 2
        rollout undo daemonset/log
        get ds log -o jsonpath={.spec.template.spec.containers[*].name}:{.spec.template.spec.containers[*].image}{"\n"}
        rollout undo ds log --to-revision 1
        rollout undo ds log --to-revision 7
        rollout undo ds log --to-revision 2
        get ds log -o jsonpath={.spec.template.spec.containers[*].name}:{.spec.template.spec.containers[*].image}{"\n"}
        rollout undo ds/none
        rollout undo statefulset/web
    "#;
    expect![[r#"
        $ xctl rollout undo daemonset/log --to-revision 2
        daemonset.apps/log skipped rollback (current template already matches)
        $ xctl rollout undo daemonset/log
        daemonset.apps/log rolled back
        $ xctl get ds log -o jsonpath={.spec.template.spec.containers[*].name}:{.spec.template.spec.containers[*].image}{"\n"}
        old:example.com/log:1
        $ xctl rollout undo ds log --to-revision 1
        daemonset.apps/log skipped rollback (current template already matches)
        $ xctl rollout undo ds log --to-revision 7
        error: there is no revision 7: the revisions are 2, 1
        [failed]
        $ xctl rollout undo ds log --to-revision 2
        daemonset.apps/log rolled back
        $ xctl get ds log -o jsonpath={.spec.template.spec.containers[*].name}:{.spec.template.spec.containers[*].image}{"\n"}
        log:example.com/log:2
        $ xctl rollout undo ds/none
        error: daemonsets.apps "none" not found; `xctl get daemonsets` shows what there is
        [failed]
        $ xctl rollout undo statefulset/web
        error: undo: only deployments and daemonsets keep their older templates so far
        [failed]
    "#]]
    .assert_eq(&shop.session(lines).await);
    let history = shop.xctl("rollout history ds/log --revision 1").await;
    assert!(history.contains("example.com/log:1") && !history.contains("$patch"), "{history}");
}
