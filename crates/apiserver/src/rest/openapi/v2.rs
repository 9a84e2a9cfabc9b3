//! `/openapi/v2`: a document that describes nothing. kubectl and helm ask for it before they
//! send a `List`, and leave a kind that it does not describe to the server, which checks it.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};

/// What Kubernetes answers with. Clients ask for `…v2@v1.0+protobuf`, which is no media type.
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
const JSON: &str = r#"{"swagger":"2.0","info":{"title":"Xebec","version":"v1"},"paths":{},"definitions":{}}"#;
/// The same as gnostic's `openapi.v2.Document`: `swagger` (1), `info` (2) with `title` (1) and
/// `version` (2), `paths` (8), `definitions` (9).
const MESSAGE: &[u8] = b"\x0a\x032.0\x12\x0b\x0a\x05Xebec\x12\x02v1\x42\x00\x4a\x00";

/// In protobuf for who asks for that, as kubectl does; else in JSON.
pub(super) async fn document(request: Request) -> Response {
    let accepted = request.headers().get_all(ACCEPT);
    let protobuf = accepted.iter().any(|value| value.to_str().is_ok_and(|value| value.contains("protobuf")));
    let (kind, body) =
        if protobuf { (PROTOBUF, Body::from(MESSAGE)) } else { ("application/json", Body::from(JSON)) };
    super::with(StatusCode::OK, body, &[(CONTENT_TYPE, kind)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Info {
        #[prost(string, tag = "1")]
        title: String,
        #[prost(string, tag = "2")]
        version: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Document {
        #[prost(string, tag = "1")]
        swagger: String,
        #[prost(message, optional, tag = "2")]
        info: Option<Info>,
        #[prost(bytes, optional, tag = "8")]
        paths: Option<Vec<u8>>,
        #[prost(bytes, optional, tag = "9")]
        definitions: Option<Vec<u8>>,
    }

    #[test]
    fn both_forms_say_the_same() {
        let read = <Document as prost::Message>::decode(MESSAGE).expect("a message");
        let info = Info { title: "Xebec".into(), version: "v1".into() };
        let nothing = Some(Vec::new());
        let wanted = Document {
            swagger: "2.0".into(),
            info: Some(info),
            paths: nothing.clone(),
            definitions: nothing,
        };
        assert_eq!(read, wanted);
        let json: serde_json::Value = serde_json::from_str(JSON).expect("JSON");
        assert_eq!((&json["swagger"], &json["info"]["version"]), (&"2.0".into(), &"v1".into()));
    }
}
