//! `expose`: a Service for what a workload, a pod or another Service selects.

use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use xebec_api::object::Object;
use xebec_api::resource::Resource;

use crate::asked;
use crate::commands::get::{Format, print_value};
use crate::dry_run::DryRun;
use crate::output::Out;
use crate::session::{Session, reference};

/// What to expose, and as what.
#[derive(Args)]
pub(crate) struct ExposeArgs {
    /// TYPE NAME or TYPE/NAME
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// The Service's name; else the object's
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The Service's port; else the one that the containers declare
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// The container's port, by number or name; else the same
    #[arg(long)]
    pub(crate) target_port: Option<String>,
    #[arg(long, default_value = "TCP")]
    pub(crate) protocol: String,
    /// The pods' labels, such as app=web; else those that the object selects
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',')]
    pub(crate) selector: Vec<String>,
    /// The Service's labels; else the object's
    #[arg(short = 'l', long, value_name = "KEY=VALUE", value_delimiter = ',')]
    pub(crate) labels: Vec<String>,
    /// An address of its own choice; None for a Service without one
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) cluster_ip: Option<String>,
    /// Further addresses that it is reached at
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) external_ip: Vec<String>,
    /// ClientIP, so that who came once comes to the same pod again
    #[arg(long, value_name = "KIND")]
    pub(crate) session_affinity: Option<String>,
    /// Who reaches it
    #[arg(long, value_enum, default_value_t = Type::ClusterIp)]
    pub(crate) r#type: Type,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
    /// How to print it
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Format>,
}

/// Types of Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Type {
    #[value(name = "ClusterIP")]
    ClusterIp,
    #[value(name = "NodePort")]
    NodePort,
    #[value(name = "LoadBalancer")]
    LoadBalancer,
}

/// Makes the Service.
pub(crate) async fn run(session: &Session, args: &ExposeArgs, out: &mut Out) -> Result<()> {
    let session = &args.dry_run.session(session);
    let services = asked::row("services")?;
    for (row, name) in asked::parse_named(&args.words)? {
        let object = session.client.get(row, session.namespace_of(row), &name).await?;
        let mut service = service(row, &object, args)?;
        if !args.dry_run.is_client() {
            service = session.client.create(services, &service).await?;
        }
        match args.output {
            Some(Format::Json | Format::Yaml) => print_value(&service.into_value(), args.output, out)?,
            _ => {
                out.line(format!("{} exposed{}", reference(services, service.name()), args.dry_run.mark()))?
            }
        }
    }
    Ok(())
}

fn service(row: &Resource, object: &Object, args: &ExposeArgs) -> Result<Object> {
    let selector =
        if args.selector.is_empty() { selector(row, object)? } else { pairs("--selector", &args.selector)? };
    let ports = match args.port {
        Some(port) => vec![i64::from(port)],
        None => declared(row, object),
    };
    if ports.is_empty() {
        bail!("couldn't find port via --port flag or introspection: say --port NUMBER");
    }
    let named = ports.len() > 1;
    let ports: Vec<Value> = ports
        .into_iter()
        .enumerate()
        .map(|(index, port)| {
            let target = match &args.target_port {
                Some(text) => text.parse::<u16>().map_or_else(|_| json!(text), |number| json!(number)),
                None => json!(port),
            };
            let mut entry = json!({"port": port, "protocol": args.protocol, "targetPort": target});
            if named {
                entry["name"] = format!("port-{}", index + 1).into();
            }
            entry
        })
        .collect();
    let mut service = Object::default();
    service.set(&["apiVersion"], "v1");
    service.set(&["kind"], "Service");
    service.set(&["metadata", "name"], args.name.as_deref().unwrap_or(object.name()));
    service.set(&["metadata", "namespace"], object.namespace());
    if !args.labels.is_empty() {
        service.set(&["metadata", "labels"], pairs("--labels", &args.labels)?);
    } else if let Some(labels) = object.get(&["metadata", "labels"]) {
        service.set(&["metadata", "labels"], labels.clone());
    }
    if let Some(address) = &args.cluster_ip {
        service.set(&["spec", "clusterIP"], address.as_str());
    }
    if !args.external_ip.is_empty() {
        service.set(&["spec", "externalIPs"], json!(args.external_ip));
    }
    if let Some(affinity) = &args.session_affinity {
        service.set(&["spec", "sessionAffinity"], affinity.as_str());
    }
    service.set(&["spec", "ports"], ports);
    service.set(&["spec", "selector"], selector);
    if args.r#type != Type::ClusterIp {
        let value = args.r#type.to_possible_value().map(|value| value.get_name().to_owned());
        service.set(&["spec", "type"], value.unwrap_or_default());
    }
    Ok(service)
}

fn pairs(option: &str, words: &[String]) -> Result<Map<String, Value>> {
    let pair = |word: &String| {
        let (key, value) = word.split_once('=').ok_or_else(|| anyhow!("{option} {word}: write KEY=VALUE"))?;
        Ok((key.to_owned(), json!(value)))
    };
    words.iter().map(pair).collect()
}

fn selector(row: &Resource, object: &Object) -> Result<Map<String, Value>> {
    let found = match row.kind {
        "Pod" => object.get(&["metadata", "labels"]),
        "Service" | "ReplicationController" => object.get(&["spec", "selector"]),
        "Deployment" | "ReplicaSet" => {
            if object.get(&["spec", "selector", "matchExpressions"]).is_some() {
                bail!("couldn't convert expressions of the selector to a map: write the Service by hand");
            }
            object.get(&["spec", "selector", "matchLabels"])
        }
        _ => bail!("cannot expose a {}: expose deployments, replicasets, pods or services", row.kind),
    };
    let found = found.and_then(Value::as_object).filter(|labels| !labels.is_empty());
    found
        .cloned()
        .ok_or_else(|| anyhow!("{} has no labels by which its pods could be selected", object.name()))
}

fn declared(row: &Resource, object: &Object) -> Vec<i64> {
    if row.kind == "Service" {
        let ports = object.get(&["spec", "ports"]).and_then(Value::as_array).into_iter().flatten();
        return ports.filter_map(|port| port.get("port")?.as_i64()).collect();
    }
    let path: &[&str] = if row.kind == "Pod" { &["spec"] } else { &["spec", "template", "spec"] };
    let containers = object.get(path).and_then(|spec| spec.get("containers")?.as_array());
    let ports = containers.into_iter().flatten().filter_map(|container| container.get("ports")?.as_array());
    ports.flatten().filter_map(|port| port.get("containerPort")?.as_i64()).collect()
}
