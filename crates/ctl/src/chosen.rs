//! The objects that a command's words, its files, `-l` and `--all` choose.

use anyhow::{Result, anyhow, bail};
use clap::Args;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::ListParams;

use crate::asked;
use crate::manifest::{self, Files};
use crate::session::Session;

/// Beside names: by file, by label or field, or all.
#[derive(Args, Clone, Default)]
pub(crate) struct Choice {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Every object with these labels
    #[arg(short = 'l', long, default_value = "")]
    pub(crate) selector: String,
    /// Every object with these fields, such as status.phase=Failed
    #[arg(long, default_value = "")]
    pub(crate) field_selector: String,
    /// Every object of the kind in the namespace
    #[arg(long)]
    pub(crate) all: bool,
    /// Look in every namespace, with -l, --field-selector or --all
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
}

impl Choice {
    /// Objects are not chosen by their names.
    fn is_open(&self) -> bool {
        self.all || !self.selector.is_empty() || !self.field_selector.is_empty()
    }
}

/// An object by its kind, its namespace and its name.
pub(crate) type Target = (&'static Resource, String, String);

/// One that was named, or one that a list found.
enum Chosen {
    Named(Target),
    Found(&'static Resource, Object),
}

/// What is chosen, without a look at whether what is named is there. A document that cannot be
/// read stands for itself, as its error.
///
/// # Errors
/// Words that name no kind, names beside `-l` or `--all`, or neither.
pub(crate) async fn targets(
    session: &Session,
    words: &[String],
    choice: &Choice,
) -> Result<Vec<Result<Target, String>>> {
    let target = |chosen: Chosen| match chosen {
        Chosen::Named(target) => target,
        Chosen::Found(row, object) => target_of(row, &object),
    };
    let chosen = chosen(session, words, choice).await?;
    Ok(chosen.into_iter().map(|it| it.map(target)).collect())
}

/// Fetches each.
///
/// # Errors
/// As [`targets`]; and a document that cannot be read, or a name that is not there.
pub(crate) async fn objects(
    session: &Session,
    words: &[String],
    choice: &Choice,
) -> Result<Vec<(&'static Resource, Object)>> {
    let mut objects = Vec::new();
    for chosen in chosen(session, words, choice).await? {
        objects.push(match chosen.map_err(|error| anyhow!(error))? {
            Chosen::Found(row, object) => (row, object),
            Chosen::Named((row, namespace, name)) => (row, session.client.get(row, &namespace, &name).await?),
        });
    }
    Ok(objects)
}

async fn chosen(session: &Session, words: &[String], choice: &Choice) -> Result<Vec<Result<Chosen, String>>> {
    if !choice.files.is_empty() {
        let named = |(row, object): (&'static Resource, Object)| Chosen::Named(target_of(row, &object));
        let documents = manifest::read(session, &choice.files)?;
        return Ok(documents.into_iter().map(|document| document.map(named)).collect());
    }
    if choice.all_namespaces && !choice.is_open() {
        bail!("-A goes with -l, --field-selector or --all: names are of one namespace");
    }
    let mut chosen = Vec::new();
    for asked in asked::parse(words)? {
        let row = asked.row;
        match (asked.names.is_empty(), choice.is_open()) {
            (false, false) => {
                let namespace = session.namespace_of(row);
                let named = asked.names.into_iter().map(|name| (row, namespace.to_owned(), name));
                chosen.extend(named.map(|target| Ok(Chosen::Named(target))));
            }
            (true, true) => {
                let found = listed(session, row, choice).await?;
                chosen.extend(found.into_iter().map(|object| Ok(Chosen::Found(row, object))));
            }
            (true, false) => bail!("name the {}, or say -l SELECTOR or --all", row.plural),
            (false, true) => bail!("give names, or -l, --field-selector and --all, not both"),
        }
    }
    Ok(chosen)
}

fn target_of(row: &'static Resource, object: &Object) -> Target {
    (row, object.namespace().to_owned(), object.name().to_owned())
}

async fn listed(session: &Session, row: &'static Resource, choice: &Choice) -> Result<Vec<Object>> {
    let namespace = if choice.all_namespaces { "" } else { session.namespace_of(row) };
    let params =
        ListParams { label_selector: choice.selector.clone(), field_selector: choice.field_selector.clone() };
    Ok(session.client.list(row, namespace, &params).await?.items)
}
