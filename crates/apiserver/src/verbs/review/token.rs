//! Whose a token is: TokenReview. A token that is no good is an answer, not an error.

use serde_json::{Value, json};
use xebec_api::error::{ApiError, FieldError};
use xebec_api::object::Object;
use xebec_state::State;

use super::user_info;
use crate::ApiServer;
use crate::authentication::Authenticator;
use crate::service_account;

pub(super) fn answer(server: &ApiServer, state: &State, question: &Object) -> Result<Value, ApiError> {
    let token = question.text(&["spec", "token"]);
    if token.is_empty() {
        let cause = FieldError::required("spec.token", "the token to review");
        return Err(ApiError::invalid("authentication.k8s.io", question.kind(), "", vec![cause]));
    }
    let issuer = service_account::issuer(&server.settings().cluster_domain);
    let asked = question.get(&["spec", "audiences"]).and_then(Value::as_array);
    let mut audiences: Vec<&str> = asked.into_iter().flatten().filter_map(Value::as_str).collect();
    if audiences.is_empty() {
        audiences.push(&issuer);
    }
    let keys = server.token_keys();
    let now = server.settings().clock.now();
    let authenticator = Authenticator { keys: keys.as_deref(), issuer: &issuer, now };
    Ok(match authenticator.by_token(token, &audiences, state) {
        Ok((user, audiences)) => {
            json!({"authenticated": true, "user": user_info(&user), "audiences": audiences})
        }
        Err(error) => json!({"authenticated": false, "error": error.message}),
    })
}
