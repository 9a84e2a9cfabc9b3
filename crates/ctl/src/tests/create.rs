//! `create` of each kind, against the real API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::verbs::Shop;

async fn got(shop: &Shop, what: &str) -> Value {
    let text = shop.xctl(&format!("get {what} -o json")).await;
    serde_json::from_str(&text).expect("JSON")
}

/// A certificate and its key, in PEM.
fn pair() -> (String, String) {
    let params = CertificateParams::new(vec!["shop.example.com".to_owned()]).expect("a name");
    let key = KeyPair::generate().expect("a key");
    (params.self_signed(&key).expect("signed").pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_certificate_and_its_key_become_a_secret() {
    let shop = Shop::open().await;
    let (certificate, key) = pair();
    shop.write("shop.crt", &certificate);
    shop.write("shop.key", &key);
    shop.write("other.key", &pair().1);
    shop.write("cut.key", &key[..key.len() / 2]);
    shop.write("shop.der", "0\u{3}\u{2}");
    shop.write(
        "locked.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let lines = "
        create secret tls shop --cert DIR/shop.crt --key DIR/shop.key
        create secret tls other --cert DIR/shop.key --key DIR/shop.crt
        create secret tls other --cert DIR/shop.crt --key DIR/shop.crt
        create secret tls other --cert DIR/shop.der --key DIR/shop.key
        create secret tls other --cert DIR/shop.crt --key DIR/shop.der
        create secret tls other --cert DIR/shop.crt --key DIR/locked.key
        create secret tls other --cert DIR/shop.crt --key DIR/other.key
        create secret tls other --cert DIR/shop.crt --key DIR/cut.key
        create secret tls other --cert DIR/none.crt --key DIR/shop.key
        get secrets -o name
    ";
    let folder = shop.folder.path().display().to_string();
    expect![[r#"
        $ xctl create secret tls shop --cert DIR/shop.crt --key DIR/shop.key
        secret/shop created
        $ xctl create secret tls other --cert DIR/shop.key --key DIR/shop.crt
        error: --cert DIR/shop.key: this is a private key: name it by --key, and the certificate by --cert
        [failed]
        $ xctl create secret tls other --cert DIR/shop.crt --key DIR/shop.crt
        error: --key DIR/shop.crt: this is a certificate: name it by --cert, and its private key by --key
        [failed]
        $ xctl create secret tls other --cert DIR/shop.der --key DIR/shop.key
        error: --cert DIR/shop.der: this is no certificate in PEM (-----BEGIN CERTIFICATE-----): name one, or make one of a DER file by `openssl x509 -inform der -in FILE -out FILE.pem`
        [failed]
        $ xctl create secret tls other --cert DIR/shop.crt --key DIR/shop.der
        error: --key DIR/shop.der: this is no private key in PEM (-----BEGIN PRIVATE KEY-----): name one, or make one of a DER file by `openssl pkey -inform der -in FILE -out FILE.pem`
        [failed]
        $ xctl create secret tls other --cert DIR/shop.crt --key DIR/locked.key
        error: --key DIR/locked.key: this key has a passphrase, which nobody would enter: `openssl pkey -in FILE -out FILE.pem` takes it away
        [failed]
        $ xctl create secret tls other --cert DIR/shop.crt --key DIR/other.key
        error: --key DIR/other.key: this key is not that of the certificate in --cert: name the one that it was made with, and in --cert the server's own certificate first
        [failed]
        $ xctl create secret tls other --cert DIR/shop.crt --key DIR/cut.key
        error: --key DIR/cut.key: a block has no end: copy it anew from where it came
        [failed]
        $ xctl create secret tls other --cert DIR/none.crt --key DIR/shop.key
        error: --cert DIR/none.crt: name a file that can be read: No such file or directory (os error 2)
        [failed]
        $ xctl get secrets -o name
        secret/shop
    "#]]
    .assert_eq(&shop.session(lines).await.replace(&folder, "DIR"));
    let secret = got(&shop, "secret shop").await;
    assert_eq!(secret["type"], "kubernetes.io/tls");
    let decoded = |field: &str| {
        let packed = secret["data"][field].as_str().expect("a text");
        STANDARD.decode(packed).expect("base64")
    };
    assert_eq!((decoded("tls.crt"), decoded("tls.key")), (certificate.into_bytes(), key.into_bytes()));
}

#[tokio::test]
async fn deployments_and_services_fit_together() {
    let shop = Shop::open().await;
    let lines = "
        create deployment shop --image example.com/shop/app:1 --replicas 3 --port 8080 -- serve --all
        create service clusterip shop --tcp=80:8080
        create service nodeport outside --tcp=80 --tcp=443:https
        create service clusterip broken --tcp=http
        create serviceaccount robot
        create secret docker-registry images --docker-server example.com --docker-username u --docker-password p
        create deployment tried --image web --dry-run=client
        get deploy tried
    ";
    expect![[r#"
        $ xctl create deployment shop --image example.com/shop/app:1 --replicas 3 --port 8080 -- serve --all
        deployment.apps/shop created
        $ xctl create service clusterip shop --tcp=80:8080
        service/shop created
        $ xctl create service nodeport outside --tcp=80 --tcp=443:https
        service/outside created
        $ xctl create service clusterip broken --tcp=http
        error: --tcp http: write PORT or PORT:TARGET, with a port from 1 to 65535, such as 80:8080
        [failed]
        $ xctl create serviceaccount robot
        serviceaccount/robot created
        $ xctl create secret docker-registry images --docker-server example.com --docker-username u --docker-password p
        secret/images created
        $ xctl create deployment tried --image web --dry-run=client
        deployment.apps/tried created (dry run)
        $ xctl get deploy tried
        error: deployments.apps "tried" not found; `xctl get deployments` shows what there is
        [failed]
    "#]]
    .assert_eq(&shop.session(lines).await);
    let made = got(&shop, "deploy shop").await;
    let container = &made["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        (&made["spec"]["replicas"], &container["name"], &container["command"]),
        (&json!(3), &json!("app"), &json!(["serve", "--all"]))
    );
    let service = got(&shop, "svc shop").await;
    assert_eq!(service["spec"]["selector"], made["spec"]["template"]["metadata"]["labels"]);
    let port = &service["spec"]["ports"][0];
    assert_eq!((&port["name"], &port["targetPort"]), (&json!("80-8080"), &json!(8080)));
    let outside = got(&shop, "svc outside").await;
    assert_eq!(outside["spec"]["type"], "NodePort");
    let targets: Vec<&Value> = (0..2).map(|index| &outside["spec"]["ports"][index]["targetPort"]).collect();
    assert_eq!(targets, [&json!(80), &json!("https")]);
    let images = got(&shop, "secret images").await;
    assert_eq!(images["type"], "kubernetes.io/dockerconfigjson");
}

#[tokio::test]
async fn files_of_variables_become_keys() {
    let shop = Shop::open().await;
    shop.write("good.env", "# paint\n\nCOLOR=blue\n  URL=http://a/?b=c\nEMPTY=\n");
    shop.write("bad.env", "COLOR=blue\nSHAPE\n");
    let lines = r#"
        create configmap env --from-env-file DIR/good.env
        get cm env -o jsonpath={.data}{"\n"}
        create secret generic user --from-env-file=DIR/good.env --type=example.com/paint
        get secret user -o jsonpath={.type}{"\n"}
        create configmap bad --from-env-file DIR/bad.env
    "#;
    let folder = shop.folder.path().display().to_string();
    expect![[r#"
        $ xctl create configmap env --from-env-file DIR/good.env
        configmap/env created
        $ xctl get cm env -o jsonpath={.data}{"\n"}
        {"COLOR":"blue","EMPTY":"","URL":"http://a/?b=c"}
        $ xctl create secret generic user --from-env-file=DIR/good.env --type=example.com/paint
        secret/user created
        $ xctl get secret user -o jsonpath={.type}{"\n"}
        example.com/paint
        $ xctl create configmap bad --from-env-file DIR/bad.env
        error: DIR/bad.env: line 2: write KEY=VALUE
        [failed]
    "#]]
    .assert_eq(&shop.session(lines).await.replace(&folder, "DIR"));
}

#[tokio::test]
async fn jobs_are_made_from_images_and_from_cron_jobs() {
    let shop = Shop::open().await;
    assert_eq!(shop.xctl("create job once --image tool:1 -- sh -c true").await, "job.batch/once created\n");
    shop.write(
        "cron.yaml",
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: often}\nspec:\n  schedule: '*/5 * * * *'\n  \
         jobTemplate:\n    metadata: {labels: {tier: back}}\n    spec:\n      template:\n        spec:\n          \
         restartPolicy: Never\n          containers: [{name: often, image: 'tool:2'}]\n",
    );
    let lines = "
        apply -f DIR/cron.yaml
        create job now --from=cronjob/often
        create job other --from=often
        create job other --from=cronjob/none
    ";
    let folder = shop.folder.path().display().to_string();
    expect![[r#"
        $ xctl apply -f DIR/cron.yaml
        cronjob.batch/often created
        $ xctl create job now --from=cronjob/often
        job.batch/now created
        $ xctl create job other --from=often
        error: --from often: write cronjob/NAME
        [failed]
        $ xctl create job other --from=cronjob/none
        error: cronjobs.batch "none" not found; `xctl get cronjobs` shows what there is
        [failed]
    "#]]
    .assert_eq(&shop.session(lines).await.replace(&folder, "DIR"));
    let (once, now, often) =
        (got(&shop, "job once").await, got(&shop, "job now").await, got(&shop, "cronjob often").await);
    let spec = &once["spec"]["template"]["spec"];
    assert_eq!(
        (&spec["restartPolicy"], &spec["containers"][0]["command"]),
        (&json!("Never"), &json!(["sh", "-c", "true"]))
    );
    assert_eq!(now["metadata"]["ownerReferences"][0]["uid"], often["metadata"]["uid"]);
    assert_eq!(now["metadata"]["labels"]["tier"], "back");
    assert_eq!(now["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"], "manual");
    assert_eq!(now["spec"]["template"]["spec"]["containers"][0]["image"], "tool:2");
}

#[tokio::test]
async fn an_ingress_is_made_from_rules() {
    let shop = Shop::open().await;
    let lines = "
        create ingress web --class=xebec --rule=a.com/*=web:80,tls=web --rule=a.com/api=api:http --rule=b.com/=web:80,tls --default-backend=web:80
        create ingress bad --rule=a.com=web:80
        create ingress bad --rule=a.com/=web:80,ssl
    ";
    expect![[r"
        $ xctl create ingress web --class=xebec --rule=a.com/*=web:80,tls=web --rule=a.com/api=api:http --rule=b.com/=web:80,tls --default-backend=web:80
        ingress.networking.k8s.io/web created
        $ xctl create ingress bad --rule=a.com=web:80
        error: --rule a.com=web:80: write HOST/PATH=SERVICE:PORT, such as example.com/*=web:80,tls
        [failed]
        $ xctl create ingress bad --rule=a.com/=web:80,ssl
        error: --rule a.com/=web:80,ssl: write HOST/PATH=SERVICE:PORT, such as example.com/*=web:80,tls
        [failed]
    "]]
    .assert_eq(&shop.session(lines).await);
    let to = |name: &str, port: Value| json!({"service": {"name": name, "port": port}});
    let wanted = json!({
        "ingressClassName": "xebec",
        "defaultBackend": to("web", json!({"number": 80})),
        "rules": [
            {"host": "a.com", "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": to("web", json!({"number": 80}))},
                {"path": "/api", "pathType": "Exact", "backend": to("api", json!({"name": "http"}))},
            ]}},
            {"host": "b.com", "http": {"paths": [
                {"path": "/", "pathType": "Exact", "backend": to("web", json!({"number": 80}))},
            ]}},
        ],
        "tls": [{"hosts": ["a.com"], "secretName": "web"}, {"hosts": ["b.com"]}],
    });
    assert_eq!(got(&shop, "ingress web").await["spec"], wanted);
}

#[tokio::test]
async fn budgets_quotas_and_priorities_are_made() {
    let shop = Shop::open().await;
    let lines = "
        create pdb web --selector=app=web,tier==front --min-available=50%
        create pdb db --selector=app=db --max-unavailable=1
        create pdb bad --selector=app --max-unavailable=1
        create quota small --hard=cpu=2,memory=4Gi,pods=10
        create quota bad --hard=cpu
        create priorityclass high --value=1000 --description=first
    ";
    expect![[r"
        $ xctl create pdb web --selector=app=web,tier==front --min-available=50%
        poddisruptionbudget.policy/web created
        $ xctl create pdb db --selector=app=db --max-unavailable=1
        poddisruptionbudget.policy/db created
        $ xctl create pdb bad --selector=app --max-unavailable=1
        error: --selector app: write KEY=VALUE
        [failed]
        $ xctl create quota small --hard=cpu=2,memory=4Gi,pods=10
        resourcequota/small created
        $ xctl create quota bad --hard=cpu
        error: --hard cpu: write RESOURCE=AMOUNT
        [failed]
        $ xctl create priorityclass high --value=1000 --description=first
        priorityclass.scheduling.k8s.io/high created
    "]]
    .assert_eq(&shop.session(lines).await);
    let spec = &got(&shop, "pdb web").await["spec"];
    assert_eq!(
        (&spec["minAvailable"], &spec["selector"]["matchLabels"]),
        (&json!("50%"), &json!({"app": "web", "tier": "front"}))
    );
    assert_eq!(got(&shop, "pdb db").await["spec"]["maxUnavailable"], 1);
    let hard = &got(&shop, "quota small").await["spec"]["hard"];
    assert_eq!(hard, &json!({"cpu": "2", "memory": "4Gi", "pods": "10"}));
    let class = got(&shop, "priorityclass high").await;
    assert_eq!((&class["value"], &class["description"]), (&json!(1000), &json!("first")));
}

#[tokio::test]
async fn services_of_every_type_are_made() {
    let shop = Shop::open().await;
    let lines = r#"
        create service clusterip db --clusterip=None
        create service clusterip web
        create service nodeport web --tcp=80:8080 --node-port=30123
        create service nodeport two --tcp=80,81 --node-port=30124
        create service loadbalancer lb --tcp=80
        create service externalname away --external-name=db.example.com
        get svc -o custom-columns=N:.metadata.name,T:.spec.type,P:.spec.ports[0].nodePort,E:.spec.externalName,S:.spec.selector.app -l app!=lb
        get svc db -o jsonpath={.spec.clusterIP}{"\n"}
    "#;
    expect![[r#"
        $ xctl create service clusterip db --clusterip=None
        service/db created
        $ xctl create service clusterip web
        error: say which port: --tcp PORT or PORT:TARGET, such as 80:8080
        [failed]
        $ xctl create service nodeport web --tcp=80:8080 --node-port=30123
        service/web created
        $ xctl create service nodeport two --tcp=80,81 --node-port=30124
        error: --node-port is for one port: give one --tcp with it
        [failed]
        $ xctl create service loadbalancer lb --tcp=80
        service/lb created
        $ xctl create service externalname away --external-name=db.example.com
        service/away created
        $ xctl get svc -o custom-columns=N:.metadata.name,T:.spec.type,P:.spec.ports[0].nodePort,E:.spec.externalName,S:.spec.selector.app -l app!=lb
        N      T              P        E                S
        away   ExternalName   <none>   db.example.com   <none>
        db     ClusterIP      <none>   <none>           db
        web    NodePort       30123    <none>           web
        $ xctl get svc db -o jsonpath={.spec.clusterIP}{"\n"}
        None
    "#]]
    .assert_eq(&shop.session(lines).await);
}

#[tokio::test]
async fn roles_and_bindings_say_who_may_do_what() {
    let shop = Shop::open().await;
    let lines = "
        create role reader --verb=get,list --resource=pods,deployments.apps,pods/log
        create clusterrole nodes --verb=* --resource=nodes --resource-name=n1
        create role odd --verb=get --resource=ships
        create rolebinding readers --role reader --user ann --serviceaccount default:web
        create clusterrolebinding nodes --clusterrole nodes --group ops
        create clusterrolebinding other --role reader --group ops
        create rolebinding other --user ann
        create rolebinding other --role reader
        create rolebinding other --role reader --serviceaccount web
    ";
    expect![[r#"
        $ xctl create role reader --verb=get,list --resource=pods,deployments.apps,pods/log
        role.rbac.authorization.k8s.io/reader created
        $ xctl create clusterrole nodes --verb=* --resource=nodes --resource-name=n1
        clusterrole.rbac.authorization.k8s.io/nodes created
        $ xctl create role odd --verb=get --resource=ships
        error: there is no kind "ships": `xctl api-resources` lists them
        [failed]
        $ xctl create rolebinding readers --role reader --user ann --serviceaccount default:web
        rolebinding.rbac.authorization.k8s.io/readers created
        $ xctl create clusterrolebinding nodes --clusterrole nodes --group ops
        clusterrolebinding.rbac.authorization.k8s.io/nodes created
        $ xctl create clusterrolebinding other --role reader --group ops
        error: --role: the whole cluster has only ClusterRoles: say --clusterrole NAME
        [failed]
        $ xctl create rolebinding other --user ann
        error: say which role: --clusterrole NAME or --role NAME
        [failed]
        $ xctl create rolebinding other --role reader
        error: say who has it: --user, --group or --serviceaccount NAMESPACE:NAME
        [failed]
        $ xctl create rolebinding other --role reader --serviceaccount web
        error: --serviceaccount web: write NAMESPACE:NAME, such as default:default
        [failed]
    "#]]
    .assert_eq(&shop.session(lines).await);
    assert_eq!(
        got(&shop, "role reader").await["rules"],
        json!([
            {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]},
        ])
    );
    let binding = got(&shop, "rolebinding readers").await;
    assert_eq!(binding["roleRef"]["kind"], "Role");
    assert_eq!(
        binding["subjects"],
        json!([
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"},
            {"kind": "ServiceAccount", "namespace": "default", "name": "web"},
        ])
    );
}
