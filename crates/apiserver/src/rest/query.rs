//! The query of a request, read as Kubernetes reads it.

use http::Uri;
use xebec_api::error::ApiError;

use crate::options::invalid;

/// Names and values, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// The query of a request's target.
    #[must_use]
    pub fn of(uri: &Uri) -> Self {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// The first value of a name, `""` when there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.first(name).unwrap_or_default()
    }

    /// Whether a name stands in it, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A switch: on when it is there and neither `false` nor `0`.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.has(name) && !matches!(self.get(name).to_ascii_lowercase().as_str(), "false" | "0")
    }

    /// A switch that may be left open.
    #[must_use]
    pub fn choice(&self, name: &str) -> Option<bool> {
        self.has(name).then(|| self.flag(name))
    }

    /// A number, `None` when it is not there.
    ///
    /// # Errors
    /// `Invalid`, naming it.
    pub fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        match self.get(name) {
            "" => Ok(None),
            text => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => {
                    let why = format!("Invalid value: {text:?}: must be a number that is not negative");
                    Err(invalid(name, why))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read() {
        let uri: Uri = "/x?watch=1&labelSelector=a%3Db%2Cc+d&off=False&bare&limit=500&command=a&command=b"
            .parse()
            .expect("a target");
        let query = Query::of(&uri);
        assert_eq!(query.get("labelSelector"), "a=b,c d");
        assert!(query.flag("watch") && query.flag("bare") && !query.flag("off") && !query.flag("none"));
        assert_eq!((query.choice("off"), query.choice("none")), (Some(false), None));
        assert_eq!(query.number("limit"), Ok(Some(500)));
        assert_eq!(query.number("none"), Ok(None));
        assert_eq!(query.all("command").collect::<Vec<_>>(), ["a", "b"]);
        let error = query.number("off").expect_err("no number");
        assert!(error.message.contains("off: Invalid value: \"False\""), "{}", error.message);
    }
}
