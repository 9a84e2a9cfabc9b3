//! The gRPC face: a codec over the verbs.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::transport::CertificateDer;
use tonic::{Request, Response, Status};
use xebec_api::error::ApiError;
use xebec_api::table;
use xebec_rpc::error::to_status;
use xebec_rpc::object::{decode, decode_value, encode};
use xebec_rpc::v1;

use crate::authentication::{certificate, unauthorized};
use crate::context::RequestContext;
use crate::server::ApiServer;
use crate::verbs::{
    DeleteOptions, ListOptions, Patch, Propagation, Target, WatchItem, WatchOptions, bookmark,
};

/// The service `xebec.v1.Resources`.
#[derive(Clone)]
pub struct ResourcesService(Arc<ApiServer>);

/// The certificates that the TLS layer verified, put into a request's extensions.
pub type PeerCertificates = Arc<Vec<CertificateDer<'static>>>;

impl ResourcesService {
    /// A face over an API.
    #[must_use]
    pub fn new(server: Arc<ApiServer>) -> Self {
        Self(server)
    }

    async fn decoded<T>(&self, request: Request<T>) -> Result<(RequestContext, T), Status> {
        let context = authenticate(&self.0, &request).map_err(|error| to_status(&error))?;
        Ok((context, request.into_inner()))
    }
}

/// Who sent a request.
///
/// # Errors
/// `Unauthorized` when nobody verifiable did; it is logged.
pub fn authenticate<T>(server: &ApiServer, request: &Request<T>) -> Result<RequestContext, ApiError> {
    let bearer = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
    let user = match bearer.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(token) => {
            let keys = server.token_keys().ok_or_else(|| unauthorized("bearer tokens are not taken here"));
            keys.and_then(|keys| keys.verify(token)).map(|claims| claims.user())
        }
        None => match request.peer_certs().and_then(|certificates| certificates.first().cloned()) {
            Some(der) => certificate(&der),
            None => Err(unauthorized("nobody is anonymous here")),
        },
    };
    let user = user.inspect_err(|error| {
        tracing::warn!(from = ?request.remote_addr(), "refused: {error}");
    })?;
    Ok(RequestContext::new(user, server.settings.ids.uid()))
}

fn target(wire: Option<v1::Target>) -> Result<Target, ApiError> {
    let wire = wire.unwrap_or_default();
    Target::new(&wire.group, &wire.version, &wire.resource, &wire.namespace, &wire.name, &wire.subresource)
}

fn with(mut context: RequestContext, field_manager: String, dry_run: bool) -> RequestContext {
    if !field_manager.is_empty() {
        context.field_manager = field_manager;
    }
    context.dry_run = dry_run;
    context
}

fn answer(
    outcome: Result<xebec_api::object::Object, ApiError>,
    encoding: v1::Encoding,
) -> Result<Response<v1::ObjectResponse>, Status> {
    let object = outcome.map_err(|error| to_status(&error))?;
    Ok(Response::new(v1::ObjectResponse { object: Some(encode(&object, encoding)), warnings: Vec::new() }))
}

#[tonic::async_trait]
impl v1::resources_server::Resources for ResourcesService {
    type WatchStream = BoxStream<'static, Result<v1::WatchEvent, Status>>;

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<v1::ObjectResponse>, Status> {
        let (context, wire) = self.decoded(request).await?;
        let encoding = wire.encoding();
        let target = target(wire.target).map_err(|error| to_status(&error))?;
        answer(self.0.get(&context, &target).await, encoding)
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        let (context, wire) = self.decoded(request).await?;
        let encoding = wire.encoding();
        let target = target(wire.target).map_err(|error| to_status(&error))?;
        let options = ListOptions {
            label_selector: wire.label_selector,
            field_selector: wire.field_selector,
            limit: wire.limit as usize,
            continue_token: wire.r#continue,
            resource_version: wire.resource_version,
        };
        let page = self.0.list(&context, &target, &options).await.map_err(|error| to_status(&error))?;
        Ok(Response::new(v1::ListResponse {
            items: page.items.iter().map(|object| encode(object, encoding)).collect(),
            resource_version: page.revision.to_string(),
            r#continue: page.continue_token,
            remaining_item_count: 0,
            kind: target.row.kind.to_owned(),
            api_version: target.row.api_version(),
        }))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (context, wire) = self.decoded(request).await?;
        let encoding = wire.encoding();
        let target = target(wire.target).map_err(|error| to_status(&error))?;
        let options = WatchOptions {
            label_selector: wire.label_selector,
            field_selector: wire.field_selector,
            resource_version: wire.resource_version,
            bookmarks: wire.allow_bookmarks,
            timeout: (wire.timeout_seconds > 0).then(|| Duration::from_secs(wire.timeout_seconds.into())),
        };
        let items = self.0.watch(&context, &target, &options).await.map_err(|error| to_status(&error))?;
        let events = items.map(move |item| {
            let item = item.map_err(|error| to_status(&error))?;
            Ok(event(&target, item, encoding))
        });
        Ok(Response::new(events.boxed()))
    }

    async fn create(
        &self,
        request: Request<v1::CreateRequest>,
    ) -> Result<Response<v1::ObjectResponse>, Status> {
        let (context, wire) = self.decoded(request).await?;
        let encoding = wire.encoding();
        let context = with(context, wire.field_manager, wire.dry_run);
        let target = target(wire.target).map_err(|error| to_status(&error))?;
        let object = decode(wire.object).map_err(|error| to_status(&error))?;
        answer(self.0.create(&context, &target, object).await, encoding)
    }

    async fn update(
        &self,
        request: Request<v1::UpdateRequest>,
    ) -> Result<Response<v1::ObjectResponse>, Status> {
        let (context, wire) = self.decoded(request).await?;
        let encoding = wire.encoding();
        let context = with(context, wire.field_manager, wire.dry_run);
        let target = target(wire.target).map_err(|error| to_status(&error))?;
        let object = decode(wire.object).map_err(|error| to_status(&error))?;
        answer(self.0.update(&context, &target, object).await, encoding)
    }

    async fn patch(
        &self,
        request: Request<v1::PatchRequest>,
    ) -> Result<Response<v1::ObjectResponse>, Status> {
        let (context, wire) = self.decoded(request).await?;
        let (encoding, kind) = (wire.encoding(), wire.r#type());
        let context = with(context, wire.field_manager, wire.dry_run);
        let target = target(wire.target).map_err(|error| to_status(&error))?;
        let value = decode_value(wire.patch).map_err(|error| to_status(&error))?;
        let patch = match kind {
            v1::patch_request::Type::Json => Patch::Json(value),
            v1::patch_request::Type::Merge | v1::patch_request::Type::Unspecified => Patch::Merge(value),
        };
        answer(self.0.patch(&context, &target, &patch).await, encoding)
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteRequest>,
    ) -> Result<Response<v1::ObjectResponse>, Status> {
        let (context, wire) = self.decoded(request).await?;
        let (encoding, propagation) = (wire.encoding(), wire.propagation());
        let context = with(context, String::new(), wire.dry_run);
        let target = target(wire.target).map_err(|error| to_status(&error))?;
        let options = DeleteOptions {
            grace_seconds: wire.grace_period_seconds.map(u64::from),
            uid: Some(wire.precondition_uid).filter(|uid| !uid.is_empty()),
            resource_version: Some(wire.precondition_resource_version).filter(|version| !version.is_empty()),
            propagation: match propagation {
                v1::delete_request::Propagation::Foreground => Propagation::Foreground,
                v1::delete_request::Propagation::Orphan => Propagation::Orphan,
                v1::delete_request::Propagation::Background
                | v1::delete_request::Propagation::Unspecified => Propagation::Background,
            },
        };
        answer(self.0.delete(&context, &target, &options).await, encoding)
    }

    async fn discover(
        &self,
        request: Request<v1::DiscoverRequest>,
    ) -> Result<Response<v1::DiscoverResponse>, Status> {
        self.decoded(request).await?;
        let resources = table::all().iter().map(|row| v1::ResourceInfo {
            group: row.group.to_owned(),
            version: row.versions[0].to_owned(),
            resource: row.plural.to_owned(),
            singular: row.singular.to_owned(),
            kind: row.kind.to_owned(),
            short_names: row.short_names.iter().map(|&name| name.to_owned()).collect(),
            namespaced: row.namespaced,
            subresources: row.subresources.iter().map(|&name| name.to_owned()).collect(),
        });
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Response::new(v1::DiscoverResponse { resources: resources.collect(), version }))
    }
}

fn event(target: &Target, item: WatchItem, encoding: v1::Encoding) -> v1::WatchEvent {
    use v1::watch_event::Type;
    let (kind, object) = match item {
        WatchItem::Added(object) => (Type::Added, object),
        WatchItem::Modified(object) => (Type::Modified, object),
        WatchItem::Deleted(object) => (Type::Deleted, object),
        WatchItem::Bookmark(revision) => (Type::Bookmark, bookmark(target, revision)),
    };
    v1::WatchEvent {
        r#type: kind.into(),
        resource_version: object.resource_version().to_owned(),
        object: Some(encode(&object, encoding)),
    }
}
