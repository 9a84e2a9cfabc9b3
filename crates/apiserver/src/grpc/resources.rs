//! The service itself: decode, call the verb, encode.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status};
use xebec_api::error::ApiError;
use xebec_api::table;
use xebec_rpc::error::to_status;
use xebec_rpc::object;
use xebec_rpc::v1;
use xebec_rpc::v1::resources_server::Resources;

use super::convert;
use super::identity::authenticate;
use crate::{ApiServer, RequestContext};

type Answer<T> = Result<Response<T>, Status>;

/// `xebec.v1.Resources`.
#[derive(Clone)]
pub struct ResourcesService {
    server: Arc<ApiServer>,
}

impl ResourcesService {
    /// On an apiserver.
    #[must_use]
    pub fn new(server: Arc<ApiServer>) -> Self {
        Self { server }
    }

    fn open<T>(&self, request: Request<T>) -> Result<(RequestContext, T), ApiError> {
        let context = authenticate(&self.server, &request)?;
        Ok((context, request.into_inner()))
    }

    async fn get_object(&self, request: Request<v1::GetRequest>) -> Result<v1::ObjectResponse, ApiError> {
        let (ctx, request) = self.open(request)?;
        let encoding = request.encoding();
        let object = self.server.get(&ctx, &convert::target(request.target)?).await?;
        Ok(convert::response(&object, encoding))
    }

    async fn list_objects(&self, request: Request<v1::ListRequest>) -> Result<v1::ListResponse, ApiError> {
        let (ctx, request) = self.open(request)?;
        let target = convert::target(request.target.clone())?;
        let page = self.server.list(&ctx, &target, &convert::list_options(&request)).await?;
        Ok(convert::page(&page, target.row, request.encoding()))
    }

    async fn watch_objects(&self, request: Request<v1::WatchRequest>) -> Result<EventStream, ApiError> {
        let (ctx, request) = self.open(request)?;
        let target = convert::target(request.target.clone())?;
        let events = self.server.watch(&ctx, &target, &convert::watch_options(&request)).await?;
        let encoding = request.encoding();
        Ok(Box::pin(events.map(move |event| match event {
            Ok(event) => Ok(convert::event(&event, encoding)),
            Err(error) => Err(to_status(&error)),
        })))
    }

    async fn create_object(
        &self,
        request: Request<v1::CreateRequest>,
    ) -> Result<v1::ObjectResponse, ApiError> {
        let (ctx, request) = self.open(request)?;
        let encoding = request.encoding();
        let target = convert::target(request.target)?;
        let ctx = convert::writing(ctx, request.field_manager, request.dry_run);
        let body = async { object::decode(request.object) };
        let object = self.server.create_from(&ctx, &target, body).await?;
        Ok(convert::response(&object, encoding))
    }

    async fn update_object(
        &self,
        request: Request<v1::UpdateRequest>,
    ) -> Result<v1::ObjectResponse, ApiError> {
        let (ctx, request) = self.open(request)?;
        let encoding = request.encoding();
        let target = convert::target(request.target)?;
        let ctx = convert::writing(ctx, request.field_manager, request.dry_run);
        let body = async { object::decode(request.object) };
        let object = self.server.update_from(&ctx, &target, body).await?;
        Ok(convert::response(&object, encoding))
    }

    async fn patch_object(&self, request: Request<v1::PatchRequest>) -> Result<v1::ObjectResponse, ApiError> {
        let (ctx, request) = self.open(request)?;
        let (encoding, kind) = (request.encoding(), request.r#type());
        let target = convert::target(request.target)?;
        let ctx = convert::writing(ctx, request.field_manager, request.dry_run);
        let body = async { convert::patch(kind, request.patch) };
        let object = self.server.patch_from(&ctx, &target, body).await?;
        Ok(convert::response(&object, encoding))
    }

    async fn delete_object(
        &self,
        request: Request<v1::DeleteRequest>,
    ) -> Result<v1::ObjectResponse, ApiError> {
        let (ctx, request) = self.open(request)?;
        let (encoding, options) = (request.encoding(), convert::delete_options(&request));
        let ctx = convert::writing(ctx, String::new(), request.dry_run);
        let object = self.server.delete(&ctx, &convert::target(request.target)?, &options).await?;
        Ok(convert::response(&object, encoding))
    }
}

type EventStream = Pin<Box<dyn Stream<Item = Result<v1::WatchEvent, Status>> + Send>>;

fn answer<T>(outcome: Result<T, ApiError>) -> Answer<T> {
    outcome.map(Response::new).map_err(|error| to_status(&error))
}

#[tonic::async_trait]
impl Resources for ResourcesService {
    type WatchStream = EventStream;

    async fn get(&self, request: Request<v1::GetRequest>) -> Answer<v1::ObjectResponse> {
        answer(self.get_object(request).await)
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Answer<v1::ListResponse> {
        answer(self.list_objects(request).await)
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Answer<EventStream> {
        answer(self.watch_objects(request).await)
    }

    async fn create(&self, request: Request<v1::CreateRequest>) -> Answer<v1::ObjectResponse> {
        answer(self.create_object(request).await)
    }

    async fn update(&self, request: Request<v1::UpdateRequest>) -> Answer<v1::ObjectResponse> {
        answer(self.update_object(request).await)
    }

    async fn patch(&self, request: Request<v1::PatchRequest>) -> Answer<v1::ObjectResponse> {
        answer(self.patch_object(request).await)
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::ObjectResponse> {
        answer(self.delete_object(request).await)
    }

    /// What kinds there are is no secret to whom the cluster knows.
    async fn discover(&self, request: Request<v1::DiscoverRequest>) -> Answer<v1::DiscoverResponse> {
        let opened = self.open(request).map(|_| v1::DiscoverResponse {
            resources: table::all().iter().map(convert::info).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        answer(opened)
    }
}
