//! A pod's sandbox as the runtime takes it.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::PodSpec;
use xebec_runtime::{HostAlias, SandboxSpec, host_resolv_conf};

use crate::pod::worker::Bound;
use crate::pod::{dns, resources};
use crate::run::Agent;

/// What the kernel takes as a host's name.
const HOSTNAME_BYTES: usize = 63;

pub(crate) fn spec(agent: &Agent, bound: &Bound) -> SandboxSpec {
    let (object, default) = (&bound.object, PodSpec::default());
    let spec = bound.pod.spec.as_ref().unwrap_or(&default);
    let hostname = hostname(spec.hostname.as_deref().unwrap_or(object.name()));
    let subdomain = spec.subdomain.as_deref().filter(|subdomain| !subdomain.is_empty());
    let namespace = object.namespace();
    SandboxSpec {
        pod_uid: object.uid().to_owned(),
        namespace: namespace.to_owned(),
        name: object.name().to_owned(),
        fqdn: subdomain.map(|subdomain| format!("{hostname}.{subdomain}.{namespace}.svc.cluster.local")),
        hostname,
        host_network: spec.host_network.unwrap_or(false),
        host_pid: spec.host_pid.unwrap_or(false),
        host_ipc: spec.host_ipc.unwrap_or(false),
        host_aliases: host_aliases(spec),
        resolv_conf: resolv_conf(agent, spec, namespace),
        resources: resources::of_pod(spec),
        log_dir: log_dir(agent, object.uid()),
    }
}

/// A name that is too long is cut where a name may end, as Kubernetes does it.
fn hostname(name: &str) -> String {
    let mut end = name.len().min(HOSTNAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].trim_end_matches(['-', '.']).to_owned()
}

fn host_aliases(spec: &PodSpec) -> Vec<HostAlias> {
    let aliases = spec.host_aliases.iter().flatten();
    aliases
        .map(|it| HostAlias { ip: it.ip.clone(), names: it.hostnames.clone().unwrap_or_default() })
        .collect()
}

fn resolv_conf(agent: &Agent, spec: &PodSpec, namespace: &str) -> Option<String> {
    let services = agent.services.list();
    let server = services.iter().find(|s| s.namespace() == "kube-system" && s.name() == "kube-dns");
    let server = server.map(|service| service.text(&["spec", "clusterIP"]));
    let server = server.filter(|address| !matches!(*address, "" | "None"));
    dns::resolv_conf(spec, namespace, server, &host_resolv_conf())
}

pub(crate) fn log_dir(agent: &Agent, uid: &str) -> PathBuf {
    agent.config.data_dir.join("logs").join(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_name_is_cut_where_it_may_end() {
        assert_eq!(hostname("web-0"), "web-0");
        let long = format!("{}-{}", "a".repeat(62), "b".repeat(9));
        assert_eq!(hostname(&long), "a".repeat(62));
    }
}
