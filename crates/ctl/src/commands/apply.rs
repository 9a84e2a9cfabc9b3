//! `apply`: makes the cluster's objects be as manifests say. Every document is tried and
//! told of; one that fails fails the command, and stops no other.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use xebec_api::metadata::MAX_ANNOTATIONS_BYTES;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::{ApiError, Reason};

use crate::dry_run::DryRun;
use crate::manifest::{self, Files};
use crate::only::{OnlyArgs, Printed};
use crate::output::Out;
use crate::session::{Session, reference};
use crate::{advice, merge};

/// How often a change is made anew because somebody else was faster.
const MOST_CONFLICTS: usize = 5;

/// What to apply.
#[derive(Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) files: Files,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

/// What became of one document.
enum Applied {
    Created,
    Configured,
    Unchanged,
}

impl Applied {
    fn word(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Applies every document.
pub(crate) async fn run(session: &Session, args: &ApplyArgs, out: &mut Out) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let mut printed = Printed::default();
    let session = &args.only.dry_run.session(session);
    for document in manifest::read(session, &args.files)? {
        let outcome = match document {
            Ok((row, object)) => {
                let applied = one(session, args.only.dry_run, row, &object).await;
                applied.map(|applied| (row, applied)).map_err(|error| explain(row, &object, &error))
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok((row, (object, applied))) => printed.one(&args.only, row, object, applied.word(), out)?,
            Err(error) => {
                out.error(&error);
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// An error of one document, with the document's name where it does not stand in it.
pub(crate) fn explain(row: &Resource, object: &Object, error: &ApiError) -> String {
    let next = advice::next(error).map(|next| format!("; {next}")).unwrap_or_default();
    format!("{}: {error}{next}", reference(row, object.name()))
}

async fn one(
    session: &Session,
    dry_run: DryRun,
    row: &'static Resource,
    manifest: &Object,
) -> Result<(Object, Applied), ApiError> {
    if manifest.name().is_empty() {
        return Err(ApiError::new(
            Reason::BadRequest,
            "metadata.name: missing: `xctl create` takes generateName",
        ));
    }
    let manifest = &encoded(row, manifest);
    let bytes = manifest.to_json().len();
    if bytes > MAX_ANNOTATIONS_BYTES {
        let why = format!(
            "the manifest has {bytes} bytes, more than the {MAX_ANNOTATIONS_BYTES} that `xctl apply` can keep \
             in an annotation for the next time: use `xctl create -f`"
        );
        return Err(ApiError::new(Reason::Invalid, why));
    }
    let mut conflicts = 0;
    loop {
        let outcome = match session.client.find(row, manifest.namespace(), manifest.name()).await? {
            None if dry_run.is_client() => Ok((manifest.clone(), Applied::Created)),
            None => {
                let made = session.client.create(row, &merge::with_annotation(manifest)).await;
                made.map(|made| (made, Applied::Created))
            }
            Some(live) => change(session, dry_run, row, manifest, &live).await,
        };
        match outcome {
            Err(error)
                if matches!(error.reason, Reason::Conflict | Reason::AlreadyExists)
                    && conflicts < MOST_CONFLICTS =>
            {
                conflicts += 1;
            }
            outcome => return outcome,
        }
    }
}

async fn change(
    session: &Session,
    dry_run: DryRun,
    row: &'static Resource,
    manifest: &Object,
    live: &Object,
) -> Result<(Object, Applied), ApiError> {
    let wanted = merge::apply(manifest, live);
    if wanted == *live {
        return Ok((wanted, Applied::Unchanged));
    }
    if dry_run.is_client() {
        return Ok((wanted, Applied::Configured));
    }
    let now = session.client.update(row, &wanted).await?;
    let same = now.resource_version() == live.resource_version();
    Ok((now, if same { Applied::Unchanged } else { Applied::Configured }))
}

/// A Secret's `stringData` as the server keeps it, so that what is unchanged looks unchanged.
fn encoded(row: &Resource, manifest: &Object) -> Object {
    use base64::Engine as _;
    let mut manifest = manifest.clone();
    if row.kind != "Secret" || !row.group.is_empty() {
        return manifest;
    }
    if let Some(serde_json::Value::Object(texts)) = manifest.remove(&["stringData"]) {
        for (key, value) in texts {
            let value = match value {
                serde_json::Value::String(text) => {
                    base64::engine::general_purpose::STANDARD.encode(text).into()
                }
                // No text: the server says so, by the field's name.
                other => other,
            };
            manifest.set(&["data", &key], value);
        }
    }
    manifest
}
