//! Carries a plan out through the API server, as any client's writes, fenced by the term.

use futures::future::join_all;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::table;
use xebec_apiserver::{ApiServer, DeleteOptions, Propagation, RequestContext, Target};
use xebec_controllers::Action;

use crate::leader::{Term, events};

/// Creates that stand side by side in a plan are independent: so many go into the log at once.
const TOGETHER: usize = 32;

/// Carries the actions out in order, creates in a row together; stops at what fails.
pub(crate) async fn execute(term: &Term, component: &str, actions: Vec<Action>) -> Result<(), ApiError> {
    let api = &term.around.api;
    let context = RequestContext::system(component, term.number);
    let mut creates = Vec::new();
    for action in actions {
        if let Action::Create(object) = action {
            creates.push(object);
            if creates.len() < TOGETHER {
                continue;
            }
            create_all(api, &context, &mut creates).await?;
        } else {
            create_all(api, &context, &mut creates).await?;
            Box::pin(perform(term, &context, action)).await?;
        }
    }
    create_all(api, &context, &mut creates).await
}

/// All of them are carried through, whichever is refused: one that was given up on its way could
/// still happen, after its key was looked at again without it.
async fn create_all(
    api: &ApiServer,
    context: &RequestContext,
    objects: &mut Vec<Object>,
) -> Result<(), ApiError> {
    let creates = objects.drain(..).map(|object| Box::pin(create(api, context, object)));
    join_all(creates).await.into_iter().collect()
}

async fn create(api: &ApiServer, context: &RequestContext, object: Object) -> Result<(), ApiError> {
    let target = target(&object)?;
    api.create(context, &target, object).await.map(drop)
}

async fn perform(term: &Term, context: &RequestContext, action: Action) -> Result<(), ApiError> {
    let api = &term.around.api;
    match action {
        Action::Create(object) => create(api, context, object).await,
        Action::Update(object) => {
            let target = target(&object)?;
            api.update(context, &target, object).await.map(drop)
        }
        Action::UpdateSubresource(part, object) => {
            let target = target(&object)?.subresource(part);
            api.update(context, &target, object).await.map(drop)
        }
        Action::Delete { resource, namespace, name, uid, grace_seconds, foreground } => {
            let row = table::by_storage_name(&resource).ok_or_else(|| unknown(&resource))?;
            let options = DeleteOptions {
                grace_seconds: grace_seconds.map(u64::from),
                uid: Some(uid),
                propagation: if foreground { Propagation::Foreground } else { Propagation::Background },
                ..DeleteOptions::default()
            };
            match api.delete(context, &Target::object(row, &namespace, &name), &options).await {
                Err(error) if error.reason == Reason::NotFound => Ok(()),
                outcome => outcome.map(drop),
            }
        }
        Action::Record(event) => {
            events::record(term, context, &event).await;
            Ok(())
        }
    }
}

fn target(object: &Object) -> Result<Target, ApiError> {
    let row = table::by_kind(object.api_version(), object.kind());
    let row = row.ok_or_else(|| unknown(object.kind()))?;
    Ok(Target::object(row, object.namespace(), object.name()))
}

fn unknown(what: &str) -> ApiError {
    ApiError::new(Reason::InternalError, format!("a controller wrote an unknown kind: {what}"))
}
