//! `get -w`: the objects, then one row for each change, until it is interrupted.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use tokio::sync::broadcast::error::RecvError;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::{Cache, Change, ListParams, Selection};

use super::print::{cells, headers, whole};
use super::{Format, GetArgs, View, print_value};
use crate::asked::Asked;
use crate::output::Out;
use crate::session::{Session, reference};
use crate::table;

/// Shows the objects, then one row for each change, until it is interrupted.
pub(super) async fn run(session: &Session, args: &GetArgs, asked: &Asked, out: &mut Out) -> Result<()> {
    let field_selector = match asked.names.as_slice() {
        [] => args.field_selector.clone(),
        [name] => format!("metadata.name={name}"),
        _ => bail!("-w follows one name or all: name one"),
    };
    let namespace = super::namespace(session, args, asked.row);
    let params = ListParams { label_selector: args.selector.clone(), field_selector: field_selector.clone() };
    // Errors that waiting does not mend are told at once; the cache would only wait.
    session.client.list(asked.row, namespace, &params).await?;
    let selection = Selection {
        resource: asked.row.into(),
        namespace: namespace.to_owned(),
        label_selector: args.selector.clone(),
        field_selector,
    };
    let (cache, mut changes) = Cache::start(session.client.clone(), selection);
    cache.synced().await;
    let mut seen = BTreeMap::new();
    let first: Vec<Object> = cache.list().iter().map(|object| object.as_ref().clone()).collect();
    for object in &first {
        seen.insert(object.uid().to_owned(), object.resource_version().to_owned());
    }
    print_watched(session, args, asked.row, &first, true, out)?;
    loop {
        let object = match changes.recv().await {
            Ok(Change::Applied(object) | Change::Deleted(object)) => object,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return Ok(()),
        };
        let version = object.resource_version().to_owned();
        if seen.insert(object.uid().to_owned(), version.clone()) == Some(version) {
            continue;
        }
        print_watched(session, args, asked.row, std::slice::from_ref(object.as_ref()), false, out)?;
    }
}

fn print_watched(
    session: &Session,
    args: &GetArgs,
    row: &Resource,
    objects: &[Object],
    first: bool,
    out: &mut Out,
) -> Result<()> {
    let value = |object: &Object| whole(row, object.clone());
    match &args.output {
        Some(View::Json) => {
            for object in objects {
                print_value(&value(object), Some(Format::Json), out)?;
            }
        }
        Some(View::Yaml) => {
            for object in objects {
                out.line("---")?;
                print_value(&value(object), Some(Format::Yaml), out)?;
            }
        }
        Some(View::Name) => {
            for object in objects {
                out.line(reference(row, object.name()))?;
            }
        }
        Some(View::JsonPath(template)) => {
            for object in objects {
                out.raw(template.print(&value(object)).as_bytes())?;
            }
        }
        Some(View::Columns(_)) => bail!("custom-columns cannot be followed with -w: use -o jsonpath"),
        Some(View::Wide) | None => {
            // Later rows keep at least the headings' widths.
            let headers = headers(args, row);
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            let rows: Vec<Vec<String>> =
                objects.iter().map(|object| cells(session, args, row, object)).collect();
            let lines = table::lines(&headers, &rows);
            let skip = usize::from(!first && !headers.is_empty());
            for line in lines.into_iter().skip(skip) {
                out.line(line)?;
            }
        }
    }
    Ok(out.raw(b"")?)
}
