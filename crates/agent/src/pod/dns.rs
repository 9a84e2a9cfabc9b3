//! A pod's /etc/resolv.conf, by its `dnsPolicy` and `dnsConfig`.
//!
//! The cluster's DNS server is the Service `kube-system/kube-dns`, as in Kubernetes. While
//! there is none, `ClusterFirst` means the host's file: a server that does not answer
//! would be worse.

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::{PodDNSConfig, PodSpec};

/// The cluster's domain.
const DOMAIN: &str = "cluster.local";
/// What resolvers take; more are left out.
const NAMESERVERS: usize = 3;
const SEARCHES: usize = 32;

/// What a resolver is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Resolver {
    nameservers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
}

/// The file's text; `None` where it is the host's, unchanged.
pub(super) fn resolv_conf(
    spec: &PodSpec,
    namespace: &str,
    server: Option<&str>,
    host: &str,
) -> Option<String> {
    let policy = match spec.dns_policy.as_deref().unwrap_or("ClusterFirst") {
        "ClusterFirst" if spec.host_network == Some(true) => "Default",
        "ClusterFirstWithHostNet" => "ClusterFirst",
        policy => policy,
    };
    let mut resolver = match (policy, server) {
        ("None", _) => Resolver::default(),
        ("ClusterFirst", Some(server)) => of_cluster(namespace, server, &parse(host)),
        _ if spec.dns_config.is_none() => return None,
        _ => parse(host),
    };
    if let Some(config) = &spec.dns_config {
        add(&mut resolver, config);
    }
    Some(print(&resolver))
}

fn of_cluster(namespace: &str, server: &str, host: &Resolver) -> Resolver {
    let mut searches = vec![format!("{namespace}.svc.{DOMAIN}"), format!("svc.{DOMAIN}"), DOMAIN.to_owned()];
    searches.extend(host.searches.iter().cloned());
    Resolver { nameservers: vec![server.to_owned()], searches, options: vec!["ndots:5".to_owned()] }
}

fn parse(text: &str) -> Resolver {
    let mut resolver = Resolver::default();
    for line in text.lines() {
        let mut words = line.split_whitespace().map(str::to_owned);
        match words.next().as_deref() {
            Some("nameserver") => resolver.nameservers.extend(words.next()),
            Some("search") => resolver.searches = words.collect(),
            Some("options") => resolver.options.extend(words),
            _ => {}
        }
    }
    resolver
}

/// The pod's own are added; of options with one name, the pod's stays.
fn add(resolver: &mut Resolver, config: &PodDNSConfig) {
    let unite = |list: &mut Vec<String>, more: &Option<Vec<String>>| {
        for item in more.iter().flatten() {
            if !list.contains(item) {
                list.push(item.clone());
            }
        }
    };
    unite(&mut resolver.nameservers, &config.nameservers);
    unite(&mut resolver.searches, &config.searches);
    for option in config.options.iter().flatten() {
        let Some(name) = &option.name else { continue };
        resolver.options.retain(|known| known.split(':').next() != Some(name));
        let value = option.value.as_deref().filter(|value| !value.is_empty());
        resolver.options.push(value.map_or_else(|| name.clone(), |value| format!("{name}:{value}")));
    }
}

fn print(resolver: &Resolver) -> String {
    let mut text = String::new();
    let list = |items: &[String], most: usize| items[..items.len().min(most)].join(" ");
    if !resolver.searches.is_empty() {
        // Writing into a String cannot fail, here and below.
        let _ = writeln!(text, "search {}", list(&resolver.searches, SEARCHES));
    }
    for server in resolver.nameservers.iter().take(NAMESERVERS) {
        let _ = writeln!(text, "nameserver {server}");
    }
    if !resolver.options.is_empty() {
        let _ = writeln!(text, "options {}", list(&resolver.options, usize::MAX));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const HOST: &str = "# made by hand\nsearch example.org\nnameserver 192.0.2.53\noptions edns0 ndots:1\n";
    const CLUSTER: &str = "search shop.svc.cluster.local svc.cluster.local cluster.local example.org\n\
        nameserver 10.43.0.10\noptions ndots:5\n";

    fn text(spec: Value, server: Option<&str>) -> Option<String> {
        let mut spec = spec;
        spec["containers"] = json!([]);
        resolv_conf(&serde_json::from_value(spec).expect("a spec"), "shop", server, HOST)
    }

    #[test]
    fn the_cluster_comes_first_where_it_has_a_server() {
        let server = Some("10.43.0.10");
        assert_eq!(text(json!({}), server).as_deref(), Some(CLUSTER));
        assert_eq!(text(json!({}), None), None, "the host's file until there is a server");
        assert_eq!(text(json!({"hostNetwork": true}), server), None);
        let with_host = json!({"hostNetwork": true, "dnsPolicy": "ClusterFirstWithHostNet"});
        assert_eq!(text(with_host, server).as_deref(), Some(CLUSTER));
        assert_eq!(text(json!({"dnsPolicy": "Default"}), server), None);
    }

    #[test]
    fn a_pods_own_configuration_is_added() {
        let config = json!({"nameservers": ["192.0.2.1"], "searches": ["a.test", "example.org"],
            "options": [{"name": "ndots", "value": "2"}, {"name": "rotate"}]});
        let spec = |policy: &str| json!({"dnsPolicy": policy, "dnsConfig": config});
        let own = "search a.test example.org\nnameserver 192.0.2.1\noptions ndots:2 rotate\n";
        assert_eq!(text(spec("None"), None).as_deref(), Some(own));
        let both = "search example.org a.test\nnameserver 192.0.2.53\nnameserver 192.0.2.1\n\
            options edns0 ndots:2 rotate\n";
        assert_eq!(text(spec("Default"), None).as_deref(), Some(both));
        assert_eq!(text(spec("ClusterFirst"), None).as_deref(), Some(both));
    }
}
