//! JSONPath as kubectl understands it: a path into an object, such as `.spec.ports[0].port`,
//! `.items[*].metadata.name`, `..image` or `.conditions[?(@.type=="Ready")].status`. What a
//! path does not find is nothing, and no error.

mod parse;
mod template;

pub(crate) use template::Template;

use serde_json::Value;

/// One path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path(Vec<Step>);

/// What one part of a path goes on to.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// The entry of this name.
    Key(String),
    /// The item at this place, from the end where it is below zero.
    Index(i64),
    /// The items from one place to before another.
    Slice(Option<i64>, Option<i64>),
    /// Every item or entry.
    All,
    /// This and everything below it.
    Descend,
    /// What any of these goes on to.
    Union(Vec<Step>),
    /// The items of which this holds.
    Filter(Filter),
}

/// `@.type == "Ready"`, or only that there is something.
#[derive(Clone, Debug, PartialEq)]
struct Filter {
    path: Path,
    test: Option<(Comparison, Value)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Path {
    /// Reads a path, with or without braces around it and a point before it.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        parse::relaxed(text)
    }

    /// Everything that it leads to.
    pub(crate) fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let first = vec![value];
        self.0.iter().fold(first, |found, step| found.into_iter().flat_map(|it| step.follow(it)).collect())
    }

    /// What it leads to as text: several results with spaces between.
    pub(crate) fn text(&self, value: &Value) -> String {
        let found: Vec<String> = self.find(value).into_iter().map(scalar).collect();
        found.join(" ")
    }
}

/// A text as it is, anything else as JSON.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

impl Step {
    fn follow<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Key(name) => value.get(name).into_iter().collect(),
            Self::Index(index) => at(value, *index).into_iter().collect(),
            Self::Slice(from, to) => slice(value, *from, *to),
            Self::All => children(value),
            Self::Descend => descendants(value),
            Self::Union(steps) => steps.iter().flat_map(|step| step.follow(value)).collect(),
            Self::Filter(filter) => children(value).into_iter().filter(|item| filter.holds(item)).collect(),
        }
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(entries) => entries.values().collect(),
        _ => Vec::new(),
    }
}

fn descendants(value: &Value) -> Vec<&Value> {
    let mut all = vec![value];
    for child in children(value) {
        all.extend(descendants(child));
    }
    all
}

fn at(value: &Value, index: i64) -> Option<&Value> {
    let items = value.as_array()?;
    items.get(place(index, items.len())?)
}

/// A place counted from the end where it is below zero; `None` before the first.
fn place(index: i64, length: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

fn slice(value: &Value, from: Option<i64>, to: Option<i64>) -> Vec<&Value> {
    let Some(items) = value.as_array() else { return Vec::new() };
    let bound = |index: Option<i64>, otherwise: usize| {
        index.map_or(otherwise, |it| place(it, items.len()).unwrap_or_default())
    };
    let to = bound(to, items.len()).min(items.len());
    items.get(bound(from, 0)..to).into_iter().flatten().collect()
}

impl Filter {
    fn holds(&self, item: &Value) -> bool {
        let found = self.path.find(item);
        let Some((comparison, wanted)) = &self.test else { return !found.is_empty() };
        found.into_iter().any(|value| comparison.holds(value, wanted))
    }
}

impl Comparison {
    fn holds(self, value: &Value, wanted: &Value) -> bool {
        let order = match (value.as_f64(), wanted.as_f64()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => Some(scalar(value).cmp(&scalar(wanted))),
        };
        match self {
            Self::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
            Self::NotEqual => order.is_none_or(std::cmp::Ordering::is_ne),
            Self::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
            Self::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
        }
    }
}

#[cfg(test)]
mod tests;
