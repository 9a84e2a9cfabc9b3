//! `replace`: objects become wholly what manifests say.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::{ApiError, DeleteParams, Reason};

use crate::commands::apply::explain;
use crate::commands::delete::until_gone;
use crate::dry_run::DryRun;
use crate::manifest::{self, Files};
use crate::output::Out;
use crate::session::{Session, reference};

/// What to replace.
#[derive(Args)]
pub(crate) struct ReplaceArgs {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Delete and create anew, where a field cannot be changed
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Replaces each.
pub(crate) async fn run(session: &Session, args: &ReplaceArgs, out: &mut Out) -> Result<ExitCode> {
    let session = &args.dry_run.session(session);
    let mut code = ExitCode::SUCCESS;
    for document in manifest::read(session, &args.files)? {
        let outcome = match document {
            Ok((row, object)) => {
                let outcome = one(session, args, row, object.clone()).await;
                outcome.map(|()| reference(row, object.name())).map_err(|error| explain(row, &object, &error))
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(name) => out.line(format!("{name} replaced{}", args.dry_run.mark()))?,
            Err(error) => {
                out.error(&error);
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

async fn one(
    session: &Session,
    args: &ReplaceArgs,
    row: &'static Resource,
    object: Object,
) -> Result<(), ApiError> {
    if args.dry_run.is_client() {
        return session.client.get(row, object.namespace(), object.name()).await.map(drop);
    }
    if !args.force {
        return session.client.update(row, &object).await.map(drop);
    }
    let (namespace, name) = (object.namespace(), object.name());
    match session.client.delete(row, namespace, name, &DeleteParams::default()).await {
        Ok(old) => until_gone(session, row, &old).await?,
        Err(error) if error.reason == Reason::NotFound => {}
        Err(error) => return Err(error),
    }
    session.client.create(row, &object).await.map(drop)
}
