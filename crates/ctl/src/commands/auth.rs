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
    /// Such as get, list, watch, create, update, patch, delete, or * for all
    #[arg(required_unless_present = "list")]
    pub(crate) verb: Option<String>,
    /// TYPE, TYPE/NAME, a path such as /metrics, or * for all
    #[arg(required_unless_present = "list")]
    pub(crate) what: Option<String>,
    /// A part of the objects, such as log or scale
    #[arg(long, default_value = "")]
    pub(crate) subresource: String,
    /// Somebody else, such as system:serviceaccount:default:web
    #[arg(long, value_name = "USER")]
    pub(crate) r#as: Option<String>,
    /// In these groups, too
    #[arg(long, value_name = "GROUP")]
    pub(crate) as_group: Vec<String>,
    /// Show all that you may do in the namespace
    #[arg(long, conflicts_with_all = ["verb", "what", "as", "as_group"])]
    pub(crate) list: bool,
    /// Leave the headings of --list out
    #[arg(long)]
    pub(crate) no_headers: bool,
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
    let (Some(verb), Some(what)) = (&args.verb, &args.what) else {
        return list(session, args.no_headers, out).await;
    };
    let mut spec = question(session, args, verb, what)?;
    let mut review = "selfsubjectaccessreviews";
    if args.r#as.is_some() || !args.as_group.is_empty() {
        review = "subjectaccessreviews";
        spec["user"] = args.r#as.clone().unwrap_or_default().into();
        spec["groups"] = groups(args).into();
    }
    let answer = ask(session, "authorization.k8s.io", review, spec).await?;
    let allowed = answer.get(&["status", "allowed"]) == Some(&Value::Bool(true));
    if !args.quiet {
        out.line(if allowed { "yes" } else { "no" })?;
    }
    Ok(if allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn question(session: &Session, args: &CanIArgs, verb: &str, what: &str) -> Result<Value> {
    if what.starts_with('/') {
        return Ok(json!({"nonResourceAttributes": {"verb": verb, "path": what}}));
    }
    let (kind, name) = what.split_once('/').unwrap_or((what, ""));
    let (group, resource, namespace) = if kind == "*" {
        ("*", "*", session.namespace.as_str())
    } else {
        let row = asked::row(kind)?;
        (row.group, row.plural, session.namespace_of(row))
    };
    let namespace = if args.all_namespaces { "" } else { namespace };
    Ok(json!({"resourceAttributes": {
        "verb": verb, "group": group, "resource": resource, "subresource": args.subresource,
        "namespace": namespace, "name": name,
    }}))
}

/// The groups that somebody is in who has proved to be this user.
fn groups(args: &CanIArgs) -> Vec<String> {
    let mut groups = args.as_group.clone();
    let account = args.r#as.as_deref().and_then(|user| user.strip_prefix("system:serviceaccount:"));
    if let Some((namespace, _)) = account.and_then(|account| account.split_once(':'))
        && groups.is_empty()
    {
        groups.push("system:serviceaccounts".to_owned());
        groups.push(format!("system:serviceaccounts:{namespace}"));
    }
    groups.push("system:authenticated".to_owned());
    groups
}

async fn list(session: &Session, no_headers: bool, out: &mut Out) -> Result<ExitCode> {
    let spec = json!({"namespace": session.namespace});
    let answer = ask(session, "authorization.k8s.io", "selfsubjectrulesreviews", spec).await?;
    let status = answer.get(&["status"]).unwrap_or(&Value::Null);
    if status["incomplete"] == true {
        let why = status["evaluationError"].as_str().unwrap_or("the server does not know all of them");
        out.note(format!("warning: the list may be incomplete: {why}"))?;
    }
    let headers = ["Resources", "Non-Resource URLs", "Resource Names", "Verbs"];
    for line in table::lines(if no_headers { &[] } else { &headers }, &rules(status)) {
        out.line(line)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A row for each kind and each set of paths.
fn rules(status: &Value) -> Vec<Vec<String>> {
    let texts = |rule: &Value, field: &str| {
        let list = rule[field].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<String>>()
    };
    let shown = |rule: &Value, field: &str| format!("[{}]", texts(rule, field).join(" "));
    let mut rows = Vec::new();
    for rule in status["resourceRules"].as_array().into_iter().flatten() {
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                let dot = if group.is_empty() { "" } else { "." };
                let kind = format!("{resource}{dot}{group}");
                rows.push(vec![kind, "[]".to_owned(), shown(rule, "resourceNames"), shown(rule, "verbs")]);
            }
        }
    }
    for rule in status["nonResourceRules"].as_array().into_iter().flatten() {
        let urls = shown(rule, "nonResourceURLs");
        rows.push(vec![String::new(), urls, "[]".to_owned(), shown(rule, "verbs")]);
    }
    rows.dedup();
    rows
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_done_is_shown_by_kind_and_path() {
        let status = json!({
            "resourceRules": [
                {"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["get", "list"]},
                {"apiGroups": [""], "resources": ["pods/log"], "resourceNames": ["web"], "verbs": ["get"]},
            ],
            "nonResourceRules": [{"nonResourceURLs": ["/healthz", "/livez"], "verbs": ["get"]}],
        });
        let rows: Vec<String> = rules(&status).iter().map(|row| row.join("|")).collect();
        assert_eq!(
            rows,
            [
                "*|[]|[]|[get list]",
                "*.apps|[]|[]|[get list]",
                "pods/log|[]|[web]|[get]",
                "|[/healthz /livez]|[]|[get]",
            ]
        );
    }
}
