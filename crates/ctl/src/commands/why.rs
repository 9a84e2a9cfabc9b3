//! `why`: says in one paragraph why a thing is not what its user wants. The answer is
//! [`crate::why`]'s; here its facts are gathered and it is printed.

mod gather;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;
use xebec_api::resource::Resource;
use xebec_client::{ApiError, Reason};

use crate::asked;
use crate::commands::get::{Format, print_value};
use crate::output::Out;
use crate::printable::printable;
use crate::session::Session;
use crate::why::{self, Explanation, Facts};

/// What to explain.
#[derive(Args)]
pub(crate) struct WhyArgs {
    /// TYPE/NAME or TYPE NAME, such as pod/web or service web
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// For programs: {subject, healthy, reasons, fixes}
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Form>,
}

/// The forms of `-o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// As JSON
    Json,
    /// As YAML
    Yaml,
}

impl From<Form> for Format {
    fn from(form: Form) -> Self {
        match form {
            Form::Json => Self::Json,
            Form::Yaml => Self::Yaml,
        }
    }
}

/// Explains each.
pub(crate) async fn run(session: &Session, args: &WhyArgs, out: &mut Out) -> Result<ExitCode> {
    let mut answers = Vec::new();
    for (row, name) in asked::parse_named(&args.words)? {
        answers.push(one(session, row, &name).await?);
    }
    let Some(form) = args.output else {
        for answer in &answers {
            out.line(printable(&answer.paragraph()))?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let mut values: Vec<Value> = answers.iter().map(Explanation::to_json).collect();
    let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
    print_value(&value, Some(form.into()), out)?;
    Ok(ExitCode::SUCCESS)
}

async fn one(session: &Session, row: &'static Resource, name: &str) -> Result<Explanation> {
    let namespace = session.namespace_of(row);
    let object = match session.client.get(row, namespace, name).await {
        Ok(object) => object,
        Err(error) if error.reason == Reason::NotFound => return absent(session, row, name, error).await,
        Err(error) => return Err(error.into()),
    };
    let mut facts = Facts::new((session.now)());
    gather::around(session, &object, &mut facts).await?;
    let answer = why::explain(&facts, &object);
    let Some(wanted) = answer.wanted_log.clone() else { return Ok(answer) };
    // A node that cannot be asked leaves the answer as good as it was.
    let Ok(lines) = gather::last_lines(session, &wanted).await else { return Ok(answer) };
    facts.hear(wanted, lines);
    Ok(why::explain(&facts, &object))
}

async fn absent(
    session: &Session,
    row: &'static Resource,
    name: &str,
    error: ApiError,
) -> Result<Explanation> {
    let mut facts = Facts::new((session.now)());
    let namespace = session.namespace_of(row);
    gather::neighbours(session, row, namespace, &mut facts).await?;
    let hints = why::absent(&facts, row.kind, namespace, name);
    if hints.is_empty() {
        return Err(error.into());
    }
    bail!("{error}. {}", hints.join(" "))
}
