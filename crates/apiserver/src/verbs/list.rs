//! List: objects that match, page by page, all at one revision.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::error::RecvError;
use xebec_api::error::{ApiError, FieldError, Reason};
use xebec_api::field_selector::FieldSelector;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_api::selector::LabelSelector;
use xebec_state::State;

use super::method_not_allowed;
use crate::continue_token::ContinueToken;
use crate::pipeline::Selectors;
use crate::{ApiServer, ListOptions, Page, RequestContext, Target, Verb, stored};

/// How long a read waits for a revision that this master has not applied yet.
const PATIENCE: Duration = Duration::from_secs(3);

impl ApiServer {
    /// Reads a collection, of one namespace or of all.
    ///
    /// # Errors
    /// [`ApiError`]; `Expired` for a `continue` that is too old.
    pub async fn list(
        &self,
        ctx: &RequestContext,
        target: &Target,
        options: &ListOptions,
    ) -> Result<Page, ApiError> {
        let selectors = Selectors { field: &options.field_selector };
        let work = async {
            target.check_scope(false)?;
            if !target.subresource.is_empty() {
                return Err(method_not_allowed(target, "list"));
            }
            let matcher = Matcher::parse(target, &options.label_selector, &options.field_selector)?;
            let (state, after) = self.place(target, options).await?;
            let page = page(&state, target, &matcher, after.as_ref(), options.limit)?;
            if !page.continue_token.is_empty() {
                self.history().keep(self.settings().clock.now(), &state);
            }
            Ok(page)
        };
        self.run(ctx, Verb::List, target, selectors, work).await
    }

    /// The state to read, and where to go on in it.
    async fn place(
        &self,
        target: &Target,
        options: &ListOptions,
    ) -> Result<(Arc<State>, Option<ContinueToken>), ApiError> {
        if options.exact {
            let revision = parse_revision(&options.resource_version)?;
            let state = self.state_at(target, revision).await?;
            return state.map(|state| (state, None)).ok_or_else(|| too_old(revision));
        }
        if options.continue_token.is_empty() {
            return Ok((self.state_for(&options.resource_version).await?, None));
        }
        let token = ContinueToken::decode(&options.continue_token)?;
        let state = match token.revision {
            None => self.state_for("").await?,
            Some(revision) => match self.state_at(target, revision).await? {
                Some(state) => state,
                None => return Err(token.expired()),
            },
        };
        Ok((state, Some(token)))
    }

    /// The target's objects as they were at a revision: kept here since an earlier page, or
    /// found by undoing what happened since, as for a page that another master gave.
    async fn state_at(&self, target: &Target, revision: u64) -> Result<Option<Arc<State>>, ApiError> {
        self.wait_for(revision).await?;
        let state = self.state();
        if state.revision() == revision {
            return Ok(Some(state));
        }
        if let Some(kept) = self.history().at(self.settings().clock.now(), revision) {
            return Ok(Some(kept));
        }
        Ok(state.rewound(&target.row.storage_name(), revision).ok().map(Arc::new))
    }

    /// `""` is linearizable, `"0"` whatever is here, any other at least that revision.
    async fn state_for(&self, version: &str) -> Result<Arc<State>, ApiError> {
        match version {
            "" => self.barrier().await?,
            "0" => {}
            version => self.wait_for(parse_revision(version)?).await?,
        }
        Ok(self.state())
    }

    /// Waits until this master has applied a revision.
    pub(super) async fn wait_for(&self, revision: u64) -> Result<(), ApiError> {
        let mut revisions = self.store().revisions();
        let reached = async {
            // The state is read outside of the channel's lock, which the store may hold.
            while self.state().revision() < revision {
                revisions.changed().await?;
            }
            Ok::<(), RecvError>(())
        };
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(ApiError::new(Reason::ServiceUnavailable, "this master is stopping")),
            Err(_) => {
                let current = self.state().revision();
                let message = format!("Too large resource version: {revision}, current: {current}");
                let mut error = ApiError::new(Reason::Timeout, message);
                error.details.insert("retryAfterSeconds".into(), 1.into());
                // By this informers know that it is this server which is behind, and list anew.
                let why = "Too large resource version";
                error.causes.push(FieldError::new("ResourceVersionTooLarge", "", why));
                Err(error)
            }
        }
    }
}

/// Reads a `resourceVersion`.
pub(super) fn parse_revision(text: &str) -> Result<u64, ApiError> {
    let message =
        format!("resourceVersion: Invalid value: {text:?}: a decimal number from an object or a list");
    text.parse().map_err(|_| ApiError::new(Reason::BadRequest, message))
}

fn too_old(revision: u64) -> ApiError {
    let message = format!("The resourceVersion for the provided list is too old: {revision}");
    ApiError::new(Reason::Expired, message)
}

pub(super) fn page(
    state: &State,
    target: &Target,
    matcher: &Matcher,
    after: Option<&ContinueToken>,
    limit: usize,
) -> Result<Page, ApiError> {
    let storage_name = target.row.storage_name();
    let namespace = (!target.namespace.is_empty()).then_some(target.namespace.as_str());
    let after = after.map(|token| (token.namespace.as_str(), token.name.as_str()));
    let mut page = Page { revision: state.revision(), ..Page::default() };
    let limit = if limit == 0 { usize::MAX } else { limit };
    let mut entries = state.list_after(&storage_name, namespace, after);
    let mut last = None;
    for (namespace, name, entry) in entries.by_ref() {
        let object = stored::decode(entry)?;
        if !matcher.matches(&object)? {
            continue;
        }
        if page.items.len() == limit {
            let (namespace, name) = last.unwrap_or_default();
            let revision = Some(state.revision());
            page.continue_token = ContinueToken { revision, namespace, name }.encode();
            if matcher.is_empty() {
                page.remaining = 1 + entries.count() as u64;
            }
            break;
        }
        last = Some((namespace.to_string(), name.to_string()));
        page.items.push(object);
    }
    Ok(page)
}

/// Both selectors of a list or watch.
#[derive(Clone)]
pub(super) struct Matcher {
    row: &'static Resource,
    labels: LabelSelector,
    fields: FieldSelector,
    /// The only name, when the target has one (a watch on one object).
    name: String,
}

impl Matcher {
    pub(super) fn parse(target: &Target, labels: &str, fields: &str) -> Result<Self, ApiError> {
        let labels = LabelSelector::parse(labels)
            .map_err(|error| ApiError::new(Reason::BadRequest, error.to_string()))?;
        let fields = FieldSelector::parse(fields)?;
        fields.check(target.row)?;
        Ok(Self { row: target.row, labels, fields, name: target.name.clone() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty() && self.name.is_empty()
    }

    pub(super) fn matches(&self, object: &Object) -> Result<bool, ApiError> {
        Ok((self.name.is_empty() || self.name == object.name())
            && self.labels.matches(object)
            && self.fields.matches(self.row, object)?)
    }
}
