//! The rules of what a pod says of its network: the host's, its resolver, names of its own.

use super::Workload;
use crate::at::At;
use crate::error::FieldError;
use crate::{address, name};

/// As many as a C library's resolver takes.
const MOST_NAMESERVERS: usize = 3;
const MOST_SEARCHES: usize = 32;
/// With a space between each two.
const MOST_SEARCH_CHARACTERS: usize = 2048;

/// On the host's network a port of a container is the host's. A template may leave that to
/// the pods that are made of it.
pub(super) fn host_network(spec: &At<'_>, workload: Workload, errors: &mut Vec<FieldError>) {
    if !spec.key("hostNetwork").is_true() {
        return;
    }
    for container in spec.items("containers") {
        for port in container.items("ports") {
            let host = port.key("hostPort");
            let number = host.int().unwrap_or_default();
            let counts = number != 0 || matches!(workload, Workload::Pod);
            if counts && number != port.key("containerPort").int().unwrap_or_default() {
                errors.push(host.invalid("must match `containerPort` when `hostNetwork` is true"));
            }
        }
    }
}

/// `dnsConfig`, which must name a resolver when the policy names none.
pub(super) fn dns_config(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let config = spec.key("dnsConfig");
    let servers = config.key("nameservers");
    if spec.text_of("dnsPolicy") == "None" {
        if !config.is_set() {
            return errors.push(config.required("must provide `dnsConfig` when `dnsPolicy` is None"));
        }
        if servers.is_empty() {
            let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return errors.push(servers.required(why));
        }
    }
    let given = config.items("nameservers");
    if given.len() > MOST_NAMESERVERS {
        errors.push(servers.invalid(&format!("must not have more than {MOST_NAMESERVERS} nameservers")));
    }
    given.iter().for_each(|server| ip(server, errors));
    searches(&config, errors);
    for option in config.items("options") {
        if option.key("name").is_empty() {
            errors.push(option.required("must not be empty"));
        }
    }
}

fn searches(config: &At<'_>, errors: &mut Vec<FieldError>) {
    let all = config.key("searches");
    let given = config.items("searches");
    if given.len() > MOST_SEARCHES {
        errors.push(all.invalid(&format!("must not have more than {MOST_SEARCHES} search paths")));
    }
    let characters = given.iter().map(|search| search.text().len() + 1).sum::<usize>().saturating_sub(1);
    if characters > MOST_SEARCH_CHARACTERS {
        errors.push(all.invalid(&format!(
            "must not have more than {MOST_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        )));
    }
    for search in given.iter().filter(|search| search.text() != ".") {
        let text = search.text().strip_suffix('.').unwrap_or(search.text());
        if let Err(why) = name::dns_subdomain_with_underscore(text) {
            let message = format!("Invalid value: {text:?}: {why}");
            errors.push(FieldError::invalid(search.path.clone(), message));
        }
    }
}

/// Lines of the pod's own /etc/hosts.
pub(super) fn host_aliases(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    for alias in spec.items("hostAliases") {
        ip(&alias.key("ip"), errors);
        for host in alias.items("hostnames") {
            host.obeys(name::dns_subdomain, errors);
        }
    }
}

fn ip(at: &At<'_>, errors: &mut Vec<FieldError>) {
    errors.extend(address::any(at.text()).err().map(|why| at.invalid(&why)));
}
