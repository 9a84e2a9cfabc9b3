//! Services that nobody answers for, and Ingresses that lead nowhere.

use expect_test::expect;
use serde_json::{Value, json};

use super::{World, event, node, pod_in, ready};

fn service(selector: &Value, target: &Value) -> Value {
    json!({"kind": "Service", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "ClusterIP", "clusterIP": "10.43.0.7", "selector": selector,
            "ports": [{"name": "http", "port": 80, "targetPort": target}]}})
}

fn good() -> Value {
    service(&json!({"app": "web"}), &json!("http"))
}

fn slice() -> Value {
    json!({"kind": "EndpointSlice", "metadata": {"name": "web-1", "namespace": "default",
        "labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": [{"addresses": ["10.42.0.5"], "conditions": {"ready": true}}]})
}

fn world() -> World {
    World::default().with(node("n1", "2", "4Gi"))
}

#[test]
fn a_selector_that_matches_nothing() {
    let typo = service(&json!({"app": "wbe"}), &json!("http"));
    world().with(typo.clone()).with(ready("web-1")).with(ready("web-2")).check("Service/web", &expect!["Service web has no endpoints: its selector app=wbe matches no pod in namespace default. The nearest labels are app=web, which web-1 and web-2 have. Set its spec.selector to app=web if these are meant, or label the pods with app=wbe."]);
    world().with(typo.clone()).check("Service/web", &expect!["Service web has no endpoints: its selector app=wbe matches no pod in namespace default. No pod there has labels like these. Apply the workload whose pods are to answer, with the labels app=wbe, or correct spec.selector."]);
    let scaled = json!({"kind": "Deployment", "metadata": {"name": "wbe", "namespace": "default"},
        "spec": {"replicas": 0, "template": {"metadata": {"labels": {"app": "wbe"}}}}, "status": {}});
    world().with(typo).with(scaled).check("Service/web", &expect!["Service web has no endpoints: its selector app=wbe matches no pod in namespace default. Deployment wbe is scaled to 0, so it has no pods. `xctl scale deployment/wbe --replicas 1` gives it one."]);
}

#[test]
fn pods_that_are_not_ready() {
    let mut failing =
        pod_in("web-1", &json!({"running": {"startedAt": super::MADE}}), &json!({"started": true}));
    failing["spec"]["containers"][0]["readinessProbe"] = json!({"tcpSocket": {"port": 8080}});
    world()
        .with(good())
        .with(failing)
        .with(event("Pod/web-1", "Unhealthy", "Readiness probe failed: Connection refused (os error 111)", 5))
        .check("Service/web", &expect!["Service web has no ready endpoints: 1 pod matches its selector, and it is not ready. Pod web-1 runs but is not ready: its container web fails its readiness probe (a connection to port 8080): Connection refused (os error 111) (5 times, last 10s ago). Nothing listens on port 8080: have the container listen there, or correct the probe's port."]);
}

#[test]
fn ports_that_lead_nowhere() {
    let named = service(&json!({"app": "web"}), &json!("htpp"));
    world().with(named).with(ready("web-1")).check("Service/web", &expect!["Service web has no endpoints for its port 80: that leads to the container port named htpp, and no container of the pod that it selects has one of that name. Declared are 8080 (http). Set its targetPort to http, or name the container's port htpp."]);
    let numbered = service(&json!({"app": "web"}), &json!(80));
    world().with(numbered).with(ready("web-1")).with(slice()).check("Service/web", &expect!["Service web has ready endpoints, but its port 80 leads to port 80 of its pods, which none of their containers declares: they declare 8080 (http). Unless something listens there nevertheless, connections are refused. Set its targetPort to 8080 (http), or declare port 80."]);
}

#[test]
fn services_that_are_well() {
    world().with(good()).with(ready("web-1")).with(slice()).check(
        "Service/web",
        &expect!["(well) Service web is well: 10.43.0.7 on port 80 reaches 1 ready pod of 1."],
    );
    let mut outside = good();
    outside["spec"]["type"] = "LoadBalancer".into();
    outside["spec"]["ports"][0]["nodePort"] = 30080.into();
    world().with(outside).with(ready("web-1")).with(slice()).check("Service/web", &expect!["(well) Service web is well: 10.43.0.7 on port 80, and port 30080 of every node, reach 1 ready pod of 1. Nobody gives load balancers in this cluster, so its external address stays pending: use the node port."]);
    let mut alias = service(&json!(null), &json!(80));
    alias["spec"]["type"] = "ExternalName".into();
    alias["spec"]["externalName"] = "db.example.com".into();
    world().with(alias).check(
        "Service/web",
        &expect!["(well) Service web is another name for db.example.com, outside the cluster."],
    );
    world().with(service(&json!({}), &json!(80))).check("Service/web", &expect!["Service web has no endpoints: it has no selector, and nobody has made an EndpointSlice for it. Give it a selector, or make an EndpointSlice with the label kubernetes.io/service-name=web."]);
}

fn ingress(class: &str, service: &str, port: &Value) -> Value {
    json!({"kind": "Ingress", "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"ingressClassName": class, "tls": [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}],
            "rules": [{"host": "shop.example.com", "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": port}}}]}}]}})
}

fn served() -> World {
    let class = json!({"kind": "IngressClass", "metadata": {"name": "xebec"}});
    let secret = json!({"kind": "Secret", "metadata": {"name": "shop-tls", "namespace": "default"},
        "data": {"tls.crt": "YQ==", "tls.key": "Yg=="}});
    world().with(class).with(secret).with(good()).with(ready("web-1")).with(slice())
}

#[test]
fn an_ingress_that_leads_nowhere() {
    served().with(ingress("xebec", "wbe", &json!({"number": 80}))).check("Ingress/shop", &expect!["Ingress shop has no backend for its rule shop.example.com/: the Service wbe is not there, though there is one named web. Correct the name to web, or create the Service wbe."]);
    served().with(ingress("xebec", "web", &json!({"number": 8080}))).check("Ingress/shop", &expect!["Ingress shop has no backend for its rule shop.example.com/: the Service web has no port 8080; it has 80 (http). Correct the rule's port to 80 (http)."]);
    served().with(ingress("nginx", "web", &json!({"name": "http"}))).check("Ingress/shop", &expect!["Ingress shop is served by nobody: its class nginx is not there (there is xebec). Set its spec.ingressClassName to xebec."]);
    let class = json!({"kind": "IngressClass", "metadata": {"name": "xebec"}});
    let typo = service(&json!({"app": "wbe"}), &json!("http"));
    let world = world().with(class).with(typo).with(ready("web-1"));
    world.with(ingress("xebec", "web", &json!({"number": 80}))).check("Ingress/shop", &expect!["Ingress shop has no backend for its rule shop.example.com/: nobody answers for the Service web. Service web has no endpoints: its selector app=wbe matches no pod in namespace default. The nearest labels are app=web, which web-1 has. Ingress shop has no certificate for shop.example.com: the Secret shop-tls is not there. Set its spec.selector to app=web if these are meant, or label the pods with app=wbe. `xctl create secret tls shop-tls --cert FILE --key FILE` makes it."]);
}

#[test]
fn an_ingress_that_is_well() {
    served().with(ingress("xebec", "web", &json!({"name": "http"}))).check(
        "Ingress/shop",
        &expect!["(well) Ingress shop is well: its 1 rule leads to Service web, which has ready endpoints."],
    );
}
