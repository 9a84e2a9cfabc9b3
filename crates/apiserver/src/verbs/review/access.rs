//! May somebody do something: SelfSubjectAccessReview, SubjectAccessReview and its local form.

use serde_json::{Value, json};
use xebec_api::error::{ApiError, FieldError};
use xebec_api::object::Object;
use xebec_state::State;

use crate::{ApiServer, Attributes, Target, User};

/// Whether a user may do what the question is about.
pub(super) fn answer(
    server: &ApiServer,
    state: &State,
    user: &User,
    question: &Object,
) -> Result<Value, ApiError> {
    let about = |part: &str| question.get(&["spec", part]).is_some_and(Value::is_object);
    let text = |part: &str, field: &str| question.text(&["spec", part, field]).to_owned();
    let allowed = match (about("resourceAttributes"), about("nonResourceAttributes")) {
        (true, false) => {
            let part = |field: &str| text("resourceAttributes", field);
            let (verb, group, name, namespace) =
                (part("verb"), part("group"), part("name"), part("namespace"));
            let resource = match part("subresource").as_str() {
                "" => part("resource"),
                subresource => format!("{}/{subresource}", part("resource")),
            };
            let fields = question.text(&["spec", "resourceAttributes", "fieldSelector", "rawSelector"]);
            let mut attributes = Attributes::new(&verb, &group, &resource, &namespace, &name);
            attributes.field_selector = fields;
            server.authorizer().allows(state, user, &attributes)
        }
        (false, true) => {
            let (verb, path) = (text("nonResourceAttributes", "verb"), text("nonResourceAttributes", "path"));
            server.authorizer().allows(state, user, &Attributes::of_path(&verb, &path))
        }
        _ => {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            let cause = FieldError::invalid("spec.resourceAttributes", format!("Invalid value: {why}"));
            return Err(ApiError::invalid("authorization.k8s.io", question.kind(), "", vec![cause]));
        }
    };
    Ok(json!({"allowed": allowed}))
}

/// Whom a question about somebody else is about.
pub(super) fn subject(target: &Target, question: &Object) -> Result<User, ApiError> {
    let groups = question.get(&["spec", "groups"]).and_then(Value::as_array);
    let groups = groups.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let user = User { name: question.text(&["spec", "user"]).to_owned(), groups, ..User::default() };
    let mut causes = Vec::new();
    if user.name.is_empty() && user.groups.is_empty() {
        causes.push(FieldError::required("spec.user", "at least one of user or group must be specified"));
    }
    let namespace = question.text(&["spec", "resourceAttributes", "namespace"]);
    if target.row.namespaced && namespace != target.namespace {
        let why = format!("Invalid value: {namespace:?}: must match metadata.namespace");
        causes.push(FieldError::invalid("spec.resourceAttributes.namespace", why));
    }
    if causes.is_empty() {
        return Ok(user);
    }
    Err(ApiError::invalid(target.row.group, target.row.kind, "", causes))
}
