//! The OpenAPI documents over the wire: found by the index, kept by their hash.

use serde_json::Value;

use super::{Ask, Rest};

#[tokio::test]
async fn the_index_leads_to_every_document() {
    let rest = Rest::new().await;
    let index = rest.get("/openapi/v3").await.json();
    let paths = index["paths"].as_object().expect("paths");
    assert!(paths.contains_key("api/v1") && paths.contains_key("apis/apps/v1"), "{index}");
    for (path, entry) in paths {
        let address = entry["serverRelativeURL"].as_str().expect("an address");
        assert!(address.starts_with(&format!("/openapi/v3/{path}?hash=")), "{address}");
        let document = rest.get(address).await;
        assert_eq!(document.code, 200, "{address}");
        assert_eq!(document.header("cache-control"), "public, immutable, max-age=31536000");
        assert_eq!(document.json()["openapi"], "3.0.0", "{address}");
    }
}

#[tokio::test]
async fn a_document_is_sent_once_and_compressed() {
    let rest = Rest::new().await;
    let path = "/openapi/v3/apis/apps/v1";
    let plain = rest.get(path).await;
    assert_eq!((plain.code, plain.header("cache-control")), (200, "no-cache, private"));
    let tag = plain.header("etag").to_owned();
    let again = rest.ask(Ask::new("GET", path).header("if-none-match", &tag)).await;
    assert_eq!((again.code, again.body.len()), (304, 0));

    let packed = rest.ask(Ask::new("GET", path).header("accept-encoding", "gzip")).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    let mut unpacked = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(packed.body.as_ref());
    std::io::Read::read_to_end(&mut decoder, &mut unpacked).expect("gzip");
    let unpacked: Value = serde_json::from_slice(&unpacked).expect("JSON");
    assert_eq!(unpacked, plain.json());

    let old = rest.get(&format!("{path}?hash=OLD")).await;
    assert_eq!(old.code, 301);
    assert_eq!(old.header("location"), format!("{path}?hash={}", tag.trim_matches('"')));
    assert_eq!(rest.get("/openapi/v3/apis/nowhere/v1").await.code, 404);
}
