//! The Pod Security Standards: what the levels `baseline` and `restricted` forbid a pod. Pure; the rules are those of
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/>, the words those of its admission.

mod baseline;
mod restricted;

use serde_json::Value;

use crate::object::Object;

/// What a namespace's label is about, such as `enforce`, stands behind this.
const LABEL: &str = "pod-security.kubernetes.io/";

/// How much a pod may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Privileged,
    /// Nothing by which it could easily get at its node.
    Baseline,
    /// As little as most programs can live with.
    Restricted,
}

impl Level {
    /// By its name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "privileged" => Some(Self::Privileged),
            "baseline" => Some(Self::Baseline),
            "restricted" => Some(Self::Restricted),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// The label of a namespace that says the level of a mode: `enforce`, `audit` or `warn`.
#[must_use]
pub fn label(mode: &str) -> String {
    format!("{LABEL}{mode}")
}

/// What is wrong with a pod's spec at the level that a namespace has for a mode: `violates PodSecurity
/// "restricted:latest": …`, without its verb; nothing where all is well.
#[must_use]
pub fn violation(namespace: &Object, mode: &str, spec: &Value) -> Option<String> {
    let said = |label: &str| namespace.text(&["metadata", "labels", label]).to_owned();
    let level = Level::parse(&said(&label(mode)))?;
    let found = violations(level, spec);
    let version = said(&label(&format!("{mode}-version")));
    let version = if version.is_empty() { "latest" } else { &version };
    (!found.is_empty()).then(|| format!("PodSecurity \"{}:{version}\": {}", level.as_str(), found.join(", ")))
}

/// Every broken rule, such as `host namespaces (hostNetwork=true)`.
#[must_use]
pub fn violations(level: Level, spec: &Value) -> Vec<String> {
    let pod = Pod { spec };
    let found = match level {
        Level::Privileged => Vec::new(),
        Level::Baseline => baseline::check(&pod, false),
        Level::Restricted => [baseline::check(&pod, true), restricted::check(&pod)].concat(),
    };
    found.into_iter().map(|(reason, detail)| format!("{reason} ({detail})")).collect()
}

/// A rule and how it is broken.
type Broken = (&'static str, String);

/// A pod's spec.
struct Pod<'a> {
    spec: &'a Value,
}

impl<'a> Pod<'a> {
    fn items(&self, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.spec.get(field).and_then(Value::as_array).into_iter().flatten()
    }

    fn containers(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        let lists = ["initContainers", "containers", "ephemeralContainers"].map(|field| self.items(field));
        lists.into_iter().flatten()
    }

    /// The containers of which something is true, as a sentence begins with them.
    fn those(&self, is_meant: impl Fn(&Value) -> bool) -> Option<String> {
        let meant = self.containers().filter(|container| is_meant(container));
        named("container", &meant.map(name).collect::<Vec<_>>())
    }

    /// The pod itself and the containers whose security context has something wrong in it.
    fn setters(&self, is_wrong: impl Fn(&Value) -> bool) -> Option<String> {
        let pod = is_wrong(context(self.spec)).then(|| "pod".to_owned());
        let setters: Vec<String> =
            pod.into_iter().chain(self.those(|container| is_wrong(context(container)))).collect();
        (!setters.is_empty()).then(|| setters.join(" and "))
    }
}

static NOTHING: Value = Value::Null;

/// The security context of a pod or a container.
fn context(of: &Value) -> &Value {
    of.get("securityContext").unwrap_or(&NOTHING)
}

fn name(of: &Value) -> &str {
    of.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// `container "a"` or `containers "a", "b"`; nothing of none.
fn named(what: &str, names: &[&str]) -> Option<String> {
    let plural = if names.len() == 1 { "" } else { "s" };
    (!names.is_empty()).then(|| format!("{what}{plural} {}", quoted(names)))
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// The texts of a list, such as the capabilities that are added.
fn texts<'a>(of: &'a Value, pointer: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    of.pointer(pointer).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn told(level: Level, spec: &Value) -> String {
        violations(level, spec).join("\n") + "\n"
    }

    #[test]
    fn a_plain_pod_is_fine_but_for_the_strictest() {
        let plain =
            json!({"containers": [{"name": "a"}, {"name": "b"}], "volumes": [{"name": "v", "emptyDir": {}}]});
        assert_eq!([told(Level::Privileged, &plain), told(Level::Baseline, &plain)], ["\n", "\n"]);
        expect![[r#"
            allowPrivilegeEscalation != false (containers "a", "b" must set securityContext.allowPrivilegeEscalation=false)
            unrestricted capabilities (containers "a", "b" must set securityContext.capabilities.drop=["ALL"])
            runAsNonRoot != true (pod or containers "a", "b" must set securityContext.runAsNonRoot=true)
            seccompProfile (pod or containers "a", "b" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")
        "#]]
        .assert_eq(&told(Level::Restricted, &plain));
        let own = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}});
        let mut careful = json!({"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "a", "securityContext": own}], "volumes": [{"name": "v", "configMap": {}}]});
        assert_eq!(told(Level::Restricted, &careful), "\n");
        careful["containers"][0]["securityContext"]["runAsNonRoot"] = false.into();
        careful["containers"][0]["securityContext"]["runAsUser"] = 0.into();
        careful["securityContext"]["seccompProfile"]["type"] = "Unconfined".into();
        careful["volumes"] = json!([{"name": "v", "nfs": {}}, {"name": "w", "hostPath": {}}]);
        expect![[r#"
            restricted volume types (volumes "v", "w" use restricted volume types "nfs", "hostPath")
            runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false)
            runAsUser=0 (container "a" must not set runAsUser=0)
            seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")
        "#]]
        .assert_eq(&told(Level::Restricted, &careful));
    }

    #[test]
    fn what_reaches_the_node_is_not_the_base_line() {
        let dangerous = json!({"hostNetwork": true, "hostPID": true,
            "securityContext": {"sysctls": [{"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_syncookies"}],
                "seLinuxOptions": {"type": "spc_t"}, "appArmorProfile": {"type": "Unconfined"}},
            "volumes": [{"name": "root", "hostPath": {"path": "/"}}],
            "initContainers": [{"name": "i", "securityContext": {"privileged": true}}],
            "containers": [{"name": "a", "ports": [{"hostPort": 80}, {"containerPort": 81}],
                "livenessProbe": {"httpGet": {"host": "10.0.0.1"}},
                "securityContext": {"procMount": "Unmasked", "seccompProfile": {"type": "Unconfined"},
                    "capabilities": {"add": ["NET_ADMIN", "CHOWN", "SYS_ADMIN"]}}}]});
        expect![[r#"
            forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")
            non-default capabilities (container "a" must not include "NET_ADMIN", "SYS_ADMIN" in securityContext.capabilities.add)
            host namespaces (hostNetwork=true, hostPID=true)
            hostPath volumes (volume "root")
            hostPort (container "a" uses hostPort 80)
            probe or lifecycle host (container "a" uses probe or lifecycle host "10.0.0.1")
            privileged (container "i" must not set securityContext.privileged=true)
            procMount (container "a" must not set securityContext.procMount to "Unmasked")
            seLinuxOptions (pod set forbidden securityContext.seLinuxOptions)
            seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")
            forbidden sysctls (kernel.msgmax)
        "#]]
        .assert_eq(&told(Level::Baseline, &dangerous));
    }

    #[test]
    fn a_namespace_says_its_level_by_labels() {
        let labels = json!({"pod-security.kubernetes.io/enforce": "baseline",
            "pod-security.kubernetes.io/enforce-version": "v1.30", "pod-security.kubernetes.io/warn": "rubbish"});
        let mut namespace = Object::default();
        namespace.set(&["metadata", "labels"], labels);
        let spec = json!({"hostIPC": true});
        let found = violation(&namespace, "enforce", &spec);
        assert_eq!(found.as_deref(), Some("PodSecurity \"baseline:v1.30\": host namespaces (hostIPC=true)"));
        assert_eq!(violation(&namespace, "enforce", &json!({})), None);
        assert_eq!(
            [violation(&namespace, "warn", &spec), violation(&namespace, "audit", &spec)],
            [None, None]
        );
    }
}
