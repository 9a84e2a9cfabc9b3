//! `create`: makes objects that are not there yet, from manifests or from the command line.

mod binding;
mod budget;
mod data;
mod deployment;
mod ingress;
mod job;
mod priority;
mod quota;
mod role;
mod secret;
mod service;
mod token;

use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use xebec_api::object::Object;
use xebec_api::table;

use crate::commands::apply::explain;
use crate::manifest::{self, Files};
use crate::only::{OnlyArgs, Printed};
use crate::output::Out;
use crate::session::Session;
use binding::BindingArgs;
use budget::BudgetArgs;
use data::DataArgs;
use deployment::DeploymentArgs;
use ingress::IngressArgs;
use job::{CronJobArgs, JobArgs};
use priority::PriorityArgs;
use quota::QuotaArgs;
use role::RoleArgs;
use secret::SecretKind;
use service::ServiceKind;
use token::TokenArgs;

/// What to create.
#[derive(Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) files: Files,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
    #[command(subcommand)]
    pub(crate) kind: Option<Kind>,
}

#[derive(Subcommand)]
pub(crate) enum Kind {
    /// A ConfigMap
    #[command(visible_alias = "cm")]
    Configmap(DataArgs),
    /// A Secret
    #[command(subcommand)]
    Secret(SecretKind),
    /// A Namespace
    #[command(visible_alias = "ns")]
    Namespace(NameArgs),
    /// A Deployment of one container
    #[command(visible_alias = "deploy")]
    Deployment(DeploymentArgs),
    /// A Job of one container
    Job(JobArgs),
    /// A CronJob of one container
    #[command(visible_alias = "cj")]
    Cronjob(CronJobArgs),
    /// An Ingress
    #[command(visible_alias = "ing")]
    Ingress(IngressArgs),
    /// How many of some pods must stay at once
    #[command(visible_alias = "pdb")]
    Poddisruptionbudget(BudgetArgs),
    /// How much a namespace may take
    #[command(visible_alias = "resourcequota")]
    Quota(QuotaArgs),
    /// Who goes before whom
    #[command(visible_alias = "pc")]
    Priorityclass(PriorityArgs),
    /// A token of a ServiceAccount, which is printed and not kept
    Token(TokenArgs),
    /// A Service for what has the label app=NAME
    #[command(subcommand, visible_alias = "svc")]
    Service(ServiceKind),
    /// A ServiceAccount
    #[command(visible_alias = "sa")]
    Serviceaccount(NameArgs),
    /// What may be done in one namespace
    Role(RoleArgs),
    /// What may be done in the whole cluster
    Clusterrole(RoleArgs),
    /// Who has a role in one namespace
    Rolebinding(BindingArgs),
    /// Who has a role in the whole cluster
    Clusterrolebinding(BindingArgs),
}

#[derive(Args)]
pub(crate) struct NameArgs {
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

/// Creates each of them.
pub(crate) async fn run(session: &Session, args: &CreateArgs, out: &mut Out) -> Result<ExitCode> {
    let Some(kind) = &args.kind else {
        if args.files.is_empty() {
            bail!("say what to create: -f FILE, or a kind: `xctl create --help` lists them");
        }
        return from_files(session, args, out).await;
    };
    if !args.files.is_empty() {
        bail!("give files, or a kind and its name, not both");
    }
    if let Kind::Token(args) = kind {
        return token::run(session, args, out).await;
    }
    let (mut object, only) = made(session, kind).await?;
    // They may stand before the kind, too.
    let only = &args.only.or(*only);
    let row = table::by_kind(object.api_version(), object.kind())
        .ok_or_else(|| anyhow!("the resource table lacks a row"))?;
    only.dry_run.settle_namespace(session, row, &mut object);
    if !only.dry_run.is_client() {
        object = only.dry_run.session(session).client.create(row, &object).await?;
    }
    Printed::default().one(only, row, object, "created", out)?;
    Ok(ExitCode::SUCCESS)
}

/// The object as the arguments say it, without a namespace.
async fn made<'a>(session: &Session, kind: &'a Kind) -> Result<(Object, &'a OnlyArgs)> {
    Ok(match kind {
        Kind::Namespace(args) => (shell("v1", "Namespace", &args.name), &args.only),
        Kind::Serviceaccount(args) => (shell("v1", "ServiceAccount", &args.name), &args.only),
        Kind::Configmap(args) => (data::config_map(args)?, &args.only),
        Kind::Secret(kind) => secret::made(kind)?,
        Kind::Deployment(args) => (deployment::made(args), &args.only),
        Kind::Job(args) => (job::job(session, args).await?, &args.only),
        Kind::Cronjob(args) => (job::cron_job(args), &args.only),
        Kind::Ingress(args) => (ingress::made(args)?, &args.only),
        Kind::Poddisruptionbudget(args) => (budget::made(args)?, &args.only),
        Kind::Quota(args) => (quota::made(args)?, &args.only),
        Kind::Priorityclass(args) => (priority::made(args), &args.only),
        Kind::Token(_) => bail!("a token is no object: it is made apart"),
        Kind::Service(kind) => service::made(kind)?,
        Kind::Role(args) => (role::made("Role", args)?, &args.only),
        Kind::Clusterrole(args) => (role::made("ClusterRole", args)?, &args.only),
        Kind::Rolebinding(args) => (binding::made(session, "RoleBinding", args)?, &args.only),
        Kind::Clusterrolebinding(args) => (binding::made(session, "ClusterRoleBinding", args)?, &args.only),
    })
}

async fn from_files(session: &Session, args: &CreateArgs, out: &mut Out) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let mut printed = Printed::default();
    let dry_run = args.only.dry_run;
    let session = &dry_run.session(session);
    for document in manifest::read(session, &args.files)? {
        let outcome = match document {
            Ok((row, object)) if dry_run.is_client() => Ok((row, object)),
            Ok((row, object)) => {
                let made = session.client.create(row, &object).await;
                made.map(|made| (row, made)).map_err(|error| explain(row, &object, &error))
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok((row, object)) => printed.one(&args.only, row, object, "created", out)?,
            Err(error) => {
                out.error(&error);
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn shell(api_version: &str, kind: &str, name: &str) -> Object {
    let mut object = Object::default();
    object.set(&["apiVersion"], api_version);
    object.set(&["kind"], kind);
    object.set(&["metadata"], json!({"name": name}));
    object
}
