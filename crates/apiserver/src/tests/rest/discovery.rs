//! What discovery says, and that every client's form of it says the same.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use xebec_api::table;

use super::{Ask, Rest};

const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
const BETA: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// `group/version resource verbs`, from the plain documents.
async fn plain(rest: &Rest) -> BTreeSet<String> {
    let mut paths = vec!["/api/v1".to_owned()];
    for group in rest.get("/apis").await.json()["groups"].as_array().expect("groups") {
        let name = group["name"].as_str().expect("a name");
        let single = rest.get(&format!("/apis/{name}")).await.json();
        assert_eq!((&single["kind"], &single["versions"]), (&json!("APIGroup"), &group["versions"]));
        for version in group["versions"].as_array().expect("versions") {
            paths.push(format!("/apis/{}", version["groupVersion"].as_str().expect("a group and version")));
        }
    }
    let mut found = BTreeSet::new();
    for path in paths {
        let list = rest.get(&path).await.json();
        for resource in list["resources"].as_array().expect("resources") {
            found.insert(format!("{} {} {}", list["groupVersion"], resource["name"], resource["verbs"]));
        }
    }
    found
}

/// The same from the aggregated documents.
async fn aggregated(rest: &Rest, accept: &str, api_version: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in ["/api", "/apis"] {
        let answer = rest.ask(Ask::new("GET", path).header("accept", accept)).await;
        let version = api_version.rsplit('/').next().unwrap_or_default();
        let wanted = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
        assert_eq!(answer.header("content-type"), wanted);
        let document = answer.json();
        assert_eq!(document["apiVersion"], json!(api_version));
        for group in document["items"].as_array().expect("items") {
            for version in group["versions"].as_array().expect("versions") {
                resources(group, version, &mut found);
            }
        }
    }
    found
}

fn resources(group: &Value, version: &Value, found: &mut BTreeSet<String>) {
    let version_name = version["version"].as_str().expect("a version");
    let group_version = match group["metadata"]["name"].as_str() {
        None => json!(version_name),
        Some(name) => json!(format!("{name}/{version_name}")),
    };
    for resource in version["resources"].as_array().expect("resources") {
        found.insert(format!("{group_version} {} {}", resource["resource"], resource["verbs"]));
        for part in resource["subresources"].as_array().into_iter().flatten() {
            let name = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let full = format!("{}/{}", name(&resource["resource"]), name(&part["subresource"]));
            found.insert(format!("{group_version} {} {}", json!(full), part["verbs"]));
        }
    }
}

#[tokio::test]
async fn all_forms_say_the_same() {
    let rest = Rest::new().await;
    let plain = plain(&rest).await;
    assert_eq!(aggregated(&rest, V2, "apidiscovery.k8s.io/v2").await, plain);
    assert_eq!(aggregated(&rest, BETA, "apidiscovery.k8s.io/v2beta1").await, plain);
    for row in table::all().iter().chain(table::reviews()).chain(table::measured()) {
        let name = json!(row.api_version());
        let wanted = format!("{name} \"{}\" ", row.plural);
        assert!(plain.iter().any(|line| line.starts_with(&wanted)), "{wanted}");
    }
}

#[tokio::test]
async fn a_resource_is_described_as_clients_need_it() {
    let rest = Rest::new().await;
    let list = rest.get("/apis/apps/v1").await.json();
    let resources = list["resources"].as_array().expect("resources");
    let deployments = resources.iter().find(|resource| resource["name"] == "deployments");
    assert_eq!(
        deployments,
        Some(&json!({"name": "deployments", "singularName": "deployment", "namespaced": true,
            "kind": "Deployment", "shortNames": ["deploy"], "categories": ["all"],
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]}))
    );
    let core = rest.get("/api/v1").await.json();
    let mut core = core["resources"].as_array().expect("resources").iter();
    let namespaces = core.find(|resource| resource["name"] == "namespaces").expect("namespaces");
    assert_eq!(namespaces["verbs"], json!(["create", "delete", "get", "list", "patch", "update", "watch"]));
    let scale = resources.iter().find(|resource| resource["name"] == "deployments/scale");
    assert_eq!(
        scale,
        Some(
            &json!({"name": "deployments/scale", "singularName": "", "namespaced": true, "group": "autoscaling",
            "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"]})
        )
    );
    assert_eq!(rest.get("/api").await.json()["versions"], json!(["v1"]));
    for missing in ["/api/v2", "/apis/nowhere", "/apis/apps/v9"] {
        assert_eq!(rest.get(missing).await.code, 404, "{missing}");
    }
    let version = rest.ask(Ask::new("GET", "/version").by_nobody()).await.json();
    assert_eq!((&version["major"], &version["minor"]), (&json!("1"), &json!("35")));
}
