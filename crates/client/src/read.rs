//! Get and List. A list follows `continue` until it is whole: all of its pages show one
//! revision, whichever masters answer them.

use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_rpc::v1::{Encoding, GetRequest, ListRequest, ListResponse};

use crate::call::{self, Repeat};
use crate::client::{Client, bad_answer, resources};
use crate::resource_name::ResourceName;

/// Objects a page: large enough to be few, small enough for one message.
const PAGE: u32 = 500;
/// How often a list begins anew because its revision was compacted on the way.
const MOST_RESTARTS: usize = 3;

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ListParams {
    /// Such as `app=web,tier!=db`; `""` for all.
    pub label_selector: String,
    /// Such as `spec.nodeName=n1`; `""` for all.
    pub field_selector: String,
}

/// A whole collection at one revision.
#[derive(Clone, Debug, Default)]
pub struct ObjectList<T = Object> {
    /// Sorted by namespace and name.
    pub items: Vec<T>,
    /// Start a watch from it.
    pub resource_version: String,
    /// Such as `Pod`.
    pub kind: String,
    /// Such as `v1`.
    pub api_version: String,
}

impl Client {
    /// One object; cluster-scoped ones have the namespace `""`.
    ///
    /// # Errors
    /// `NotFound`, and as every request.
    pub async fn get(
        &self,
        resource: impl Into<ResourceName>,
        namespace: &str,
        name: &str,
    ) -> Result<Object, ApiError> {
        self.get_subresource(resource, namespace, name, "").await
    }

    /// One object's subresource, such as `scale`.
    ///
    /// # Errors
    /// `NotFound`, and as every request.
    pub async fn get_subresource(
        &self,
        resource: impl Into<ResourceName>,
        namespace: &str,
        name: &str,
        subresource: &str,
    ) -> Result<Object, ApiError> {
        let target = resource.into().target(namespace, name, subresource);
        let message = GetRequest { target: Some(target), encoding: Encoding::Json.into() };
        let answer = self
            .call(Repeat::Always, |channel, timeout| {
                let request = call::request(message.clone(), timeout);
                async move { Ok(resources(channel).get(request).await?.into_inner()) }
            })
            .await?;
        self.object(answer)
    }

    /// One object, or `None` when it is not there.
    ///
    /// # Errors
    /// As every request.
    pub async fn find(
        &self,
        resource: impl Into<ResourceName>,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Object>, ApiError> {
        match self.get(resource, namespace, name).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.reason == Reason::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A whole collection, or what the selectors leave of it; the namespace `""` means all.
    ///
    /// # Errors
    /// As every request.
    pub async fn list(
        &self,
        resource: impl Into<ResourceName>,
        namespace: &str,
        params: &ListParams,
    ) -> Result<ObjectList, ApiError> {
        self.list_with(resource, namespace, params, |object| object).await
    }

    /// The same, with what `project` makes of each object as soon as its page is there:
    /// who keeps little of much never holds all of it.
    pub(crate) async fn list_with<T>(
        &self,
        resource: impl Into<ResourceName>,
        namespace: &str,
        params: &ListParams,
        project: impl Fn(Object) -> T,
    ) -> Result<ObjectList<T>, ApiError> {
        let message = ListRequest {
            target: Some(resource.into().target(namespace, "", "")),
            encoding: Encoding::Json.into(),
            label_selector: params.label_selector.clone(),
            field_selector: params.field_selector.clone(),
            limit: PAGE,
            ..ListRequest::default()
        };
        let mut restarts = 0;
        loop {
            match self.pages(message.clone(), &project).await {
                Err(error) if error.reason == Reason::Expired && restarts < MOST_RESTARTS => restarts += 1,
                outcome => return outcome,
            }
        }
    }

    async fn pages<T>(
        &self,
        mut message: ListRequest,
        project: impl Fn(Object) -> T,
    ) -> Result<ObjectList<T>, ApiError> {
        let (items, resource_version, kind, api_version) = Default::default();
        let mut list = ObjectList { items, resource_version, kind, api_version };
        loop {
            let page = self.page(&message).await?;
            for object in page.items {
                let object = xebec_rpc::object::decode(Some(object)).map_err(|error| bad_answer(&error))?;
                list.items.push(project(object));
            }
            list.resource_version = page.resource_version;
            list.kind = page.kind;
            list.api_version = page.api_version;
            if page.r#continue.is_empty() {
                return Ok(list);
            }
            message.r#continue = page.r#continue;
        }
    }

    async fn page(&self, message: &ListRequest) -> Result<ListResponse, ApiError> {
        self.call(Repeat::Always, |channel, timeout| {
            let request = call::request(message.clone(), timeout);
            async move { Ok(resources(channel).list(request).await?.into_inner()) }
        })
        .await
    }
}
