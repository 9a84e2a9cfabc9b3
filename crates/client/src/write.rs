//! Create, Update, Patch and Delete, and which of them may be sent twice: all that say what
//! is to be. A create and a JSON patch say what to do, so they are sent again only where
//! they certainly did nothing.

use serde_json::Value;
use xebec_api::error::ApiError;
use xebec_api::object::Object;
use xebec_rpc::v1::delete_request::Propagation as WirePropagation;
use xebec_rpc::v1::object::Body;
use xebec_rpc::v1::patch_request::Type as PatchType;
use xebec_rpc::v1::{self, CreateRequest, DeleteRequest, Encoding, PatchRequest, UpdateRequest};

use crate::call::{self, Repeat};
use crate::client::{Client, resources};
use crate::resource_name::ResourceName;

/// A change, beside replacing the whole object.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// RFC 7386: fields to set, `null` removes.
    Merge(Value),
    /// RFC 6902: a list of operations.
    Json(Value),
    /// Strategic merge: lists by their keys, and directives.
    Strategic(Value),
}

/// What becomes of the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it.
    #[default]
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// How to delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteParams {
    /// Seconds; `None` for the object's own default, 0 for at once.
    pub grace_period_seconds: Option<u32>,
    /// Only the object with this uid; `""` for whichever has the name.
    pub uid: String,
    /// Only at this version; `""` for any.
    pub resource_version: String,
    /// What becomes of what it owns.
    pub propagation: Propagation,
}

fn json(object: &Object) -> Option<v1::Object> {
    Some(xebec_rpc::object::encode(object, Encoding::Json))
}

impl Client {
    /// Makes an object, in the namespace that it names. What the server made of it.
    ///
    /// # Errors
    /// `AlreadyExists`, `Invalid`, `Timeout` when the outcome is unknown, and as every request.
    pub async fn create(
        &self,
        resource: impl Into<ResourceName>,
        object: &Object,
    ) -> Result<Object, ApiError> {
        // A collection's target has no name; the object carries it.
        let target = resource.into().target(object.namespace(), "", "");
        self.create_at(target, object).await
    }

    /// Makes an object under another, such as a pod's `binding`.
    ///
    /// # Errors
    /// As [`Client::create`].
    pub async fn create_subresource(
        &self,
        resource: impl Into<ResourceName>,
        namespace: &str,
        name: &str,
        subresource: &str,
        object: &Object,
    ) -> Result<Object, ApiError> {
        self.create_at(resource.into().target(namespace, name, subresource), object).await
    }

    async fn create_at(&self, target: v1::Target, object: &Object) -> Result<Object, ApiError> {
        let message = CreateRequest {
            target: Some(target),
            encoding: Encoding::Json.into(),
            object: json(object),
            field_manager: self.settings.field_manager.clone(),
            dry_run: self.settings.dry_run,
        };
        let answer = self
            .call(Repeat::IfNothingHappened, |channel, timeout| {
                let request = call::request(message.clone(), timeout);
                async move { Ok(resources(channel).create(request).await?.into_inner()) }
            })
            .await?;
        self.object(answer)
    }

    /// Replaces an object; where it names a resourceVersion, only that version.
    ///
    /// # Errors
    /// `Conflict`, `NotFound`, `Invalid`, and as every request.
    pub async fn update(
        &self,
        resource: impl Into<ResourceName>,
        object: &Object,
    ) -> Result<Object, ApiError> {
        self.update_subresource(resource, "", object).await
    }

    /// Replaces an object's status, and nothing else of it.
    ///
    /// # Errors
    /// As [`Client::update`].
    pub async fn update_status(
        &self,
        resource: impl Into<ResourceName>,
        object: &Object,
    ) -> Result<Object, ApiError> {
        self.update_subresource(resource, "status", object).await
    }

    /// Replaces what a subresource stands for.
    ///
    /// # Errors
    /// As [`Client::update`].
    pub async fn update_subresource(
        &self,
        resource: impl Into<ResourceName>,
        subresource: &str,
        object: &Object,
    ) -> Result<Object, ApiError> {
        let message = UpdateRequest {
            target: Some(resource.into().target(object.namespace(), object.name(), subresource)),
            encoding: Encoding::Json.into(),
            object: json(object),
            field_manager: self.settings.field_manager.clone(),
            dry_run: self.settings.dry_run,
        };
        let answer = self
            .call(Repeat::Always, |channel, timeout| {
                let request = call::request(message.clone(), timeout);
                async move { Ok(resources(channel).update(request).await?.into_inner()) }
            })
            .await?;
        self.object(answer)
    }

    /// Changes fields of an object.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, and as every request.
    pub async fn patch(
        &self,
        resource: impl Into<ResourceName>,
        namespace: &str,
        name: &str,
        patch: &Patch,
    ) -> Result<Object, ApiError> {
        self.patch_subresource(resource, namespace, name, "", patch).await
    }

    /// Changes fields of a subresource, such as `status`.
    ///
    /// # Errors
    /// As [`Client::patch`].
    pub async fn patch_subresource(
        &self,
        resource: impl Into<ResourceName>,
        namespace: &str,
        name: &str,
        subresource: &str,
        patch: &Patch,
    ) -> Result<Object, ApiError> {
        let (kind, value, repeat) = match patch {
            Patch::Merge(value) => (PatchType::Merge, value, Repeat::Always),
            Patch::Json(value) => (PatchType::Json, value, Repeat::IfNothingHappened),
            Patch::Strategic(value) => (PatchType::Strategic, value, Repeat::Always),
        };
        let message = PatchRequest {
            target: Some(resource.into().target(namespace, name, subresource)),
            encoding: Encoding::Json.into(),
            r#type: kind.into(),
            patch: Some(v1::Object { body: Some(Body::Json(value.to_string().into())) }),
            field_manager: self.settings.field_manager.clone(),
            dry_run: self.settings.dry_run,
        };
        let answer = self
            .call(repeat, |channel, timeout| {
                let request = call::request(message.clone(), timeout);
                async move { Ok(resources(channel).patch(request).await?.into_inner()) }
            })
            .await?;
        self.object(answer)
    }

    /// Deletes an object, or starts to. What was there last.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` where a precondition does not hold, and as every request.
    pub async fn delete(
        &self,
        resource: impl Into<ResourceName>,
        namespace: &str,
        name: &str,
        params: &DeleteParams,
    ) -> Result<Object, ApiError> {
        let propagation = match params.propagation {
            Propagation::Background => WirePropagation::Background,
            Propagation::Foreground => WirePropagation::Foreground,
            Propagation::Orphan => WirePropagation::Orphan,
        };
        let message = DeleteRequest {
            target: Some(resource.into().target(namespace, name, "")),
            encoding: Encoding::Json.into(),
            grace_period_seconds: params.grace_period_seconds,
            precondition_uid: params.uid.clone(),
            precondition_resource_version: params.resource_version.clone(),
            propagation: propagation.into(),
            dry_run: self.settings.dry_run,
        };
        let answer = self
            .call(Repeat::Always, |channel, timeout| {
                let request = call::request(message.clone(), timeout);
                async move { Ok(resources(channel).delete(request).await?.into_inner()) }
            })
            .await?;
        self.object(answer)
    }
}
