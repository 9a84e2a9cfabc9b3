//! Deletecollection: every object of a collection that the selectors match, one by one. An
//! object that is gone or was replaced in between is no failure.

use futures::future::try_join_all;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;

use super::list::{self, Matcher};
use super::method_not_allowed;
use crate::pipeline::Selectors;
use crate::{ApiServer, DeleteOptions, ListOptions, Page, RequestContext, Target, Verb};

/// Deletes in work at once, so that they share entries of the log.
const SIDE_BY_SIDE: usize = 16;

impl ApiServer {
    /// Removes the objects of a collection that match, or begins to. Answers with them as
    /// they were or are. The options, and whether it is tried out only, are waited for and decoded
    /// only for who may delete them.
    ///
    /// # Errors
    /// [`ApiError`] of the first object that cannot be deleted; others may be gone by then.
    pub(crate) async fn delete_collection(
        &self,
        ctx: &RequestContext,
        target: &Target,
        which: &ListOptions,
        asked: impl Future<Output = Result<(DeleteOptions, bool), ApiError>>,
    ) -> Result<Page, ApiError> {
        let selectors = Selectors { field: &which.field_selector };
        let asked = async {
            target.check_scope(true)?;
            let whole = target.subresource.is_empty() && target.name.is_empty();
            if !whole || !target.row.has_deletecollection() {
                return Err(method_not_allowed(target, "deletecollection"));
            }
            let matcher = Matcher::parse(target, &which.label_selector, &which.field_selector)?;
            Ok((matcher, asked.await?))
        };
        let work = move |(matcher, (options, dry_run)): (Matcher, (DeleteOptions, bool))| async move {
            let ctx = &RequestContext { dry_run, ..ctx.clone() };
            self.barrier().await?;
            let page = list::page(&self.state(), target, &matcher, None, which.limit)?;
            let mut items = Vec::with_capacity(page.items.len());
            for batch in page.items.chunks(SIDE_BY_SIDE) {
                let deletes: Vec<_> =
                    batch.iter().map(|item| self.delete_member(ctx, target, item, &options)).collect();
                items.extend(try_join_all(deletes).await?.into_iter().flatten());
            }
            Ok(Page { items, ..page })
        };
        self.run_on(ctx, Verb::DeleteCollection, target, selectors, asked, work).await
    }

    async fn delete_member(
        &self,
        ctx: &RequestContext,
        target: &Target,
        item: &Object,
        options: &DeleteOptions,
    ) -> Result<Option<Object>, ApiError> {
        let target = Target::object(target.row, item.namespace(), item.name());
        let options = DeleteOptions { uid: Some(item.uid().to_owned()), ..options.clone() };
        match self.delete_object(ctx, &target, &options).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if matches!(error.reason, Reason::NotFound | Reason::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
