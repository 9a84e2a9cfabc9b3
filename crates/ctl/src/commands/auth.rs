//! `auth`: who one is to the cluster, and what one may do there.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::table::find_review;

use crate::output::Out;
use crate::session::Session;
use crate::{asked, table};

#[derive(Subcommand)]
pub(crate) enum AuthCommand {
    /// Whether you may do something: auth can-i delete pods
    CanI(CanIArgs),
    /// Show who you are to the cluster
    Whoami,
}

#[derive(Args)]
pub(crate) struct CanIArgs {
    /// Such as get, list, watch, create, update, patch, delete
    pub(crate) verb: String,
    /// TYPE or TYPE/NAME
    pub(crate) what: String,
    /// A part of the objects, such as log or scale
    #[arg(long, default_value = "")]
    pub(crate) subresource: String,
    /// In every namespace
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Print nothing
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: &AuthCommand, out: &mut Out) -> Result<ExitCode> {
    match command {
        AuthCommand::CanI(args) => can_i(session, args, out).await,
        AuthCommand::Whoami => who_am_i(session, out).await,
    }
}

/// Asks by creating a review, which is answered and not kept.
async fn ask(session: &Session, group: &str, plural: &str, spec: Value) -> Result<Object> {
    let row = find_review(group, plural).ok_or_else(|| anyhow!("the resource table lacks {plural}"))?;
    let mut question = Object::default();
    question.set(&["apiVersion"], row.api_version());
    question.set(&["kind"], row.kind);
    question.set(&["metadata"], json!({}));
    if !spec.is_null() {
        question.set(&["spec"], spec);
    }
    Ok(session.client.create(row, &question).await?)
}

async fn can_i(session: &Session, args: &CanIArgs, out: &mut Out) -> Result<ExitCode> {
    let (kind, name) = args.what.split_once('/').unwrap_or((&args.what, ""));
    let row = asked::row(kind)?;
    let namespace = if args.all_namespaces { "" } else { session.namespace_of(row) };
    let attributes = json!({
        "verb": args.verb, "group": row.group, "resource": row.plural, "subresource": args.subresource,
        "namespace": namespace, "name": name,
    });
    let answer = ask(
        session,
        "authorization.k8s.io",
        "selfsubjectaccessreviews",
        json!({"resourceAttributes": attributes}),
    )
    .await?;
    let allowed = answer.get(&["status", "allowed"]) == Some(&Value::Bool(true));
    if !args.quiet {
        out.line(if allowed { "yes" } else { "no" })?;
    }
    Ok(if allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn who_am_i(session: &Session, out: &mut Out) -> Result<ExitCode> {
    let answer = ask(session, "authentication.k8s.io", "selfsubjectreviews", Value::Null).await?;
    let user =
        answer.get(&["status", "userInfo"]).ok_or_else(|| anyhow!("the server does not say who you are"))?;
    let groups = user.get("groups").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let groups = groups.collect::<Vec<_>>().join(" ");
    let name = user.get("username").and_then(Value::as_str).unwrap_or_default();
    let rows =
        [vec!["Username".to_owned(), name.to_owned()], vec!["Groups".to_owned(), format!("[{groups}]")]];
    for line in table::lines(&["ATTRIBUTE", "VALUE"], &rows) {
        out.line(line)?;
    }
    Ok(ExitCode::SUCCESS)
}
