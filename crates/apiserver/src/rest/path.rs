//! Paths of resources: what stands behind `/api/VERSION/` and `/apis/GROUP/VERSION/`.
//! Pure; a path that leads nowhere is `NotFound`, whatever the method.

use percent_encoding::percent_decode_str;
use xebec_api::error::ApiError;

use super::no_such_resource;
use crate::Target;

/// What a path names.
#[derive(Clone, Debug)]
pub(super) struct ResourcePath {
    pub(super) target: Target,
    /// The old way to watch: `/api/v1/watch/…`.
    pub(super) watch: bool,
}

/// Reads a whole path, such as `/apis/apps/v1/namespaces/default/deployments/web/scale`.
pub(super) fn parse(path: &str) -> Result<ResourcePath, ApiError> {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let segments: Vec<String> = segments.map(decoded).collect::<Result<_, _>>()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (group, version, rest) = match segments.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Err(no_such_resource()),
    };
    let (watch, rest) = match rest {
        ["watch", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let target = target(group, version, rest).ok_or_else(no_such_resource)?;
    Ok(ResourcePath { target, watch })
}

fn target(group: &str, version: &str, rest: &[&str]) -> Option<Target> {
    let (namespace, rest) = match rest {
        ["namespaces", namespace, resource, ..] if !matches!(*resource, "status" | "finalize") => {
            (*namespace, &rest[2..])
        }
        rest => ("", rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (*plural, "", ""),
        [plural, name] => (*plural, *name, ""),
        [plural, name, subresource] => (*plural, *name, *subresource),
        _ => return None,
    };
    let target = Target::new(group, version, plural, namespace, name, subresource).ok()?;
    let complete = name.is_empty() || target.check_scope(true).is_ok();
    complete.then_some(target)
}

/// One segment. A name with a slash in it is no name, and would be read otherwise elsewhere.
fn decoded(segment: &str) -> Result<String, ApiError> {
    let text = percent_decode_str(segment).decode_utf8().map_err(|_| no_such_resource())?;
    if text.contains(['/', '%', '\0']) || matches!(text.as_ref(), "." | "..") {
        return Err(no_such_resource());
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(path: &str) -> String {
        match parse(path) {
            Ok(ResourcePath { target, watch }) => {
                let how = if watch { "watch " } else { "" };
                format!("{how}{} in {:?} named {:?}", target.qualified(), target.namespace, target.name)
            }
            Err(error) => error.reason.as_str().to_owned(),
        }
    }

    #[test]
    fn paths_are_read_as_kubernetes_reads_them() {
        for (path, wanted) in [
            ("/api/v1/pods", r#"pods in "" named """#),
            ("/api/v1/namespaces/a/pods/", r#"pods in "a" named """#),
            ("/api/v1/namespaces/a/pods/b", r#"pods in "a" named "b""#),
            ("/api/v1/namespaces/a/pods/b/log", r#"pods/log in "a" named "b""#),
            ("/api/v1/namespaces", r#"namespaces in "" named """#),
            ("/api/v1/namespaces/a", r#"namespaces in "" named "a""#),
            ("/api/v1/namespaces/a/finalize", r#"namespaces/finalize in "" named "a""#),
            ("/api/v1/namespaces/a/status", r#"namespaces/status in "" named "a""#),
            ("/api/v1/watch/namespaces/a/pods", r#"watch pods in "a" named """#),
            ("/api/v1/nodes/n1", r#"nodes in "" named "n1""#),
            ("/apis/apps/v1/namespaces/a/deployments/b/scale", r#"deployments/scale.apps in "a" named "b""#),
            (
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
                r#"clusterroles.rbac.authorization.k8s.io in "" named "system:node""#,
            ),
            ("/api/v1/pods/b", "NotFound"),
            ("/api/v1/namespaces/a/nodes", "NotFound"),
            ("/api/v1/namespaces/a/pods/b%2Fc", "NotFound"),
            ("/api/v1/namespaces/a/pods/%2e%2e/b", "NotFound"),
            ("/api/v1/namespaces/a/pods/b/log/more", "NotFound"),
            ("/api/v1/namespaces/a/pods/b/nothing", "NotFound"),
            ("/api/v2/pods", "NotFound"),
            ("/apis/nowhere/v1/things", "NotFound"),
            ("/api/v1/%ff", "NotFound"),
        ] {
            assert_eq!(shown(path), wanted, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_panics(path in "[/a-z%0-9.]{0,60}") {
            let _ = parse(&format!("/api/v1/{path}"));
        }
    }
}
