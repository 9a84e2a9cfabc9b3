//! `create ingress`: rules as HOST/PATH=SERVICE:PORT. A path that ends with * stands for all below it.

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::{Map, Value, json};
use xebec_api::object::Object;

use super::shell;
use crate::only::OnlyArgs;

#[derive(Args)]
pub(crate) struct IngressArgs {
    pub(crate) name: String,
    /// HOST/PATH=SERVICE:PORT, and ,tls or ,tls=SECRET behind it for HTTPS; /* for every path
    #[arg(long, value_name = "RULE", required_unless_present = "default_backend")]
    pub(crate) rule: Vec<String>,
    /// Where all else leads
    #[arg(long, value_name = "SERVICE:PORT")]
    pub(crate) default_backend: Option<String>,
    /// Which IngressClass; else the default one
    #[arg(long, value_name = "NAME")]
    pub(crate) class: Option<String>,
    /// Its annotations
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) annotation: Vec<String>,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

/// One rule as it is written.
#[derive(Debug, PartialEq)]
struct Rule {
    host: String,
    path: Value,
    /// The Secret, where there is TLS: `""` for the default certificate.
    tls: Option<String>,
}

/// The Ingress.
pub(super) fn made(args: &IngressArgs) -> Result<Object> {
    let rules = args.rule.iter().map(|text| rule(text)).collect::<Result<Vec<_>>>()?;
    let mut object = shell("networking.k8s.io/v1", "Ingress", &args.name);
    for pair in &args.annotation {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| anyhow!("--annotation {pair}: write KEY=VALUE"))?;
        object.set(&["metadata", "annotations", key], value);
    }
    if let Some(class) = &args.class {
        object.set(&["spec", "ingressClassName"], class.as_str());
    }
    if let Some(text) = &args.default_backend {
        let backend = backend(text).ok_or_else(|| anyhow!("--default-backend {text}: write SERVICE:PORT"))?;
        object.set(&["spec", "defaultBackend"], backend);
    }
    if !rules.is_empty() {
        object.set(&["spec", "rules"], by_host(&rules));
    }
    let tls = secured(&rules);
    if !tls.is_empty() {
        object.set(&["spec", "tls"], tls);
    }
    Ok(object)
}

fn rule(text: &str) -> Result<Rule> {
    let wrong = || anyhow!("--rule {text}: write HOST/PATH=SERVICE:PORT, such as example.com/*=web:80,tls");
    let (place, rest) = text.split_once('=').ok_or_else(wrong)?;
    let (target, tls) = rest.split_once(',').map_or((rest, None), |(target, tls)| (target, Some(tls)));
    let at = place.find('/').ok_or_else(wrong)?;
    let (host, path) = place.split_at(at);
    let (path, path_type) = path.strip_suffix('*').map_or((path, "Exact"), |path| (path, "Prefix"));
    let backend = backend(target).ok_or_else(wrong)?;
    let tls = match tls {
        None => None,
        Some("tls") => Some(String::new()),
        Some(tls) => match tls.split_once('=') {
            Some(("tls", secret)) => Some(secret.to_owned()),
            _ => bail!(wrong()),
        },
    };
    Ok(Rule {
        host: host.to_owned(),
        path: json!({"path": path, "pathType": path_type, "backend": backend}),
        tls,
    })
}

/// `web:80` or `web:http`.
fn backend(text: &str) -> Option<Value> {
    let (service, port) =
        text.split_once(':').filter(|(service, port)| !service.is_empty() && !port.is_empty())?;
    let port = port.parse::<u16>().map_or_else(|_| json!({"name": port}), |number| json!({"number": number}));
    Some(json!({"service": {"name": service, "port": port}}))
}

/// Rules of one host stand together, in the order that they were written in.
fn by_host(rules: &[Rule]) -> Vec<Value> {
    let mut hosts: Vec<(&str, Vec<Value>)> = Vec::new();
    for rule in rules {
        match hosts.iter_mut().find(|(host, _)| *host == rule.host) {
            Some((_, paths)) => paths.push(rule.path.clone()),
            None => hosts.push((rule.host.as_str(), vec![rule.path.clone()])),
        }
    }
    let entry = |(host, paths): (&str, Vec<Value>)| {
        let mut entry = Map::new();
        if !host.is_empty() {
            entry.insert("host".to_owned(), json!(host));
        }
        entry.insert("http".to_owned(), json!({"paths": paths}));
        Value::Object(entry)
    };
    hosts.into_iter().map(entry).collect()
}

/// The hosts of each certificate.
fn secured(rules: &[Rule]) -> Vec<Value> {
    let mut secrets: Vec<(&str, Vec<&str>)> = Vec::new();
    for rule in rules {
        let Some(secret) = &rule.tls else { continue };
        let hosts = match secrets.iter().position(|(known, _)| known == secret) {
            Some(at) => &mut secrets[at].1,
            None => {
                secrets.push((secret.as_str(), Vec::new()));
                let last = secrets.len() - 1;
                &mut secrets[last].1
            }
        };
        if !rule.host.is_empty() && !hosts.contains(&rule.host.as_str()) {
            hosts.push(&rule.host);
        }
    }
    let entry = |(secret, hosts): (&str, Vec<&str>)| {
        let mut entry = Map::new();
        if !hosts.is_empty() {
            entry.insert("hosts".to_owned(), json!(hosts));
        }
        if !secret.is_empty() {
            entry.insert("secretName".to_owned(), json!(secret));
        }
        Value::Object(entry)
    };
    secrets.into_iter().map(entry).collect()
}
