//! `get -w`: the objects, then one row for each change, until it is interrupted. Where changes
//! come faster than they are shown, some are left out, but never how an object was last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Result, bail};
use tokio::sync::broadcast::error::RecvError;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::{Cache, Change, ListParams, Selection};

use super::print::{cells, column_cells, headers, headings, whole};
use super::{Format, GetArgs, View, print_value};
use crate::asked::Asked;
use crate::output::Out;
use crate::session::{Session, reference};
use crate::table::Table;

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
    let (cache, _) = Cache::start(session.client.clone(), selection);
    cache.synced().await;
    let (mut seen, mut shown) = (Seen::default(), Shown::default());
    // Nothing is awaited between this and the list: every change is in one of them, none in both.
    let mut changes = cache.changes();
    let first = seen.catch_up(&cache.list());
    if !args.watch_only {
        shown.print(session, args, asked.row, &first, out)?;
    }
    loop {
        let objects: Vec<Object> = match changes.recv().await {
            Ok(change) => seen.take(change).into_iter().collect(),
            Err(RecvError::Lagged(_)) => {
                changes = cache.changes();
                seen.catch_up(&cache.list())
            }
            Err(RecvError::Closed) => return Ok(()),
        };
        if !objects.is_empty() {
            shown.print(session, args, asked.row, &objects, out)?;
        }
    }
}

/// What was shown and is still there, by uid, each as it was last.
#[derive(Default)]
struct Seen(BTreeMap<String, Arc<Object>>);

impl Seen {
    /// What a change has to show; nothing where that was shown already.
    fn take(&mut self, change: Change) -> Option<Object> {
        let object = match change {
            Change::Applied(object) => {
                let before = self.0.insert(object.uid().to_owned(), Arc::clone(&object));
                if before.is_some_and(|before| before.resource_version() == object.resource_version()) {
                    return None;
                }
                object
            }
            // What was found gone by a list comes in the version that was shown already.
            Change::Deleted(object) => {
                self.0.remove(object.uid())?;
                object
            }
        };
        Some(object.as_ref().clone())
    }

    /// What differs between what was shown and all that there is now: first what is gone.
    fn catch_up(&mut self, now: &[Arc<Object>]) -> Vec<Object> {
        let there: BTreeSet<&str> = now.iter().map(|object| object.uid()).collect();
        let gone: Vec<Arc<Object>> =
            self.0.values().filter(|object| !there.contains(object.uid())).cloned().collect();
        let gone = gone.into_iter().map(Change::Deleted);
        let changes = gone.chain(now.iter().cloned().map(Change::Applied));
        changes.filter_map(|change| self.take(change)).collect()
    }
}

/// What is on the screen already.
#[derive(Default)]
struct Shown {
    table: Table,
    is_headed: bool,
}

impl Shown {
    /// Shows objects as they are now, those that were shown before too.
    fn print(
        &mut self,
        session: &Session,
        args: &GetArgs,
        row: &Resource,
        objects: &[Object],
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
            Some(View::JsonPathAsJson(_)) => {
                bail!("jsonpath-as-json cannot be followed with -w: use -o jsonpath")
            }
            Some(View::Columns(columns)) => {
                let rows = objects.iter().map(|object| column_cells(columns, &value(object))).collect();
                let headings = headings(columns);
                self.rows(if args.no_headers { &[] } else { &headings }, rows, out)?;
            }
            Some(View::Wide) | None => {
                let headers = headers(args, row);
                let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
                let mut rows: Vec<Vec<String>> =
                    objects.iter().map(|object| cells(session, args, row, object)).collect();
                if args.show_kind {
                    let name = usize::from(args.all_namespaces && row.namespaced);
                    for (cells, object) in rows.iter_mut().zip(objects) {
                        cells[name] = reference(row, object.name());
                    }
                }
                self.rows(&headers, rows, out)?;
            }
        }
        Ok(out.raw(b"")?)
    }

    /// Rows under those that are there; the headings come with the first.
    fn rows(&mut self, headers: &[&str], rows: Vec<Vec<String>>, out: &mut Out) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let skipped = usize::from(self.is_headed && !headers.is_empty());
        self.is_headed = true;
        for line in self.table.lines(headers, &rows).into_iter().skip(skipped) {
            out.line(line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, version: u64) -> Arc<Object> {
        let value = json!({"metadata": {"name": name, "uid": name, "resourceVersion": version.to_string()}});
        Arc::new(Object::from_json(value.to_string().as_bytes()).expect("an object"))
    }

    fn told(objects: impl IntoIterator<Item = Object>) -> Vec<String> {
        let objects = objects.into_iter();
        objects.map(|object| format!("{}@{}", object.name(), object.resource_version())).collect()
    }

    #[test]
    fn every_change_is_shown_once() {
        let mut seen = Seen::default();
        assert_eq!(told(seen.catch_up(&[object("a", 1), object("b", 2)])), ["a@1", "b@2"]);
        assert_eq!(told(seen.take(Change::Applied(object("a", 1)))), [""; 0]);
        assert_eq!(told(seen.take(Change::Applied(object("a", 3)))), ["a@3"]);
        assert_eq!(told(seen.take(Change::Deleted(object("b", 4)))), ["b@4"]);
        assert_eq!(told(seen.take(Change::Deleted(object("b", 4)))), [""; 0]);
        // As a list finds it gone: in the version that was shown.
        assert_eq!(told(seen.take(Change::Deleted(object("a", 3)))), ["a@3"]);
    }

    #[test]
    fn after_a_lag_all_that_differs_is_shown_also_what_is_gone() {
        let mut seen = Seen::default();
        seen.catch_up(&[object("a", 1), object("b", 2), object("c", 3)]);
        let now = [object("b", 2), object("c", 5), object("d", 6)];
        assert_eq!(told(seen.catch_up(&now)), ["a@1", "c@5", "d@6"]);
        assert_eq!(told(seen.catch_up(&now)), [""; 0]);
    }
}
