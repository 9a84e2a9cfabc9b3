//! The `token` subresource of ServiceAccounts.

use serde_json::{Value, json};
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;

use crate::clock::rfc3339;
use crate::context::RequestContext;
use crate::server::ApiServer;
use crate::service_account::{Bound, Claims, ISSUER, Named};
use crate::verbs::Target;

/// Seconds that a token lives when the request names none, and the bounds of what it may name.
const LIFETIME: i64 = 3600;
const SHORTEST: i64 = 600;
const LONGEST: i64 = 24 * 3600;

impl ApiServer {
    pub(crate) async fn create_token(
        &self,
        context: &RequestContext,
        target: &Target,
        request: &Object,
    ) -> Result<Object, ApiError> {
        let keys = self.token_keys().ok_or_else(|| {
            ApiError::new(Reason::ServiceUnavailable, "this master has no ServiceAccount keys yet: try again")
        })?;
        let account = self.read_current(&Target { subresource: String::new(), ..target.clone() }).await?;
        let asked = request.get(&["spec", "expirationSeconds"]).and_then(Value::as_i64).unwrap_or(LIFETIME);
        let now = self.settings.clock.now();
        let expires = now.as_second() + asked.clamp(SHORTEST, LONGEST);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: format!("system:serviceaccount:{}:{}", target.namespace, target.name),
            aud: vec![ISSUER.to_owned()],
            exp: expires,
            iat: now.as_second(),
            bound: Bound {
                namespace: target.namespace.clone(),
                serviceaccount: Named { name: target.name.clone(), uid: account.uid().to_owned() },
                pod: bound_pod(request),
            },
        };
        tracing::debug!(user = context.user.name, account = claims.sub, "a token was made");
        let expiry = jiff::Timestamp::from_second(expires).unwrap_or(now);
        let mut answer = request.clone();
        answer.set(&["apiVersion"], "authentication.k8s.io/v1");
        answer.set(&["kind"], "TokenRequest");
        answer
            .set(&["status"], json!({"token": keys.sign(&claims)?, "expirationTimestamp": rfc3339(expiry)}));
        Ok(answer)
    }
}

fn bound_pod(request: &Object) -> Option<Named> {
    let reference = request.get(&["spec", "boundObjectRef"])?;
    if reference.get("kind")?.as_str()? != "Pod" {
        return None;
    }
    let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Named { name: text("name"), uid: text("uid") })
}
