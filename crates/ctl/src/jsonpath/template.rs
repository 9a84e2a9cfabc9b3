//! `-o jsonpath=…`: text with paths in braces, and `{range PATH}…{end}` around what is
//! printed once for each result.

use serde_json::Value;

use super::{Path, parse, scalar};

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Path(Path),
    Range(Path, Vec<Part>),
}

impl Template {
    /// Reads one. A text without braces is a path.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if !text.contains('{') {
            return Ok(Self(vec![Part::Path(parse::relaxed(text)?)]));
        }
        let mut open: Vec<(Path, Vec<Part>)> = Vec::new();
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, inner, after)) = next_block(rest)? {
            parts.extend((!before.is_empty()).then(|| Part::Text(before.to_owned())));
            let inner = inner.trim();
            if let Some(path) = inner.strip_prefix("range ") {
                open.push((parse::relaxed(path)?, std::mem::take(&mut parts)));
            } else if inner == "end" {
                let (path, outer) = open.pop().ok_or("{end} without a {range PATH} before it")?;
                let within = std::mem::replace(&mut parts, outer);
                parts.push(Part::Range(path, within));
            } else {
                parts.push(part(inner)?);
            }
            rest = after;
        }
        parts.extend((!rest.is_empty()).then(|| Part::Text(rest.to_owned())));
        if open.is_empty() { Ok(Self(parts)) } else { Err("{range PATH} without an {end}".to_owned()) }
    }

    /// The text for one object.
    pub(crate) fn print(&self, value: &Value) -> String {
        print(&self.0, value)
    }
}

fn print(parts: &[Part], value: &Value) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(own) => text.push_str(own),
            Part::Path(path) => {
                let found: Vec<String> = path.find(value).into_iter().map(scalar).collect();
                text.push_str(&found.join(" "));
            }
            Part::Range(path, within) => {
                path.find(value).into_iter().for_each(|item| text.push_str(&print(within, item)));
            }
        }
    }
    text
}

/// The next block: what stands before it, in it and behind it.
fn next_block(text: &str) -> Result<Option<(&str, &str, &str)>, String> {
    let Some((before, rest)) = text.split_once('{') else { return Ok(None) };
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') => return Ok(Some((before, &rest[..at], &rest[at + 1..]))),
            (None, _) => {}
        }
    }
    Err(format!("{text:?}: a brace is not closed"))
}

/// A quoted text, or a path.
fn part(inner: &str) -> Result<Part, String> {
    for quote in ['"', '\''] {
        if let Some(text) = inner.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return Ok(Part::Text(unescaped(text)));
        }
    }
    Ok(Part::Path(parse::relaxed(inner)?))
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, c == '\\') {
            (_, true) => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some('r') => plain.push('\r'),
                other => plain.extend(other),
            },
            (c, false) => plain.push(c),
        }
    }
    plain
}
