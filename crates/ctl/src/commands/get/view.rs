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
            ("jsonpath", template) => Template::parse(template).map(Self::JsonPath),
            ("custom-columns", columns) => {
                columns.split(',').map(column).collect::<Result<_, _>>().map(Self::Columns)
            }
            _ => Err(format!("the forms are {FORMS}")),
        }
    }
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
        let refusal = |text: &str| text.parse::<View>().expect_err("refused");
        assert_eq!(refusal("table"), format!("the forms are {FORMS}"));
        assert!(refusal("jsonpath").starts_with("write jsonpath=…"));
        assert_eq!(refusal("custom-columns=NAME"), "\"NAME\": write a column as HEADING:PATH");
    }
}
