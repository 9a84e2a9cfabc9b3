//! Which pods leave a node, which stay, and which may not be touched without a word from
//! the user. In kubectl's words.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::is_terminal;

use super::DrainArgs;

/// See the module.
#[derive(Default)]
pub(super) struct Plan<'a> {
    pub(super) leaving: Vec<&'a Object>,
    pub(super) warnings: Vec<String>,
    /// Nothing is done while there is one of these.
    pub(super) refused: Vec<String>,
}

/// A list of pods, and the word about it.
struct Group {
    names: Vec<String>,
    allowed: bool,
    warning: &'static str,
    refusal: &'static str,
}

/// Sorts the pods of a node.
pub(super) fn of<'a>(pods: &'a [Object], args: &DrainArgs) -> Plan<'a> {
    let mut plan = Plan::default();
    let group = |allowed, warning, refusal| Group { names: Vec::new(), allowed, warning, refusal };
    let mut groups = [
        group(
            args.ignore_daemonsets,
            "ignoring DaemonSet-managed Pods",
            "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)",
        ),
        group(
            args.delete_emptydir_data,
            "deleting Pods with local storage",
            "cannot delete Pods with local storage (use --delete-emptydir-data to override)",
        ),
        group(
            args.force,
            "deleting Pods that declare no controller",
            "cannot delete Pods that declare no controller (use --force to override)",
        ),
    ];
    let [daemons, local, alone] = &mut groups;
    for pod in pods {
        let name = format!("{}/{}", pod.namespace(), pod.name());
        if is_terminal(pod) {
            plan.leaving.push(pod);
        } else if controller(pod) == Some("DaemonSet") {
            daemons.names.push(name);
        } else {
            if has_local_storage(pod) {
                local.names.push(name.clone());
            }
            if controller(pod).is_none() {
                alone.names.push(name);
            }
            plan.leaving.push(pod);
        }
    }
    for group in groups.into_iter().filter(|group| !group.names.is_empty()) {
        let names = group.names.join(", ");
        if !group.allowed {
            plan.refused.push(format!("{}: {names}", group.refusal));
        } else {
            plan.warnings.push(format!("{}: {names}", group.warning));
        }
    }
    plan
}

fn controller(pod: &Object) -> Option<&str> {
    let owners = pod.get(&["metadata", "ownerReferences"])?.as_array()?;
    let owner = owners.iter().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
    owner.get("kind")?.as_str()
}

fn has_local_storage(pod: &Object) -> bool {
    let volumes = pod.get(&["spec", "volumes"]).and_then(Value::as_array);
    volumes.into_iter().flatten().any(|volume| volume.get("emptyDir").is_some())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn pod(name: &str, owner: Option<&str>, spec: &Value, phase: &str) -> Object {
        let owners: Vec<Value> =
            owner.map(|kind| json!({"kind": kind, "controller": true})).into_iter().collect();
        let value = json!({"metadata": {"name": name, "namespace": "default", "ownerReferences": owners},
            "spec": spec, "status": {"phase": phase}});
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    fn planned(options: &str) -> String {
        let pods = [
            pod("web", Some("ReplicaSet"), &json!({}), "Running"),
            pod("proxy", Some("DaemonSet"), &json!({}), "Running"),
            pod("cache", Some("ReplicaSet"), &json!({"volumes": [{"name": "a", "emptyDir": {}}]}), "Running"),
            pod("alone", None, &json!({}), "Running"),
            pod("done", None, &json!({}), "Succeeded"),
        ];
        let words = ["xctl", "drain", "n1"].into_iter().chain(options.split_whitespace());
        let cli = crate::cli::Cli::try_parse_from(words).expect("a command");
        let crate::cli::Command::Drain(args) = cli.command else { panic!("drain") };
        let plan = of(&pods, &args);
        let names: Vec<&str> = plan.leaving.iter().map(|pod| pod.name()).collect();
        format!("{}\n{}\n{}\n", names.join(" "), plan.warnings.join("\n"), plan.refused.join("\n"))
    }

    #[test]
    fn pods_leave_as_far_as_the_user_allows() {
        expect![[r#"
            web cache alone done

            cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): default/proxy
            cannot delete Pods with local storage (use --delete-emptydir-data to override): default/cache
            cannot delete Pods that declare no controller (use --force to override): default/alone
        "#]]
        .assert_eq(&planned(""));
        expect![[r#"
            web cache alone done
            ignoring DaemonSet-managed Pods: default/proxy
            deleting Pods with local storage: default/cache
            deleting Pods that declare no controller: default/alone

        "#]]
        .assert_eq(&planned("--ignore-daemonsets --delete-emptydir-data --force"));
    }
}
