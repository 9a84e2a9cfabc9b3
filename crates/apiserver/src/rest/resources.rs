//! Requests about resources: the method and the path are a verb, and each verb's answer
//! is put into the form that was asked for.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::table;

use super::body::{self, Received, unsupported};
use super::path::{self, ResourcePath};
use super::represent::Shown;
use super::streams::{self, StreamRequest};
use super::table::Include;
use super::{Face, Query, Reply, negotiate, options, reply, watch};
use crate::pipeline::decode::{self, Sent};
use crate::{ApiServer, DeleteOptions, Patch, RequestContext, Target, Verb};

/// Kinds whose delete answers with the object even when it is gone at once.
const ANSWER_WITH_OBJECT: [&str; 7] = [
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "resourcequotas",
    "serviceaccounts",
    "services",
];
const PATCH_TYPES: &str = "application/json-patch+json, application/merge-patch+json";

/// One request about a resource. Its body is read once the verb has let its sender through.
struct Call {
    server: Arc<ApiServer>,
    ctx: RequestContext,
    target: Target,
    query: Query,
    shown: Shown,
    reply: Reply,
}

pub(super) async fn handle(
    State(face): State<Arc<Face>>,
    Extension(ctx): Extension<RequestContext>,
    request: Request,
) -> Response {
    let (reply, warnings) = (Reply::to(&request), ctx.warnings.clone());
    let answered = answer(&face, ctx, reply, request).await;
    let mut response = answered.unwrap_or_else(|error| reply.fail(&error));
    reply::warn(&mut response, &warnings);
    response
}

async fn answer(
    face: &Face,
    ctx: RequestContext,
    reply: Reply,
    request: Request,
) -> Result<Response, ApiError> {
    let ResourcePath { target, watch } = path::parse(request.uri().path())?;
    let query = Query::of(request.uri());
    if target.row.storage_name() == "pods" && streams::SUBRESOURCES.contains(&target.subresource.as_str()) {
        let stream = StreamRequest { context: ctx, target, query, reply, request };
        return Ok(streams::serve(&face.server, stream).await);
    }
    let verb = verb(request.method(), &target, watch || query.flag("watch"))?;
    let (media, form) = negotiate::form(request.headers(), !table::is_review(target.row))?;
    let now = face.server.settings().clock.now().as_second();
    let shown = Shown { form, include: Include::of(&query)?, now };
    let call = Call { server: face.server.clone(), ctx, target, query, shown, reply: reply.in_media(media) };
    match verb {
        Verb::Get => call.get().await,
        Verb::List => call.list().await,
        Verb::Watch => call.watch().await,
        Verb::Create => call.create(request).await,
        Verb::Update => call.update(request).await,
        Verb::Patch => call.patch(request).await,
        Verb::Delete => call.delete(request).await,
        Verb::DeleteCollection => call.delete_collection(request).await,
    }
}

/// The verb of a method on a path.
fn verb(method: &Method, target: &Target, watch: bool) -> Result<Verb, ApiError> {
    let (named, whole) = (!target.name.is_empty(), target.subresource.is_empty());
    Ok(match method.as_str() {
        "GET" | "HEAD" if watch && whole => Verb::Watch,
        "GET" | "HEAD" if named => Verb::Get,
        "GET" | "HEAD" => Verb::List,
        "POST" if !named || !whole => Verb::Create,
        "PUT" if named => Verb::Update,
        "PATCH" if named => Verb::Patch,
        "DELETE" if named => Verb::Delete,
        "DELETE" => Verb::DeleteCollection,
        _ => {
            let what = if named { "an object" } else { "a collection" };
            let message = format!("{method} is not supported on {what} of {}", target.qualified());
            return Err(ApiError::new(Reason::MethodNotAllowed, message));
        }
    })
}

impl Call {
    async fn get(self) -> Result<Response, ApiError> {
        let object = self.server.get(&self.ctx, &self.target).await?;
        Ok(self.send(StatusCode::OK, object))
    }

    async fn list(self) -> Result<Response, ApiError> {
        let page = self.server.list(&self.ctx, &self.target, &options::list(&self.query)?).await?;
        Ok(self.reply.send(StatusCode::OK, &self.shown.page(&self.target, page)))
    }

    async fn watch(self) -> Result<Response, ApiError> {
        let options = options::watch(&self.server, &self.query)?;
        let opened = self.server.watch(&self.ctx, &self.target, &options).await;
        let (server, shown) = (self.server, self.shown);
        let shown = move || Shown { now: server.settings().clock.now().as_second(), ..shown };
        watch::respond(opened, self.target, shown)
    }

    async fn create(self, request: Request) -> Result<Response, ApiError> {
        let ctx = options::write(self.ctx.clone(), &self.query)?;
        let body = async { self.whole(&ctx, &self.receive(request).await?) };
        let object = self.server.create_from(&ctx, &self.target, body).await?;
        Ok(self.send(StatusCode::CREATED, object))
    }

    async fn update(self, request: Request) -> Result<Response, ApiError> {
        let ctx = options::write(self.ctx.clone(), &self.query)?;
        let body = async { self.whole(&ctx, &self.receive(request).await?) };
        let object = self.server.update_from(&ctx, &self.target, body).await?;
        Ok(self.send(StatusCode::OK, object))
    }

    async fn patch(self, request: Request) -> Result<Response, ApiError> {
        let ctx = options::write(self.ctx.clone(), &self.query)?;
        let body = async {
            let (patch, duplicates) = patch(&self.receive(request).await?)?;
            decode::check_duplicates(&ctx, self.target.row, Sent::Patch, &duplicates)?;
            Ok(patch)
        };
        let object = self.server.patch_from(&ctx, &self.target, body).await?;
        Ok(self.send(StatusCode::OK, object))
    }

    /// The object in a body.
    fn whole(&self, ctx: &RequestContext, body: &Received) -> Result<Object, ApiError> {
        let (object, duplicates) = body.object()?;
        decode::check_duplicates(ctx, self.target.row, Sent::Whole, &duplicates)?;
        Ok(object)
    }

    async fn delete(self, request: Request) -> Result<Response, ApiError> {
        let asked = self.delete_options(request);
        let object = self.server.delete_from(&self.ctx, &self.target, asked).await?;
        let stays = object.is_terminating() || ANSWER_WITH_OBJECT.contains(&self.target.row.plural);
        if stays {
            return Ok(self.send(StatusCode::OK, object));
        }
        Ok(self.reply.send(StatusCode::OK, &gone(&self.target, &object)))
    }

    async fn delete_collection(self, request: Request) -> Result<Response, ApiError> {
        let (which, asked) = (options::list(&self.query)?, self.delete_options(request));
        let page = self.server.delete_collection(&self.ctx, &self.target, &which, asked).await?;
        Ok(self.reply.send(StatusCode::OK, &self.shown.page(&self.target, page)))
    }

    async fn receive(&self, request: Request) -> Result<Received, ApiError> {
        body::receive(request, self.ctx.timeout).await
    }

    /// The options of a delete, and whether it is tried out only.
    async fn delete_options(&self, request: Request) -> Result<(DeleteOptions, bool), ApiError> {
        let body = self.receive(request).await?;
        let sent = if body.is_empty() { None } else { Some(body.object()?.0) };
        options::delete(&self.query, sent.as_ref())
    }

    fn send(&self, code: StatusCode, object: Object) -> Response {
        self.reply.send(code, &self.shown.object(&self.target, object))
    }
}

/// The patch in a body, whose kind its content type says, and the fields that it names twice.
fn patch(body: &Received) -> Result<(Patch, Vec<String>), ApiError> {
    let kind = match body.media_type() {
        "application/merge-patch+json" => Patch::Merge,
        "application/json-patch+json" => Patch::Json,
        "application/strategic-merge-patch+json" => Patch::Strategic,
        "application/apply-patch+yaml" | "application/apply-patch+cbor" => {
            return Err(not_yet("server-side apply", "client-side apply"));
        }
        other => return Err(unsupported(other, PATCH_TYPES)),
    };
    body.json().map(|(patch, duplicates)| (kind(patch), duplicates))
}

fn not_yet(what: &str, instead: &str) -> ApiError {
    let message = format!("{what}: not supported here yet; use {instead}");
    ApiError::new(Reason::UnsupportedMediaType, message)
}

/// What is said of an object that is gone.
fn gone(target: &Target, object: &Object) -> Value {
    let mut details = json!({"name": object.name(), "kind": target.row.plural, "uid": object.uid()});
    if !target.row.group.is_empty() {
        details["group"] = target.row.group.into();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_and_a_path_are_a_verb() {
        for (method, path, wanted) in [
            ("GET", "/api/v1/pods", "list"),
            ("HEAD", "/api/v1/pods", "list"),
            ("GET", "/api/v1/watch/pods", "watch"),
            ("GET", "/api/v1/namespaces/a/pods/b", "get"),
            ("GET", "/api/v1/watch/namespaces/a/pods/b", "watch"),
            ("GET", "/api/v1/namespaces/a/pods/b/status", "get"),
            ("POST", "/api/v1/namespaces/a/pods", "create"),
            ("POST", "/api/v1/namespaces/a/pods/b/eviction", "create"),
            ("PUT", "/api/v1/namespaces/a/finalize", "update"),
            ("PATCH", "/api/v1/namespaces/a/pods/b", "patch"),
            ("DELETE", "/api/v1/namespaces/a/pods/b", "delete"),
            ("DELETE", "/api/v1/namespaces/a/pods", "deletecollection"),
            ("POST", "/api/v1/namespaces/a/pods/b", "MethodNotAllowed"),
            ("PUT", "/api/v1/namespaces/a/pods", "MethodNotAllowed"),
            ("OPTIONS", "/api/v1/namespaces/a/pods", "MethodNotAllowed"),
        ] {
            let ResourcePath { target, watch } = path::parse(path).expect(path);
            let method = method.parse().expect("a method");
            let found = verb(&method, &target, watch);
            let found = found.map_or_else(|error| error.reason.as_str(), Verb::as_str);
            assert_eq!(found, wanted, "{method} {path}");
        }
    }
}
