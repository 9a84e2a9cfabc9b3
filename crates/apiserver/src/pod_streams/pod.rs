//! Which pod and which of its containers a stream is for, and whether this user may open it.

use serde_json::Value;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::pod;

use crate::{ApiServer, Attributes, RequestContext, Target};

/// The right that whoever runs, joins or reaches something in a pod needs, however they ask: a WebSocket begins as a
/// GET, but who may only read must not run commands by that.
pub(super) const OPEN: &str = "create";

impl ApiServer {
    /// The pod, for who may open such a stream: that it may be read goes with that.
    pub(super) async fn streaming_pod(
        &self,
        ctx: &RequestContext,
        verb: &str,
        namespace: &str,
        name: &str,
        subresource: &str,
    ) -> Result<Object, ApiError> {
        let target = Target::new("", "", "pods", namespace, name, subresource)?;
        target.check_scope(true)?;
        target.check_name()?;
        let resource = target.resource();
        self.check_access(ctx, &Attributes::new(verb, "", &resource, namespace, name)).await?;
        tracing::info!(audit_id = ctx.audit_id, user = ctx.user.name, verb, ?target, "a stream is opened");
        self.get(&RequestContext::internal("streams"), &target.subresource("")).await
    }

    /// Whether a stream could be opened, without opening it.
    ///
    /// # Errors
    /// As the stream itself.
    pub async fn check_pod_stream(
        &self,
        ctx: &RequestContext,
        target: &Target,
        named: &str,
    ) -> Result<(), ApiError> {
        let (namespace, name) = (&target.namespace, &target.name);
        let pod = self.streaming_pod(ctx, OPEN, namespace, name, &target.subresource).await?;
        let container = container(&pod, named)?;
        check_not_over(&pod, "exec into")?;
        self.node_of(&pod).await?;
        check_runs(&pod, &container)
    }
}

/// The container that is meant: the named one, or the only one.
pub(super) fn container(pod: &Object, named: &str) -> Result<String, ApiError> {
    let names = |field: &str| -> Vec<String> {
        let list = pod.get(&["spec", field]).and_then(Value::as_array);
        let names = list.into_iter().flatten().filter_map(|container| container["name"].as_str());
        names.map(str::to_owned).collect()
    };
    let (own, init) = (names("containers"), names("initContainers"));
    let bad = |why: String| Err(ApiError::new(Reason::BadRequest, why));
    match own.as_slice() {
        _ if [&own, &init, &names("ephemeralContainers")]
            .iter()
            .any(|all| all.iter().any(|it| it == named)) =>
        {
            Ok(named.to_owned())
        }
        [only] if named.is_empty() => Ok(only.clone()),
        _ if named.is_empty() => {
            let also = if init.is_empty() {
                String::new()
            } else {
                format!(" or one of the init containers: [{}]", init.join(" "))
            };
            let (name, own) = (pod.name(), own.join(" "));
            bad(format!("a container name must be specified for pod {name}, choose one of: [{own}]{also}"))
        }
        _ => bad(format!("container {named} is not valid for pod {}", pod.name())),
    }
}

/// The pod's uid, for its agent to tell it from another of the same name; refuses a pod that is not the one which was
/// asked for.
pub(super) fn uid(pod: &Object, asked: &str) -> Result<String, ApiError> {
    if asked.is_empty() || asked == pod.uid() {
        return Ok(pod.uid().to_owned());
    }
    let (name, found) = (pod.name(), pod.uid());
    let why = format!(
        "the pod {name:?} that was asked for, uid {asked}, is gone: another, uid {found}, has its name"
    );
    Err(ApiError::new(Reason::Conflict, why))
}

/// Refuses a pod whose containers have all ended.
pub(super) fn check_not_over(object: &Object, what: &str) -> Result<(), ApiError> {
    if !pod::is_terminal(object) {
        return Ok(());
    }
    let phase = pod::phase(object);
    let why = format!("cannot {what} a container in a completed pod; current phase is {phase}");
    Err(ApiError::new(Reason::BadRequest, why))
}

/// Refuses a container that does not run, as far as is known here.
fn check_runs(pod: &Object, container: &str) -> Result<(), ApiError> {
    match state(pod, container) {
        Some(state) if state.get("running").is_none() => {
            let why =
                waiting(state).map(|why| format!(", which is waiting to start: {why}")).unwrap_or_default();
            Err(ApiError::new(Reason::BadRequest, format!("container not found ({container:?}){why}")))
        }
        _ => Ok(()),
    }
}

/// Refuses a container that waits for its start, saying what for.
pub(super) fn check_started(pod: &Object, container: &str) -> Result<(), ApiError> {
    let Some(why) = state(pod, container).and_then(waiting) else { return Ok(()) };
    let name = pod.name();
    let why = format!("container {container:?} in pod {name:?} is waiting to start: {why}");
    Err(ApiError::new(Reason::BadRequest, why))
}

/// What a container is doing, as its agent said last.
fn state<'a>(pod: &'a Object, container: &str) -> Option<&'a Value> {
    let statuses = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
        .map(|field| pod.get(&["status", field]).and_then(Value::as_array));
    let mut statuses = statuses.into_iter().flatten().flatten();
    statuses.find(|status| status["name"] == container)?.get("state")
}

/// What a container waits for, in kubelet's words.
fn waiting(state: &Value) -> Option<&str> {
    match state.get("waiting")?["reason"].as_str()? {
        "ErrImagePull" => Some("image can't be pulled"),
        "ImagePullBackOff" => Some("trying and failing to pull image"),
        reason => Some(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_is_the_named_one_or_the_only_one() {
        let pod = |containers: Value, init: Value| {
            let spec = json!({"containers": containers, "initContainers": init});
            Object::from_json(json!({"metadata": {"name": "web"}, "spec": spec}).to_string().as_bytes())
                .expect("an object")
        };
        let one = pod(json!([{"name": "a"}]), json!([{"name": "i"}]));
        let two = pod(json!([{"name": "a"}, {"name": "b"}]), json!([{"name": "i"}]));
        let words = |pod: &Object, named: &str| match container(pod, named) {
            Ok(name) => name,
            Err(error) => error.message,
        };
        assert_eq!(words(&one, ""), "a");
        assert_eq!([words(&two, "b"), words(&two, "i")], ["b", "i"]);
        assert_eq!(
            words(&two, ""),
            "a container name must be specified for pod web, choose one of: [a b] or one of the init containers: [i]"
        );
        assert_eq!(words(&one, "x"), "container x is not valid for pod web");
    }

    #[test]
    fn what_a_container_waits_for_is_said() {
        let pod = |state: Value| {
            let status = json!({"containerStatuses": [{"name": "a", "state": state}]});
            Object::from_json(json!({"metadata": {"name": "web"}, "status": status}).to_string().as_bytes())
                .expect("an object")
        };
        let told = |state: Value| {
            let pod = pod(state);
            [check_started(&pod, "a"), check_runs(&pod, "a")].map(|it| it.err().map(|error| error.message))
        };
        let waits = |reason: &str| told(json!({"waiting": {"reason": reason}}));
        let words = |why: &str| {
            [
                Some(format!("container \"a\" in pod \"web\" is waiting to start: {why}")),
                Some(format!("container not found (\"a\"), which is waiting to start: {why}")),
            ]
        };
        assert_eq!(waits("ErrImagePull"), words("image can't be pulled"));
        assert_eq!(waits("ImagePullBackOff"), words("trying and failing to pull image"));
        assert_eq!(waits("ContainerCreating"), words("ContainerCreating"));
        assert_eq!(told(json!({"terminated": {}})), [None, Some("container not found (\"a\")".to_owned())]);
        assert_eq!(told(json!({"running": {}})), [None, None]);
        assert_eq!(check_started(&pod(json!({})), "b"), Ok(()));
    }

    #[test]
    fn a_namesake_is_not_the_pod_that_was_asked_for() {
        let pod = json!({"metadata": {"name": "web", "uid": "u2"}});
        let pod = Object::from_json(pod.to_string().as_bytes()).expect("an object");
        assert_eq!((uid(&pod, ""), uid(&pod, "u2")), (Ok("u2".into()), Ok("u2".into())));
        let refused = uid(&pod, "u1").expect_err("another");
        let words = "the pod \"web\" that was asked for, uid u1, is gone: another, uid u2, has its name";
        assert_eq!((refused.reason, refused.message.as_str()), (Reason::Conflict, words));
    }
}
