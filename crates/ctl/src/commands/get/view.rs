//! The forms of `get -o`.

use std::str::FromStr;

use crate::jsonpath::{Path, Template};

/// How objects are shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum View {
    /// A table with more columns.
    Wide,
    /// Whole objects as JSON.
    Json,
    /// Whole objects as YAML.
    Yaml,
    /// TYPE/NAME only.
    Name,
    /// What paths lead to.
    JsonPath(Template),
    /// What a path leads to, as a list in JSON.
    JsonPathAsJson(Path),
    /// A table of columns of the user's own: their headings and paths.
    Columns(Vec<(String, Path)>),
}

/// What may be written.
const FORMS: &str =
    "wide, json, yaml, name, jsonpath='{.items[*].metadata.name}', custom-columns=NAME:.metadata.name";

impl FromStr for View {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (form, argument) = text.split_once('=').unwrap_or((text, ""));
        match (form, argument) {
            ("wide", "") => Ok(Self::Wide),
            ("json", "") => Ok(Self::Json),
            ("yaml", "") => Ok(Self::Yaml),
            ("name", "") => Ok(Self::Name),
            ("jsonpath" | "custom-columns", "") => Err(format!("write {form}=… with what to show: {FORMS}")),
            ("go-template" | "go-template-file" | "template" | "templatefile", _) => {
                Err("templates of Go are not read: -o jsonpath=… finds the same, and -o json is for jq"
                    .to_owned())
            }
            ("jsonpath", template) => Template::parse(template).map(Self::JsonPath),
            ("jsonpath-as-json", path) => Path::parse(path).map(Self::JsonPathAsJson),
            ("jsonpath-file", path) => Template::parse(read(path)?.trim_end()).map(Self::JsonPath),
            ("custom-columns-file", path) => columns_of_lines(&read(path)?).map(Self::Columns),
            ("custom-columns", columns) => {
                columns.split(',').map(column).collect::<Result<_, _>>().map(Self::Columns)
            }
            _ => Err(format!("the forms are {FORMS}")),
        }
    }
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

/// Headings in one line, and paths under them in the next.
fn columns_of_lines(text: &str) -> Result<Vec<(String, Path)>, String> {
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let (headings, paths) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    if headings.is_empty() || headings.len() != paths.len() {
        return Err("write headings in the first line, and as many paths in the second".to_owned());
    }
    let columns = headings.into_iter().zip(paths);
    columns.map(|(heading, path)| Ok((heading.to_owned(), Path::parse(path)?))).collect()
}

fn column(text: &str) -> Result<(String, Path), String> {
    let (heading, path) =
        text.split_once(':').ok_or_else(|| format!("{text:?}: write a column as HEADING:PATH"))?;
    Ok((heading.to_owned(), Path::parse(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_and_others_refused() {
        assert_eq!("wide".parse(), Ok(View::Wide));
        let columns: View = "custom-columns=NAME:.metadata.name,N:{.spec.n}".parse().expect("columns");
        let path = |text: &str| Path::parse(text).expect("a path");
        let expected = vec![("NAME".to_owned(), path(".metadata.name")), ("N".to_owned(), path(".spec.n"))];
        assert_eq!(columns, View::Columns(expected));
        assert_eq!("jsonpath-as-json={.a}".parse(), Ok(View::JsonPathAsJson(path(".a"))));
        let lines = "NAME  N\n.metadata.name  .spec.n\n";
        let expected = vec![("NAME".to_owned(), path(".metadata.name")), ("N".to_owned(), path(".spec.n"))];
        assert_eq!(columns_of_lines(lines), Ok(expected));
        assert!(columns_of_lines("NAME N\n.metadata.name\n").is_err());
        let refusal = |text: &str| text.parse::<View>().expect_err("refused");
        assert_eq!(refusal("table"), format!("the forms are {FORMS}"));
        assert!(refusal("go-template={{.kind}}").starts_with("templates of Go are not read"));
        assert!(refusal("jsonpath").starts_with("write jsonpath=…"));
        assert_eq!(refusal("custom-columns=NAME"), "\"NAME\": write a column as HEADING:PATH");
    }
}
