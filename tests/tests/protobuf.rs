//! Every object that Kubernetes publishes in protobuf is read into the JSON that it is
//! published in as well. The twins come with the module `k8s.io/api`, by Go's own client.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};
use xebec_api::{facts, protobuf};

const MODULE: &str = "k8s.io/api@v0.35.4";

/// Stable kinds that the published description leaves out: nobody sends them in a body.
const NOT_SENT: &[&str] = &[
    "admission.k8s.io/v1 AdmissionReview",
    "apidiscovery.k8s.io/v2 APIGroupDiscovery",
    "v1 CreateOptions",
    "v1 GetOptions",
    "v1 ListOptions",
    "v1 NodeProxyOptions",
    "v1 PatchOptions",
    "v1 PodAttachOptions",
    "v1 PodExecOptions",
    "v1 PodLogOptions",
    "v1 PodPortForwardOptions",
    "v1 PodProxyOptions",
    "v1 PodStatusResult",
    "v1 RangeAllocation",
    "v1 SerializedReference",
    "v1 ServiceProxyOptions",
    "v1 UpdateOptions",
];

#[test]
fn protobuf_and_json_are_the_same_object() {
    let mut compared = BTreeSet::new();
    for file in fs::read_dir(twins()).expect("the folder of twins") {
        let path = file.expect("a file").path();
        if path.extension().is_none_or(|extension| extension != "pb") {
            continue;
        }
        let mut wanted: Value = read_json(&path.with_extension("json"));
        let (version, kind) = (text(&wanted, "apiVersion"), text(&wanted, "kind"));
        let name = format!("{version} {kind}");
        if facts::of_kind(&version, &kind).is_none() && kind != "DeleteOptions" {
            let unstable = version.is_empty() || version.contains("alpha") || version.contains("beta");
            assert!(unstable || NOT_SENT.contains(&name.as_str()), "{name} is not known");
            continue;
        }
        let body = fs::read(&path).expect("a body");
        let decoded = protobuf::decode(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut decoded = Value::Object(decoded);
        [&mut decoded, &mut wanted].into_iter().for_each(strip_nulls);
        assert_eq!(decoded, wanted, "{name}");
        compared.insert(name);
    }
    assert!(compared.len() >= 71, "only {} kinds: {compared:?}", compared.len());
}

/// The folder with a file of each kind in each encoding.
fn twins() -> PathBuf {
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", MODULE]).current_dir(std::env::temp_dir());
    let output = go.output().expect("go (packages: golang-go)");
    let told: Value = serde_json::from_slice(&output.stdout).expect("what go says");
    let folder = told["Dir"].as_str().unwrap_or_else(|| panic!("go mod download {MODULE}: {told}"));
    Path::new(folder).join("testdata/HEAD")
}

fn read_json(path: &Path) -> Value {
    let text = fs::read(path).expect("the twin in JSON");
    serde_json::from_slice(&text).expect("JSON")
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// A null says nothing, and is not sent in protobuf.
fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let kept = std::mem::take(map).into_iter().filter(|(_, value)| !value.is_null());
            *map = kept.collect::<Map<String, Value>>();
            map.values_mut().for_each(strip_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}
