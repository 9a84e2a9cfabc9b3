//! The gRPC face, called as tonic calls it.

use futures::StreamExt;
use serde_json::json;
use tonic::{Code, Request};
use xebec_api::error::Reason;
use xebec_rpc::error::from_status;
use xebec_rpc::object::{decode, encode};
use xebec_rpc::v1;
use xebec_rpc::v1::resources_server::Resources;

use super::{api, certificate, config_map, object};
use crate::grpc::ResourcesService;

/// A request of the administrator.
fn asked<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(certificate("admin", "system:masters"));
    request
}

fn target(resource: &str, name: &str) -> Option<v1::Target> {
    let (namespace, version) = ("default".into(), "v1".into());
    Some(v1::Target {
        resource: resource.into(),
        name: name.into(),
        namespace,
        version,
        ..v1::Target::default()
    })
}

#[tokio::test]
async fn people_and_programs_get_what_they_asked_for() {
    let api = api().await;
    let service = ResourcesService::new(api.0.clone());
    let body = encode(&config_map("a", "1"), v1::Encoding::Struct);
    let create = v1::CreateRequest {
        target: target("configmaps", ""),
        object: Some(body),
        field_manager: "grpcurl".into(),
        ..v1::CreateRequest::default()
    };
    let made = service.create(asked(create)).await.expect("created").into_inner();
    let made = decode(made.object).expect("an object");
    assert_eq!(
        made.get(&["metadata", "managedFields"]).map(|fields| &fields[0]["manager"]),
        Some(&json!("grpcurl"))
    );

    let get = v1::GetRequest { target: target("configmaps", "a"), encoding: v1::Encoding::Json.into() };
    let got = service.get(asked(get)).await.expect("it is there").into_inner().object.expect("an object");
    assert!(matches!(got.body, Some(v1::object::Body::Json(_))));
    assert_eq!(decode(Some(got)).expect("an object"), made);

    let patch = v1::PatchRequest {
        target: target("configmaps", "a"),
        r#type: v1::patch_request::Type::Json.into(),
        patch: Some(v1::Object {
            body: Some(v1::object::Body::Json(r#"[{"op": "add", "path": "/data/b", "value": "2"}]"#.into())),
        }),
        ..v1::PatchRequest::default()
    };
    service.patch(asked(patch)).await.expect("patched");
    let list = v1::ListRequest { target: target("configmaps", ""), ..v1::ListRequest::default() };
    let list = service.list(asked(list)).await.expect("a list").into_inner();
    assert_eq!((list.items.len(), list.kind.as_str(), list.api_version.as_str()), (1, "ConfigMap", "v1"));
    assert_eq!(list.resource_version, api.0.state().revision().to_string());

    let watch = v1::WatchRequest {
        target: target("configmaps", ""),
        resource_version: made.resource_version().into(),
        ..v1::WatchRequest::default()
    };
    let mut events = service.watch(asked(watch)).await.expect("a watch").into_inner();
    let delete = v1::DeleteRequest { target: target("configmaps", "a"), ..v1::DeleteRequest::default() };
    service.delete(asked(delete)).await.expect("deleted");
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(events.next().await.expect("an event").expect("no error").r#type());
    }
    assert_eq!(seen, [v1::watch_event::Type::Modified, v1::watch_event::Type::Deleted]);
}

#[tokio::test]
async fn errors_carry_their_status() {
    let api = api().await;
    let service = ResourcesService::new(api.0.clone());
    let get = || v1::GetRequest { target: target("configmaps", "a"), ..v1::GetRequest::default() };
    let status = service.get(asked(get())).await.expect_err("not there");
    let error = from_status(&status);
    assert_eq!((status.code(), error.reason), (Code::NotFound, Reason::NotFound));
    assert_eq!(json!(error.details), json!({"kind": "configmaps", "name": "a"}));

    let nobody = service.get(Request::new(get())).await.expect_err("nobody");
    assert_eq!(
        (nobody.code(), nobody.message()),
        (
            Code::Unauthenticated,
            "Unauthorized: no credentials: present a client certificate of this cluster's CA, or a bearer token"
        )
    );
    let mut jane = Request::new(get());
    jane.extensions_mut().insert(certificate("jane", "people"));
    assert_eq!(service.get(jane).await.expect_err("no right").code(), Code::PermissionDenied);
    let discover = service.discover(Request::new(v1::DiscoverRequest {})).await;
    assert_eq!(discover.expect_err("nobody").code(), Code::Unauthenticated);

    let wrong =
        object(json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "imag": "i"}]}}));
    let create = v1::CreateRequest {
        target: target("pods", ""),
        object: Some(encode(&wrong, v1::Encoding::Struct)),
        ..v1::CreateRequest::default()
    };
    let status = service.create(asked(create)).await.expect_err("a typing mistake");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        status.message(),
        "Pod \"a\" is invalid: spec.containers[0].imag: unknown field (did you mean \"image\"?)"
    );
    for (resource, version) in [("nonsense", "v1"), ("pods", "v9")] {
        let target =
            v1::Target { resource: resource.into(), version: version.into(), ..v1::Target::default() };
        let list = v1::ListRequest { target: Some(target), ..v1::ListRequest::default() };
        assert_eq!(service.list(asked(list)).await.expect_err("not served").code(), Code::NotFound);
    }
    let empty = service.create(asked(v1::CreateRequest::default())).await.expect_err("nothing");
    assert_eq!(empty.code(), Code::NotFound);
}

#[tokio::test]
async fn everything_served_can_be_discovered() {
    let api = api().await;
    let service = ResourcesService::new(api.0.clone());
    let found = service.discover(asked(v1::DiscoverRequest {})).await.expect("discovered").into_inner();
    assert_eq!(found.resources.len(), xebec_api::table::all().len());
    let pods = found.resources.iter().find(|row| row.resource == "pods").expect("pods");
    assert_eq!((pods.kind.as_str(), pods.short_names.as_slice()), ("Pod", &["po".to_owned()][..]));
}
