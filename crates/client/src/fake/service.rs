//! The gRPC service over the fake's store.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};

use futures::Stream;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use xebec_api::error::{ApiError, Reason};
use xebec_api::field_selector::FieldSelector;
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;
use xebec_api::table;
use xebec_rpc::error::to_status;
use xebec_rpc::object::{decode, decode_value, encode};
use xebec_rpc::v1::resources_server::Resources;
use xebec_rpc::v1::watch_event::Type;
use xebec_rpc::v1::{self, Encoding, ObjectResponse, Target, WatchEvent};

use super::store::Logged;
use super::{Fault, Shared, Store};

pub(super) struct Service {
    pub(super) store: Arc<Store>,
    pub(super) shared: Arc<Shared>,
    pub(super) cancel: CancellationToken,
}

type Answer<T> = Result<Response<T>, Status>;

fn storage_name(target: &Target) -> String {
    if target.group.is_empty() {
        target.resource.clone()
    } else {
        format!("{}/{}", target.group, target.resource)
    }
}

fn object(object: &Object) -> Response<ObjectResponse> {
    Response::new(ObjectResponse { object: Some(encode(object, Encoding::Json)), warnings: Vec::new() })
}

fn merge(base: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *base = patch.clone();
        return;
    };
    if !base.is_object() {
        *base = Value::Object(Map::new());
    }
    let base = base.as_object_mut().expect("made a map above");
    for (key, value) in patch {
        if value.is_null() {
            base.remove(key);
        } else {
            merge(base.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

impl Service {
    /// Notes the request down; what the next fault says of it.
    async fn admit(&self, verb: &str, target: &Target) -> Result<Option<Status>, Status> {
        let slash = if target.subresource.is_empty() { "" } else { "/" };
        let call = format!(
            "{verb} {}{slash}{} {}/{}",
            storage_name(target),
            target.subresource,
            target.namespace,
            target.name
        );
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        let fault = self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match fault {
            None => Ok(None),
            Some(Fault::Refuse(error)) => Err(to_status(&error)),
            Some(Fault::DoThenFail(error)) => Ok(Some(to_status(&error))),
            Some(Fault::Hang) => std::future::pending().await,
        }
    }

    fn get(&self, target: &Target) -> Result<Object, Status> {
        let found = self.store.get(&storage_name(target), &target.namespace, &target.name);
        found.ok_or_else(|| to_status(&ApiError::not_found(&target.group, &target.resource, &target.name)))
    }

    fn selected(
        &self,
        target: &Target,
        objects: Vec<Object>,
        labels: &str,
        fields: &str,
    ) -> Result<Vec<Object>, Status> {
        let bad = |why: String| to_status(&ApiError::new(Reason::BadRequest, why));
        let labels = LabelSelector::parse(labels).map_err(|error| bad(error.to_string()))?;
        let fields = FieldSelector::parse(fields).map_err(|error| to_status(&error))?;
        let row = table::find(&target.group, &target.resource).ok_or_else(|| bad("no such kind".into()))?;
        let mut kept = Vec::new();
        for object in objects {
            if labels.matches(&object) && fields.matches(row, &object).map_err(|error| to_status(&error))? {
                kept.push(object);
            }
        }
        Ok(kept)
    }
}

fn told<T>(fail: Option<Status>, answer: T) -> Result<T, Status> {
    fail.map_or(Ok(answer), Err)
}

#[tonic::async_trait]
impl Resources for Service {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchEvent, Status>> + Send>>;

    async fn get(&self, request: Request<v1::GetRequest>) -> Answer<ObjectResponse> {
        let target = request.into_inner().target.unwrap_or_default();
        self.admit("get", &target).await?;
        Ok(object(&Service::get(self, &target)?))
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Answer<v1::ListResponse> {
        let request = request.into_inner();
        let target = request.target.unwrap_or_default();
        self.admit("list", &target).await?;
        let revision = self.store.revision();
        let all = self.store.list(&storage_name(&target), &target.namespace);
        let all = self.selected(&target, all, &request.label_selector, &request.field_selector)?;
        let start = request.r#continue.parse().unwrap_or(0).min(all.len());
        let end = if request.limit == 0 { all.len() } else { all.len().min(start + request.limit as usize) };
        let more = if end < all.len() { end.to_string() } else { String::new() };
        Ok(Response::new(v1::ListResponse {
            items: all[start..end].iter().map(|object| encode(object, Encoding::Json)).collect(),
            resource_version: revision.to_string(),
            r#continue: more,
            ..v1::ListResponse::default()
        }))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Answer<Self::WatchStream> {
        let request = request.into_inner();
        let target = request.target.unwrap_or_default();
        self.admit("watch", &target).await?;
        let from = request.resource_version.parse().unwrap_or(0);
        self.store.since(from).map_err(|error| to_status(&error))?;
        let (store, cancel) = (Arc::clone(&self.store), self.cancel.clone());
        let (sender, receiver) = tokio::sync::mpsc::channel(16);
        let (last, cut_off) = (sender.clone(), self.shared.cut_off.clone());
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = cancel.cancelled() => {}
                () = cut_off.cancelled() => {
                    let error = ApiError::new(Reason::ServiceUnavailable, "cut off");
                    let _ = last.send(Err(to_status(&error))).await;
                }
                () = follow(store, target, from, sender) => {}
            }
        });
        let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
        Ok(Response::new(Box::pin(stream)))
    }

    async fn create(&self, request: Request<v1::CreateRequest>) -> Answer<ObjectResponse> {
        let request = request.into_inner();
        let mut target = request.target.unwrap_or_default();
        let new = decode(request.object).map_err(|error| to_status(&error))?;
        if target.subresource.is_empty() {
            new.name().clone_into(&mut target.name);
        }
        let fail = self.admit("create", &target).await?;
        if target.subresource == "token" {
            return told(fail, object(&token(&new)));
        }
        if Service::get(self, &target).is_ok() {
            return Err(to_status(&ApiError::already_exists(&target.group, &target.resource, &target.name)));
        }
        told(fail, object(&self.store.put_at(&storage_name(&target), new)))
    }

    async fn update(&self, request: Request<v1::UpdateRequest>) -> Answer<ObjectResponse> {
        let request = request.into_inner();
        let target = request.target.unwrap_or_default();
        let fail = self.admit("update", &target).await?;
        let new = decode(request.object).map_err(|error| to_status(&error))?;
        let old = Service::get(self, &target)?;
        if !new.resource_version().is_empty() && new.resource_version() != old.resource_version() {
            return Err(to_status(&ApiError::conflict(&target.group, &target.resource, &target.name)));
        }
        told(fail, object(&self.store.put_at(&storage_name(&target), new)))
    }

    async fn patch(&self, request: Request<v1::PatchRequest>) -> Answer<ObjectResponse> {
        let request = request.into_inner();
        let target = request.target.unwrap_or_default();
        let fail = self.admit("patch", &target).await?;
        let patch = decode_value(request.patch).map_err(|error| to_status(&error))?;
        let mut value = Service::get(self, &target)?.into_value();
        merge(&mut value, &patch);
        let Value::Object(map) = value else { return Err(Status::invalid_argument("no object")) };
        told(fail, object(&self.store.put_at(&storage_name(&target), Object::from_map(map))))
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<ObjectResponse> {
        let target = request.into_inner().target.unwrap_or_default();
        let fail = self.admit("delete", &target).await?;
        Service::get(self, &target)?;
        let gone = self.store.remove(&storage_name(&target), &target.namespace, &target.name);
        told(fail, object(&gone.ok_or_else(|| Status::aborted("deleted twice"))?))
    }

    async fn discover(&self, _: Request<v1::DiscoverRequest>) -> Answer<v1::DiscoverResponse> {
        self.admit("discover", &Target::default()).await?;
        let version = "fake".to_owned();
        Ok(Response::new(v1::DiscoverResponse { resources: Vec::new(), version }))
    }
}

/// Each token is another; none says when it expires.
fn token(request: &Object) -> Object {
    static MADE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let number = MADE.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut made = request.clone();
    made.set(&["status"], serde_json::json!({"token": format!("token-{number}")}));
    made
}

type Sender = tokio::sync::mpsc::Sender<Result<WatchEvent, Status>>;

/// Sends what happens until nobody listens.
async fn follow(store: Arc<Store>, target: Target, mut from: u64, sender: Sender) {
    let mut revisions = store.revisions();
    loop {
        revisions.mark_unchanged();
        let events = match store.since(from) {
            Ok(events) => events,
            Err(error) => {
                let _ = sender.send(Err(to_status(&error))).await;
                return;
            }
        };
        for event in events {
            from = event.revision;
            if !concerns(&event, &target) {
                continue;
            }
            if sender.send(Ok(wire(&event))).await.is_err() {
                return;
            }
        }
        tokio::select! {
            changed = revisions.changed() => if changed.is_err() { return },
            () = sender.closed() => return,
        }
    }
}

fn concerns(event: &Logged, target: &Target) -> bool {
    event.resource == storage_name(target)
        && (target.namespace.is_empty() || event.object.namespace() == target.namespace)
}

fn wire(event: &Logged) -> WatchEvent {
    let kind: Type = event.kind;
    WatchEvent {
        r#type: kind.into(),
        object: Some(encode(&event.object, Encoding::Json)),
        resource_version: event.revision.to_string(),
    }
}
