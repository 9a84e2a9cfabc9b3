//! One case a directive and a kind of list: the spec before, the patch, the spec after.

use super::*;

#[test]
fn patches_do_what_kubernetes_says() {
    let cases = [
        // Lists of maps merge by key; new items come first, as the patch names them.
        (
            json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}),
            json!({"containers": [{"name": "b", "image": "2"}]}),
            json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}),
        ),
        (
            json!({"containers": [{"name": "a"}]}),
            json!({"containers": [{"name": "b", "env": null}]}),
            json!({"containers": [{"name": "b"}, {"name": "a"}]}),
        ),
        // An order may be asked for, with and without a change.
        (
            json!({"containers": [{"name": "a"}, {"name": "b"}]}),
            json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
            json!({"containers": [{"name": "b"}, {"name": "a"}]}),
        ),
        (
            json!({"containers": [{"name": "x"}, {"name": "a"}, {"name": "y"}]}),
            json!({"$setElementOrder/containers": [{"name": "a"}, {"name": "b"}], "containers": [{"name": "b"}]}),
            json!({"containers": [{"name": "x"}, {"name": "a"}, {"name": "b"}, {"name": "y"}]}),
        ),
        // Items and values go.
        (
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 80}, {"containerPort": 81}]}]}),
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 80, "$patch": "delete"}]}]}),
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 81}]}]}),
        ),
        (
            json!({"containers": [{"name": "a", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]}),
            json!({"containers": [{"name": "a", "env": [{"name": "A", "$patch": "delete"}, {"name": "B", "value": null, "valueFrom": {}}]}]}),
            json!({"containers": [{"name": "a", "env": [{"name": "B", "valueFrom": {}}]}]}),
        ),
        // Everything that was there goes.
        (
            json!({"containers": [{"name": "a"}], "nodeSelector": {"a": "1"}}),
            json!({"containers": [{"name": "b"}, {"$patch": "replace"}], "nodeSelector": {"$patch": "replace", "b": "2"}}),
            json!({"containers": [{"name": "b"}], "nodeSelector": {"b": "2"}}),
        ),
        (
            json!({"securityContext": {"runAsUser": 1}}),
            json!({"securityContext": {"$patch": "delete"}}),
            json!({"securityContext": {}}),
        ),
        (json!({"nodeSelector": {"a": "1"}}), json!({"nodeSelector": null}), json!({})),
        // One of several kinds of volume.
        (
            json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
            json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/a"}}]}),
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/a"}}]}),
        ),
        // Lists that are no merging ones are replaced.
        (
            json!({"containers": [{"name": "a", "args": ["1", "2"]}], "tolerations": [{"key": "a"}]}),
            json!({"containers": [{"name": "a", "args": ["3"]}], "tolerations": [{"key": "b"}]}),
            json!({"containers": [{"name": "a", "args": ["3"]}], "tolerations": [{"key": "b"}]}),
        ),
        // What nobody knows merges as JSON does.
        (json!({"what": {"a": 1}}), json!({"what": {"b": [1]}}), json!({"what": {"a": 1, "b": [1]}})),
        // The directives of what is new are no part of it.
        (
            json!({}),
            json!({"volumes": [{"name": "v", "$retainKeys": ["name"]}, {"name": "w", "$patch": "delete"}],
                "tolerations": [{"key": "a", "$retainKeys": ["key"]}]}),
            json!({"volumes": [{"name": "v"}], "tolerations": [{"key": "a"}]}),
        ),
    ];
    for (spec, patch, wanted) in cases {
        assert_eq!(patched(spec, patch.clone()), Ok(wanted), "{patch}");
    }
}

#[test]
fn ports_with_one_number_are_told_apart_by_their_protocol() {
    let dns = || json!([{"containerPort": 53, "name": "tcp"}, {"containerPort": 53, "protocol": "UDP", "name": "udp"}]);
    let ports = |ports: Value| json!({"containers": [{"name": "a", "ports": ports}]});
    let order = |patch: Value| {
        json!({"containers": [{"name": "a", "ports": patch,
            "$setElementOrder/ports": [{"containerPort": 53}, {"containerPort": 53}]}]})
    };
    for (old, patch, new) in [
        (
            dns(),
            ports(json!([{"containerPort": 53, "protocol": "UDP", "name": "u"}])),
            json!([{"containerPort": 53, "name": "tcp"}, {"containerPort": 53, "protocol": "UDP", "name": "u"}]),
        ),
        // kubectl adds one: its order has the number twice.
        (
            json!([{"containerPort": 53, "protocol": "TCP"}]),
            order(json!([{"containerPort": 53, "protocol": "UDP"}])),
            json!([{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]),
        ),
        // As many changes as there are items in the order.
        (
            json!([{"containerPort": 50}, {"containerPort": 53, "protocol": "TCP"}]),
            order(
                json!([{"containerPort": 50, "$patch": "delete"}, {"containerPort": 53, "protocol": "UDP"}]),
            ),
            json!([{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]),
        ),
        // kubectl changes the protocol of the only one.
        (
            json!([{"containerPort": 53, "protocol": "TCP"}]),
            ports(json!([{"containerPort": 53, "protocol": "UDP"}])),
            json!([{"containerPort": 53, "protocol": "UDP"}]),
        ),
        (
            dns(),
            ports(json!([{"containerPort": 53, "protocol": "TCP", "$patch": "delete"}])),
            json!([{"containerPort": 53, "protocol": "UDP", "name": "udp"}]),
        ),
        (json!([]), ports(dns()), dns()),
    ] {
        assert_eq!(patched(ports(old), patch.clone()), Ok(ports(new)), "{patch}");
    }
}

#[test]
fn values_of_plain_lists_come_and_go() {
    let of = deployment();
    let finalizers = |list: Value| json!({"metadata": {"finalizers": list}});
    for (old, patch, new) in [
        (json!(["a"]), json!({"finalizers": ["a", "b"]}), json!(["a", "b"])),
        (json!(["a", "b"]), json!({"$deleteFromPrimitiveList/finalizers": ["a"]}), json!(["b"])),
        (json!(["a", "b"]), json!({"$setElementOrder/finalizers": ["b", "a"]}), json!(["b", "a"])),
        (
            json!(["a", "b"]),
            json!({"$deleteFromPrimitiveList/finalizers": ["b"], "$setElementOrder/finalizers": ["c", "a"], "finalizers": ["c"]}),
            json!(["c", "a"]),
        ),
    ] {
        let patched = apply(of, map(finalizers(old)), &map(json!({"metadata": patch})));
        assert_eq!(patched, Ok(map(finalizers(new))), "{patch}");
    }
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    let base = || json!({"containers": [{"name": "a"}]});
    for (patch, wanted) in [
        (
            json!({"containers": [{"name": "a"}, {"image": "b"}]}),
            "spec.containers[1]: name: Required value: it tells the items of this list apart",
        ),
        (json!({"containers": ["a"]}), "spec.containers[0]: expected a map, not \"a\""),
        (
            json!({"containers": [{"name": "a", "$patch": "remove"}]}),
            "spec.containers[0].$patch: \"remove\" is no directive: merge, replace or delete",
        ),
        (
            json!({"$retainKeys": ["hostname"], "subdomain": "a"}),
            "spec.$retainKeys: \"subdomain\" is given by the patch and must be named here as well",
        ),
        (json!({"$retainKeys": "hostname"}), "spec.$retainKeys: expected a list of names of fields"),
        (
            json!({"$setElementOrder/containers": {"name": "a"}}),
            "spec.$setElementOrder/containers: expected a list",
        ),
        (
            json!({"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]}),
            "spec.containers[0]: this item is not named by the list's $setElementOrder",
        ),
        (
            json!({"$deleteFromPrimitiveList/containers": 1}),
            "spec.$deleteFromPrimitiveList/containers: expected a list",
        ),
    ] {
        assert_eq!(patched(base(), patch.clone()), Err(wanted.to_owned()), "{patch}");
    }
}
