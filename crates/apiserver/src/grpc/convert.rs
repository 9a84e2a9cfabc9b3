//! Between the messages of `xebec.v1.Resources` and this crate's own types.

use std::time::Duration;

use serde_json::Value;
use xebec_api::error::ApiError;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_rpc::object;
use xebec_rpc::v1;

use crate::{
    DeleteOptions, ListOptions, Page, Patch, Propagation, RequestContext, Target, WatchEvent, WatchKind,
    WatchOptions,
};

/// The row and place that a request names.
pub(super) fn target(target: Option<v1::Target>) -> Result<Target, ApiError> {
    let target = target.unwrap_or_default();
    let (group, version, resource) = (&target.group, &target.version, &target.resource);
    Target::new(group, version, resource, &target.namespace, &target.name, &target.subresource)
}

/// The context with the options of a write.
pub(super) fn writing(ctx: RequestContext, field_manager: String, dry_run: bool) -> RequestContext {
    let field_manager = if field_manager.is_empty() { ctx.field_manager } else { field_manager };
    RequestContext { field_manager, dry_run, ..ctx }
}

pub(super) fn list_options(request: &v1::ListRequest) -> ListOptions {
    ListOptions {
        label_selector: request.label_selector.clone(),
        field_selector: request.field_selector.clone(),
        limit: request.limit as usize,
        continue_token: request.r#continue.clone(),
        resource_version: request.resource_version.clone(),
        exact: false,
    }
}

pub(super) fn watch_options(request: &v1::WatchRequest) -> WatchOptions {
    let timeout = u64::from(request.timeout_seconds);
    WatchOptions {
        label_selector: request.label_selector.clone(),
        field_selector: request.field_selector.clone(),
        resource_version: request.resource_version.clone(),
        initial_events: None,
        bookmarks: request.allow_bookmarks,
        timeout: (timeout > 0).then(|| Duration::from_secs(timeout)),
    }
}

pub(super) fn delete_options(request: &v1::DeleteRequest) -> DeleteOptions {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    DeleteOptions {
        grace_seconds: request.grace_period_seconds.map(u64::from),
        uid: some(&request.precondition_uid),
        resource_version: some(&request.precondition_resource_version),
        propagation: match request.propagation() {
            v1::delete_request::Propagation::Foreground => Propagation::Foreground,
            v1::delete_request::Propagation::Orphan => Propagation::Orphan,
            _ => Propagation::Background,
        },
    }
}

pub(super) fn patch(kind: v1::patch_request::Type, body: Option<v1::Object>) -> Result<Patch, ApiError> {
    let value: Value = object::decode_value(body)?;
    Ok(match kind {
        v1::patch_request::Type::Json => Patch::Json(value),
        v1::patch_request::Type::Strategic => Patch::Strategic(value),
        _ => Patch::Merge(value),
    })
}

pub(super) fn response(object: &Object, encoding: v1::Encoding) -> v1::ObjectResponse {
    v1::ObjectResponse { object: Some(object::encode(object, encoding)), warnings: Vec::new() }
}

pub(super) fn page(page: &Page, row: &Resource, encoding: v1::Encoding) -> v1::ListResponse {
    v1::ListResponse {
        items: page.items.iter().map(|item| object::encode(item, encoding)).collect(),
        resource_version: page.revision.to_string(),
        r#continue: page.continue_token.clone(),
        remaining_item_count: page.remaining,
        kind: row.kind.to_owned(),
        api_version: row.api_version(),
    }
}

pub(super) fn event(event: &WatchEvent, encoding: v1::Encoding) -> v1::WatchEvent {
    let kind = match event.kind {
        WatchKind::Added => v1::watch_event::Type::Added,
        WatchKind::Modified => v1::watch_event::Type::Modified,
        WatchKind::Deleted => v1::watch_event::Type::Deleted,
        WatchKind::Bookmark => v1::watch_event::Type::Bookmark,
    };
    v1::WatchEvent {
        r#type: kind.into(),
        object: Some(object::encode(&event.object, encoding)),
        resource_version: event.revision.to_string(),
    }
}

pub(super) fn info(row: &Resource) -> v1::ResourceInfo {
    let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    v1::ResourceInfo {
        group: row.group.to_owned(),
        version: row.versions[0].to_owned(),
        resource: row.plural.to_owned(),
        singular: row.singular.to_owned(),
        kind: row.kind.to_owned(),
        short_names: owned(row.short_names),
        namespaced: row.namespaced,
        subresources: owned(row.subresources),
    }
}
