//! What a pod's sandbox is made of.

use expect_test::expect;
use serde_json::json;
use xebec_runtime::SandboxSpec;
use xebec_runtime::fake::Behaviour;

use super::world::World;

#[tokio::test(start_paused = true)]
async fn a_sandbox_has_its_pods_names_servers_and_limits() {
    let world = World::start().await;
    world.put(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": "10.43.0.10"}}));
    world.until("the service", |world| !world.agent.services.list().is_empty()).await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let uid = world.bind(
        "a",
        json!({
            "hostname": "web", "subdomain": "shop", "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["192.0.2.1"]},
            "hostAliases": [{"ip": "192.0.2.7", "hostnames": ["db", "db.test"]}],
            "containers": [{"name": "web", "image": "nginx", "resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}],
        }),
    );
    world.until_running("a").await;
    let spec = world.runtime.sandbox_spec(&uid).expect("it runs");
    let spec = SandboxSpec { log_dir: Default::default(), ..spec };
    expect![[r#"
        SandboxSpec {
            pod_uid: "uid-2",
            namespace: "default",
            name: "a",
            hostname: "web",
            fqdn: Some(
                "web.shop.default.svc.cluster.local",
            ),
            host_network: false,
            host_pid: false,
            host_ipc: false,
            host_aliases: [
                HostAlias {
                    ip: "192.0.2.7",
                    names: [
                        "db",
                        "db.test",
                    ],
                },
            ],
            resolv_conf: Some(
                "nameserver 192.0.2.1\n",
            ),
            resources: Resources {
                cpu_request_millis: Some(
                    1000,
                ),
                cpu_limit_millis: Some(
                    1000,
                ),
                memory_limit_bytes: Some(
                    67108864,
                ),
                pids_limit: None,
                oom_score_adj: None,
            },
            log_dir: "",
        }
    "#]]
    .assert_debug_eq(&spec);
    let limits = world.runtime.container_spec(&uid, "web.0").expect("it runs").resources;
    assert_eq!((limits.memory_limit_bytes, limits.oom_score_adj), (Some(64 << 20), Some(-997)));
    let other = world.bind("b", json!({"containers": [{"name": "web", "image": "nginx"}]}));
    world.until_running("b").await;
    let resolv = world.runtime.sandbox_spec(&other).and_then(|spec| spec.resolv_conf).expect("the cluster's");
    assert!(
        resolv.starts_with("search default.svc.cluster.local svc.cluster.local cluster.local"),
        "{resolv}"
    );
    assert!(resolv.ends_with("nameserver 10.43.0.10\noptions ndots:5\n"), "{resolv}");
    let limits = world.runtime.container_spec(&other, "web.0").expect("it runs").resources;
    assert_eq!((limits.memory_limit_bytes, limits.oom_score_adj), (None, Some(1000)));
    world.stop().await;
}
