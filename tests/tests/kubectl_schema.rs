//! kubectl on what it learns of the schema: apply with validation, diff, replace, explain,
//! strategic merge patches and bodies in protobuf, on one real master. No pods run: the objects are what is looked at.

use serde_json::{Value, json};
use xebec_tests::kubectl::Kubectl;
use xebec_tests::masters::Masters;

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        ports:
        - {containerPort: 80, name: http}
        - {containerPort: 443, name: https}
        - {containerPort: 53, name: dns-tcp}
        env:
        - {name: A, value: '1'}
        - {name: B, value: '2'}
      - name: side
        image: side:1
";

/// As [`WEB`], without a port, a variable and a label, with a changed image and one more container.
const CHANGED: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:2
        ports:
        - {containerPort: 80, name: http}
        - {containerPort: 53, name: dns-tcp}
        env:
        - {name: B, value: '2'}
      - name: third
        image: third:1
      - name: side
        image: side:1
";

#[test]
fn kubectl_knows_the_schema() {
    let masters = Masters::one();
    let kubectl = masters.kubectl();
    apply(&kubectl);
    patches(&kubectl);
    whole_objects(&kubectl);
    explain(&kubectl);
    typed_clients(&kubectl);
}

fn apply(kubectl: &Kubectl) {
    let misspelt = WEB.replace("replicas:", "replcas:").replace("image: side:1", "imag: side:1");
    let refused = kubectl.output(&["apply", "-f", "-"], &misspelt).expect("kubectl runs");
    let refused = String::from_utf8_lossy(&refused.stderr);
    let wanted = r#"Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replcas", unknown field "spec.template.spec.containers[1].imag""#;
    assert!(refused.contains("Error from server (BadRequest)") && refused.contains(wanted), "{refused}");
    assert!(kubectl.run(&["get", "deployment", "web"]).is_err(), "nothing was made");

    assert_eq!(applied(kubectl, WEB), "deployment.apps/web created\n");
    assert_eq!(applied(kubectl, WEB), "deployment.apps/web unchanged\n");
    // What others set stays through an apply: three ways meet.
    kubectl.run(&["scale", "deployment/web", "--replicas=5"]).expect("scaled");
    kubectl.run(&["annotate", "deployment/web", "by=hand"]).expect("annotated");

    let diff = kubectl.output(&["diff", "-f", "-"], CHANGED).expect("kubectl runs");
    assert_eq!(diff.status.code(), Some(1), "{}", String::from_utf8_lossy(&diff.stderr));
    let diff = String::from_utf8(diff.stdout).expect("text");
    for line in [
        "+        image: web:2",
        "-        image: web:1",
        "-          name: https",
        "+      - image: third:1",
    ] {
        assert!(diff.contains(line), "{line} is not in\n{diff}");
    }

    assert_eq!(applied(kubectl, CHANGED), "deployment.apps/web configured\n");
    assert_eq!(applied(kubectl, CHANGED), "deployment.apps/web unchanged\n");
    let web = kubectl.json(&["get", "deployment", "web"]).expect("it is there");
    assert_eq!(web["spec"]["replicas"], 2);
    assert_eq!(web["metadata"]["annotations"]["by"], "hand");
    assert_eq!(web["metadata"]["labels"], Value::Null);
    let containers = &web["spec"]["template"]["spec"]["containers"];
    assert_eq!(names(containers), ["web", "third", "side"]);
    assert_eq!(containers[0]["env"], json!([{"name": "B", "value": "2"}]));
}

fn applied(kubectl: &Kubectl, manifest: &str) -> String {
    kubectl.with_input(&["apply", "-f", "-"], manifest).expect("applied")
}

fn names(items: &Value) -> Vec<&str> {
    items.as_array().into_iter().flatten().filter_map(|item| item["name"].as_str()).collect()
}

fn patches(kubectl: &Kubectl) {
    let patch = r#"{"spec": {"template": {"spec": {"containers": [
        {"name": "side", "$patch": "delete"}, {"name": "web", "env": [{"name": "C", "value": "3"}]}]}}}}"#;
    kubectl.run(&["patch", "deployment", "web", "--type=strategic", "-p", patch]).expect("patched");
    kubectl.run(&["set", "image", "deployment/web", "third=third:2"]).expect("set");
    let web = kubectl.json(&["get", "deployment", "web"]).expect("it is there");
    let containers = &web["spec"]["template"]["spec"]["containers"];
    assert_eq!(names(containers), ["web", "third"]);
    assert_eq!(containers[1]["image"], "third:2");
    assert_eq!(names(&containers[0]["env"]), ["C", "B"]);

    let nameless = r#"{"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}"#;
    let refused = kubectl.refusal(&["patch", "deployment", "web", "-p", nameless]);
    let wanted = "spec.template.spec.containers[0]: name: Required value";
    assert!(refused.contains(wanted), "{refused}");
}

fn whole_objects(kubectl: &Kubectl) {
    let replaced = kubectl.with_input(&["replace", "-f", "-"], WEB).expect("replaced");
    assert_eq!(replaced, "deployment.apps/web replaced\n");
    let web = kubectl.json(&["get", "deployment", "web"]).expect("it is there");
    assert_eq!(names(&web["spec"]["template"]["spec"]["containers"]), ["web", "side"]);
    let created = kubectl.with_input(&["create", "-f", "-"], &WEB.replace("name: web,", "name: other,"));
    assert_eq!(created.expect("created"), "deployment.apps/other created\n");
}

fn explain(kubectl: &Kubectl) {
    let port = kubectl.run(&["explain", "pod.spec.containers.ports"]).expect("explained");
    for wanted in [
        "KIND:       Pod\nVERSION:    v1\n\nFIELD: ports <[]ContainerPort>\n",
        "    A port that a container listens on.\n",
        "  containerPort\t<integer> -required-\n    Its number within the pod.\n",
        "  protocol\t<string>\n  enum: SCTP, TCP, UDP\n    TCP unless said otherwise.\n",
    ] {
        assert!(port.contains(wanted), "{wanted} is not in\n{port}");
    }
    let containers = kubectl.run(&["explain", "pod.spec.containers"]).expect("explained");
    assert!(containers.contains("  name\t<string> -required-\n"), "{containers}");
    let policy = kubectl.run(&["explain", "deployment.spec.template.spec.restartPolicy"]).expect("explained");
    assert!(policy.contains("ENUM:\n    Always\n    Never\n    OnFailure\n"), "{policy}");
    for kind in ["ingresses.spec.rules.http.paths", "crd.spec.versions", "networkpolicies.spec", "hpa.spec"] {
        let told = kubectl.run(&["explain", kind]).expect("explained");
        assert!(told.contains("FIELDS:"), "{told}");
    }
    let unknown = kubectl.refusal(&["explain", "pod.spec.contianers"]);
    assert!(unknown.contains(r#"field "contianers" does not exist"#), "{unknown}");
}

/// What kubectl sends in protobuf.
fn typed_clients(kubectl: &Kubectl) {
    for (args, wanted) in [
        ("namespace shop", "namespace/shop"),
        ("configmap colours --from-literal=sky=blue", "configmap/colours"),
        ("secret generic password --from-literal=word=xyzzy", "secret/password"),
        ("serviceaccount robot", "serviceaccount/robot"),
        ("deployment front --image=front:1 --port=80 --replicas=2", "deployment.apps/front"),
        ("service clusterip front --tcp=80:8080", "service/front"),
        ("job once --image=once:1", "job.batch/once"),
        ("role reader --verb=get --resource=pods", "role.rbac.authorization.k8s.io/reader"),
        (
            "rolebinding readers --role=reader --serviceaccount=default:robot",
            "rolebinding.rbac.authorization.k8s.io/readers",
        ),
        ("quota small --hard=pods=3,cpu=1500m", "resourcequota/small"),
    ] {
        let args: Vec<&str> = ["create"].into_iter().chain(args.split(' ')).collect();
        assert_eq!(kubectl.run(&args).expect("created"), format!("{wanted} created\n"));
    }
    let got = |kind: &str, name: &str| kubectl.json(&["get", kind, name]).expect("it is there");
    assert_eq!(got("secret", "password")["data"], json!({"word": "eHl6enk="}));
    let front = got("deployment", "front");
    let container = &front["spec"]["template"]["spec"]["containers"][0];
    assert_eq!((&front["spec"]["replicas"], &container["image"]), (&json!(2), &json!("front:1")));
    assert_eq!(container["ports"][0]["containerPort"], 80);
    assert_eq!(got("service", "front")["spec"]["ports"][0]["targetPort"], 8080);
    assert_eq!(got("quota", "small")["spec"]["hard"], json!({"cpu": "1500m", "pods": "3"}));
    assert_eq!(kubectl.run(&["auth", "can-i", "list", "pods"]).expect("an answer"), "yes\n");
    let token = kubectl.run(&["create", "token", "robot"]).expect("a token");
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
}
