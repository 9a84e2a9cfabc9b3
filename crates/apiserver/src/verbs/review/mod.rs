//! Reviews: kinds that are asked and answered, and never stored. A create is the question,
//! and what comes back is the question with its `status` filled in.

mod access;
mod rules;
mod token;

use serde_json::{Value, json};
use xebec_api::error::ApiError;
use xebec_api::object::Object;

use super::method_not_allowed;
use crate::pipeline::decode;
use crate::{ApiServer, RequestContext, Target, User};

impl ApiServer {
    /// Answers a question, from what everybody was told is so.
    pub(super) async fn review(
        &self,
        ctx: &RequestContext,
        target: &Target,
        mut question: Object,
    ) -> Result<Object, ApiError> {
        decode::run(ctx, &mut question, target, decode::Sent::Whole)?;
        self.barrier().await?;
        let state = self.state();
        let status = match target.row.kind {
            "SelfSubjectReview" => json!({"userInfo": user_info(&ctx.user)}),
            "SelfSubjectAccessReview" => access::answer(self, &state, &ctx.user, &question)?,
            "SubjectAccessReview" | "LocalSubjectAccessReview" => {
                let user = access::subject(target, &question)?;
                access::answer(self, &state, &user, &question)?
            }
            "SelfSubjectRulesReview" => rules::answer(self, &state, &ctx.user, &question)?,
            "TokenReview" => token::answer(self, &state, &question)?,
            _ => return Err(method_not_allowed(target, "create")),
        };
        question.set(&["status"], status);
        Ok(question)
    }
}

/// A user as `authentication.k8s.io` tells of them.
fn user_info(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = user.uid.as_str().into();
    }
    if !user.extra.is_empty() {
        info["extra"] = json!(user.extra);
    }
    info
}
