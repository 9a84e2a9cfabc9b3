//! The documents as they are sent: made from the tables when somebody first asks, hashed,
//! and kept compressed. There are as many as there are groups and versions, and some
//! 300 KiB of them in all.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use xebec_api::openapi;

/// The release of Kubernetes whose kinds the tables hold.
const RELEASE: &str = "v1.35";

static DOCUMENTS: LazyLock<BTreeMap<String, Document>> = LazyLock::new(|| {
    let all = openapi::group_versions().into_iter();
    all.map(|of| (of.path(), Document::new(&openapi::v3(of, RELEASE)))).collect()
});

/// A document, encoded once.
pub(super) struct Document {
    /// Of the text, in hexadecimal: another text has another one.
    pub(super) hash: String,
    gzip: Bytes,
}

/// Every document by its path, such as `apis/apps/v1`. The first call takes a while.
pub(super) fn all() -> &'static BTreeMap<String, Document> {
    &DOCUMENTS
}

impl Document {
    fn new(value: &Value) -> Self {
        let text = serde_json::to_vec(value).expect("a JSON value always serializes");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&text).expect("memory takes what is written");
        let gzip = encoder.finish().expect("memory takes what is written");
        Self { hash: hex(digest(&SHA256, &text).as_ref()), gzip: gzip.into() }
    }

    /// As it is kept.
    pub(super) fn gzip(&self) -> Bytes {
        self.gzip.clone()
    }

    /// For the few who do not take it compressed.
    pub(super) fn plain(&self) -> Bytes {
        let mut text = Vec::new();
        GzDecoder::new(&self.gzip[..]).read_to_end(&mut text).expect("it was compressed above");
        text.into()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_small_and_their_hashes_their_own() {
        let documents = all();
        let hashes: std::collections::BTreeSet<&str> =
            documents.values().map(|document| document.hash.as_str()).collect();
        assert_eq!(hashes.len(), documents.len());
        let bytes: usize = documents.values().map(|document| document.gzip.len()).sum();
        assert!(bytes < 400 << 10, "{bytes} bytes");
        let apps = documents.get("apis/apps/v1").expect("apps");
        let value: Value = serde_json::from_slice(&apps.plain()).expect("JSON");
        assert_eq!(value["info"]["version"], RELEASE);
        assert_eq!(Document::new(&value).hash, apps.hash, "the same text has the same hash");
    }
}
