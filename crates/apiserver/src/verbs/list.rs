//! A collection, page by page, all pages at one revision.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use xebec_api::error::{ApiError, Reason};
use xebec_api::field_selector::FieldSelector;
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;

use crate::context::RequestContext;
use crate::server::ApiServer;
use crate::verbs::Target;
use crate::versioned;

/// What a list asks for.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// In text form, `""` for all.
    pub label_selector: String,
    /// In text form, `""` for all.
    pub field_selector: String,
    /// Objects a page, 0 for all.
    pub limit: usize,
    /// From the page before.
    pub continue_token: String,
    /// `""` is linearizable, `"0"` whatever this process has.
    pub resource_version: String,
}

/// One page.
#[derive(Debug)]
pub struct Page {
    /// The objects, in order of namespace and name.
    pub items: Vec<Object>,
    /// The revision they were all read at.
    pub revision: u64,
    /// For the next page, `""` at the end.
    pub continue_token: String,
}

/// What a `continue` token holds.
#[derive(Serialize, Deserialize)]
struct Continue {
    revision: u64,
    namespace: String,
    name: String,
}

/// Both selectors, read.
pub(crate) struct Selectors {
    labels: LabelSelector,
    pub(crate) fields: FieldSelector,
}

impl Selectors {
    pub(crate) fn parse(labels: &str, fields: &str) -> Result<Self, ApiError> {
        let labels = LabelSelector::parse(labels);
        let labels = labels.map_err(|error| ApiError::new(Reason::BadRequest, error.to_string()))?;
        Ok(Self { labels, fields: FieldSelector::parse(fields)? })
    }

    pub(crate) fn matches(&self, target: &Target, object: &Object) -> Result<bool, ApiError> {
        Ok(self.labels.matches(object) && self.fields.matches(target.row, object)?)
    }
}

impl ApiServer {
    /// Lists a collection.
    ///
    /// # Errors
    /// `BadRequest` for selectors that cannot be read, `Expired` for a `continue` whose
    /// revision is gone, `Forbidden`, or what the store says.
    pub async fn list(
        &self,
        context: &RequestContext,
        target: &Target,
        options: &ListOptions,
    ) -> Result<Page, ApiError> {
        let selectors = Selectors::parse(&options.label_selector, &options.field_selector)?;
        self.authorize_selected(context, "list", target, &selectors.fields)?;
        let from = decode_continue(&options.continue_token)?;
        let state = match &from {
            Some(from) => self.recall(from.revision).ok_or_else(expired)?,
            None => {
                if options.resource_version.is_empty() {
                    self.store.barrier().await?;
                } else {
                    self.wait_for(versioned::parse_revision(&options.resource_version)?.unwrap_or(0)).await?;
                }
                self.store.state()
            }
        };
        let namespace = Some(target.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        let after = from.as_ref().map(|from| (from.namespace.as_str(), from.name.as_str()));
        let resource = target.row.storage_name();
        let mut page = Page { items: Vec::new(), revision: state.revision(), continue_token: String::new() };
        let mut last = None;
        for (namespace, name, entry) in state.list_after(&resource, namespace, after) {
            if options.limit > 0 && page.items.len() == options.limit {
                page.continue_token = encode_continue(page.revision, last);
                self.remember(&state);
                break;
            }
            let object = versioned::to_object(entry)?;
            if selectors.matches(target, &object)? {
                page.items.push(object);
                last = Some((namespace.to_string(), name.to_string()));
            }
        }
        Ok(page)
    }
}

fn encode_continue(revision: u64, last: Option<(String, String)>) -> String {
    let (namespace, name) = last.unwrap_or_default();
    let token = serde_json::to_vec(&Continue { revision, namespace, name }).expect("plain data serializes");
    URL_SAFE_NO_PAD.encode(token)
}

fn decode_continue(token: &str) -> Result<Option<Continue>, ApiError> {
    if token.is_empty() {
        return Ok(None);
    }
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let decoded =
        decoded.ok_or_else(|| ApiError::new(Reason::BadRequest, "continue: not a token of this server"))?;
    Ok(Some(decoded))
}

fn expired() -> ApiError {
    let message =
        "the continue token is too old, or belongs to another master: start the list again without it";
    ApiError::new(Reason::Expired, message)
}
