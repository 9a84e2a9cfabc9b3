//! The level `restricted`: what a program needs that runs as somebody, and is nobody to its node.

use serde_json::Value;

use super::{Broken, Pod, baseline, context, name, quoted, texts};

const VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// Every broken rule beside those of `baseline`.
pub(super) fn check(pod: &Pod<'_>) -> Vec<Broken> {
    let found = [escalation(pod), capabilities(pod), volumes(pod), non_root(pod), user(pod), seccomp(pod)];
    found.into_iter().flatten().collect()
}

fn escalation(pod: &Pod<'_>) -> Option<Broken> {
    let may_escalate =
        |container: &Value| context(container).get("allowPrivilegeEscalation") != Some(&Value::Bool(false));
    let containers = pod.those(may_escalate)?;
    let detail = format!("{containers} must set securityContext.allowPrivilegeEscalation=false");
    Some(("allowPrivilegeEscalation != false", detail))
}

fn capabilities(pod: &Pod<'_>) -> Option<Broken> {
    let keeps = |container: &Value| !texts(context(container), "/capabilities/drop").any(|it| it == "ALL");
    let kept = pod.those(keeps);
    let kept =
        kept.map(|containers| format!("{containers} must set securityContext.capabilities.drop=[\"ALL\"]"));
    let details: Vec<String> = kept.into_iter().chain(baseline::added(pod, &["NET_BIND_SERVICE"])).collect();
    (!details.is_empty()).then(|| ("unrestricted capabilities", details.join("; ")))
}

fn volumes(pod: &Pod<'_>) -> Option<Broken> {
    let of_kind = |volume: &'_ Value| -> Option<String> {
        let kind = volume.as_object()?.keys().find(|key| *key != "name")?;
        (!VOLUMES.contains(&kind.as_str())).then(|| kind.clone())
    };
    let wrong: Vec<(&str, String)> =
        pod.items("volumes").filter_map(|volume| Some((name(volume), of_kind(volume)?))).collect();
    let names: Vec<&str> = wrong.iter().map(|(name, _)| *name).collect();
    let mut kinds: Vec<&str> = Vec::new();
    for (_, kind) in &wrong {
        if !kinds.contains(&kind.as_str()) {
            kinds.push(kind);
        }
    }
    let (verb, types) =
        (if names.len() == 1 { "uses" } else { "use" }, if kinds.len() == 1 { "type" } else { "types" });
    let who = super::named("volume", &names)?;
    let detail = format!("{who} {verb} restricted volume {types} {}", quoted(&kinds));
    Some(("restricted volume types", detail))
}

fn non_root(pod: &Pod<'_>) -> Option<Broken> {
    let field = "runAsNonRoot";
    let reason = "runAsNonRoot != true";
    if let Some(setters) = pod.setters(|context| context.get(field) == Some(&Value::Bool(false))) {
        return Some((reason, format!("{setters} must not set securityContext.runAsNonRoot=false")));
    }
    let containers = unset(pod, |context| context.get(field).is_some_and(|value| !value.is_null()))?;
    Some((reason, format!("pod or {containers} must set securityContext.runAsNonRoot=true")))
}

fn user(pod: &Pod<'_>) -> Option<Broken> {
    let setters = pod.setters(|context| context.get("runAsUser").and_then(Value::as_i64) == Some(0))?;
    Some(("runAsUser=0", format!("{setters} must not set runAsUser=0")))
}

fn seccomp(pod: &Pod<'_>) -> Option<Broken> {
    let kind = |context: &Value| {
        let kind = context.pointer("/seccompProfile/type").and_then(Value::as_str);
        kind.unwrap_or_default().to_owned()
    };
    let is_wrong = |context: &Value| !matches!(kind(context).as_str(), "" | "RuntimeDefault" | "Localhost");
    if let Some(setters) = pod.setters(is_wrong) {
        let detail = format!("{setters} must not set securityContext.seccompProfile.type to \"Unconfined\"");
        return Some(("seccompProfile", detail));
    }
    let containers = unset(pod, |context| !kind(context).is_empty())?;
    let wanted = "must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"";
    Some(("seccompProfile", format!("pod or {containers} {wanted}")))
}

/// The containers for which neither they nor their pod say something.
fn unset(pod: &Pod<'_>, is_set: impl Fn(&Value) -> bool) -> Option<String> {
    if is_set(context(pod.spec)) {
        return None;
    }
    pod.those(|container| !is_set(context(container)))
}
