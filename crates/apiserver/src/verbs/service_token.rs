//! The subresource `token` of ServiceAccounts: a signed token for it, optionally bound to
//! a pod, with which the token dies.

use jiff::SignedDuration;
use serde_json::{Value, json};
use xebec_api::error::{ApiError, FieldError, Reason};
use xebec_api::object::Object;
use xebec_api::table;
use xebec_api::time::rfc3339;
use xebec_state::State;

use super::read;
use crate::service_account::{self, BoundPod, Claims, TokenKeys};
use crate::{ApiServer, RequestContext, Target};

/// Kubernetes' own bounds and default, in seconds.
const SHORTEST: i64 = 600;
const LONGEST: i64 = 1 << 32;
const DEFAULT: i64 = 3600;

impl ApiServer {
    pub(super) async fn create_token(
        &self,
        ctx: &RequestContext,
        target: &Target,
        request: &Object,
    ) -> Result<Object, ApiError> {
        target.check_name()?;
        let keys = self.token_keys().ok_or_else(|| {
            let message = "this master has no key for ServiceAccount tokens yet: try again";
            ApiError::new(Reason::ServiceUnavailable, message)
        })?;
        // Made from this master's own state: a pod that was bound a moment ago must be in it.
        self.barrier().await?;
        self.sign(ctx, target, request, &keys)
    }

    fn sign(
        &self,
        ctx: &RequestContext,
        target: &Target,
        request: &Object,
        keys: &TokenKeys,
    ) -> Result<Object, ApiError> {
        let state = self.state();
        let mut account = target.clone();
        account.subresource.clear();
        let account = read(&state, &account)?;
        let pod = find_pod(&state, target, request)?;
        check_node(ctx, pod.as_ref())?;
        let now = self.settings().clock.now();
        let seconds = lifetime(target, request)?;
        let expires = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
        let issuer = service_account::issuer(&self.settings().cluster_domain);
        let audiences = audiences(request, &issuer);
        let claims = Claims {
            issuer,
            audiences: audiences.clone(),
            issued: now,
            expires,
            id: self.settings().ids.uid(),
            namespace: target.namespace.clone(),
            account: target.name.clone(),
            account_uid: account.uid().to_owned(),
            pod: pod.map(|pod| BoundPod { name: pod.name().to_owned(), uid: pod.uid().to_owned() }),
        };
        let mut answer = request.clone();
        answer.set(&["metadata", "creationTimestamp"], rfc3339(now));
        answer.set(&["spec", "audiences"], audiences);
        answer.set(&["spec", "expirationSeconds"], seconds);
        answer
            .set(&["status"], json!({"token": keys.sign(&claims)?, "expirationTimestamp": rfc3339(expires)}));
        Ok(answer)
    }
}

fn invalid(target: &Target, field: &str, why: String) -> ApiError {
    let cause = FieldError::invalid(field, why);
    ApiError::invalid("authentication.k8s.io", "TokenRequest", &target.name, vec![cause])
}

fn lifetime(target: &Target, request: &Object) -> Result<i64, ApiError> {
    let path = ["spec", "expirationSeconds"];
    let asked = match request.get(&path) {
        None | Some(Value::Null) => return Ok(DEFAULT),
        Some(value) => value.as_i64().unwrap_or(-1),
    };
    if (SHORTEST..=LONGEST).contains(&asked) {
        return Ok(asked);
    }
    let why = format!(
        "Invalid value: {asked}: may not specify a duration less than 10 minutes or more than 2^32 seconds"
    );
    Err(invalid(target, "spec.expirationSeconds", why))
}

fn audiences(request: &Object, issuer: &str) -> Vec<String> {
    let asked = request.get(&["spec", "audiences"]).and_then(Value::as_array);
    let asked: Vec<String> =
        asked.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if asked.is_empty() { vec![issuer.to_owned()] } else { asked }
}

/// The pod that the token is to be bound to, checked.
fn find_pod(state: &State, target: &Target, request: &Object) -> Result<Option<Object>, ApiError> {
    let Some(name) = bound_pod(target, request)? else { return Ok(None) };
    let row = table::find("", "pods").expect("pods are in the table");
    let pod = read(state, &Target::object(row, &target.namespace, &name))?;
    check_pod(target, request, &pod)?;
    Ok(Some(pod))
}

/// The name of the pod that the token is to be bound to.
fn bound_pod(target: &Target, request: &Object) -> Result<Option<String>, ApiError> {
    let Some(reference) = request.get(&["spec", "boundObjectRef"]).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or_default();
    if text("kind") != "Pod" || text("name").is_empty() {
        let why = "tokens can be bound to a Pod, by its name".to_owned();
        return Err(invalid(target, "spec.boundObjectRef", why));
    }
    Ok(Some(text("name").to_owned()))
}

fn check_pod(target: &Target, request: &Object, pod: &Object) -> Result<(), ApiError> {
    let uid = request.text(&["spec", "boundObjectRef", "uid"]);
    if !uid.is_empty() && uid != pod.uid() {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record ({})",
            pod.uid()
        );
        return Err(target.conflict(&why));
    }
    if pod.text(&["spec", "serviceAccountName"]) != target.name {
        let why = format!("pod {:?} does not run as ServiceAccount {:?}", pod.name(), target.name);
        return Err(invalid(target, "spec.boundObjectRef", why));
    }
    Ok(())
}

/// A node agent gets tokens bound to its own pods, and no others.
fn check_node(ctx: &RequestContext, pod: Option<&Object>) -> Result<(), ApiError> {
    let Some(node) = ctx.user.node() else { return Ok(()) };
    if pod.is_some_and(|pod| pod.text(&["spec", "nodeName"]) == node) {
        return Ok(());
    }
    let message = format!("node {node:?} may only request tokens bound to a pod of its own");
    Err(ApiError::new(Reason::Forbidden, message))
}
