//! What somebody may do in a namespace, as a list of rules: SelfSubjectRulesReview.

use serde_json::{Value, json};
use xebec_api::error::{ApiError, FieldError};
use xebec_api::object::Object;
use xebec_state::State;

use crate::{ApiServer, MASTERS_GROUP, User};

pub(super) fn answer(
    server: &ApiServer,
    state: &State,
    user: &User,
    question: &Object,
) -> Result<Value, ApiError> {
    let namespace = question.text(&["spec", "namespace"]);
    if namespace.is_empty() {
        let cause = FieldError::required("spec.namespace", "no namespace on request");
        return Err(ApiError::invalid("authorization.k8s.io", question.kind(), "", vec![cause]));
    }
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    if user.is_in(MASTERS_GROUP) {
        resources.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        paths.push(json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
    }
    for rule in server.authorizer().grants(state).rules_of(user, namespace) {
        if !rule.urls.is_empty() {
            paths.push(json!({"verbs": rule.verbs, "nonResourceURLs": rule.urls}));
            continue;
        }
        let mut shown = json!({"verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources});
        if !rule.names.is_empty() {
            shown["resourceNames"] = json!(rule.names);
        }
        resources.push(shown);
    }
    let mut status = json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false});
    if user.node().is_some() {
        status["incomplete"] = true.into();
        status["evaluationError"] = "what a node may do is decided object by object".into();
    }
    Ok(status)
}
