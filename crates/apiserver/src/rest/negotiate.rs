//! What the header `Accept` asks for: media types in the order of preference, with the
//! parameters `as`, `g` and `v` by which Kubernetes' clients ask for other forms.

use http::HeaderMap;
use http::header::ACCEPT;
use xebec_api::error::{ApiError, Reason};

/// Ranges that are looked at in one header.
const MOST_RANGES: usize = 32;

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`.
    #[default]
    Json,
    /// `application/yaml`.
    Yaml,
}

/// One form that the client takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) media: Media,
    /// The kind to answer as, such as `Table`; `""` for the resource's own.
    pub(super) kind: String,
    pub(super) group: String,
    pub(super) version: String,
}

/// What an object or a list is shown as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    #[default]
    Whole,
    /// As rows, in this version of `meta.k8s.io`.
    Table(&'static str),
    /// Its metadata only, in this version of `meta.k8s.io`.
    Metadata(&'static str),
}

/// The forms that a client takes and this server can write, the best first.
pub(super) fn ranges(headers: &HeaderMap) -> Vec<Range> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges: Vec<(u32, Range)> =
        values.flat_map(|value| value.split(',')).take(MOST_RANGES).filter_map(range).collect();
    if !headers.contains_key(ACCEPT) {
        ranges.push((1000, Range::default()));
    }
    // Stable: of the same weight, the first one named wins.
    ranges.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    ranges.into_iter().map(|(_, range)| range).collect()
}

/// The form of a resource's answer.
///
/// # Errors
/// `NotAcceptable` when no form fits; `has_table` says whether rows are one.
pub(super) fn form(headers: &HeaderMap, has_table: bool) -> Result<(Media, Form), ApiError> {
    let ranges = ranges(headers);
    let fits = ranges.iter().find_map(|range| Some((range.media, form_of(range, has_table)?)));
    fits.ok_or_else(not_acceptable)
}

fn form_of(range: &Range, has_table: bool) -> Option<Form> {
    let version = match range.version.as_str() {
        "v1" => "meta.k8s.io/v1",
        "v1beta1" => "meta.k8s.io/v1beta1",
        _ => "",
    };
    let meta = range.group == "meta.k8s.io" && !version.is_empty();
    match range.kind.as_str() {
        "" => Some(Form::Whole),
        "Table" if meta && has_table => Some(Form::Table(version)),
        "PartialObjectMetadata" | "PartialObjectMetadataList" if meta => Some(Form::Metadata(version)),
        _ => None,
    }
}

/// 406, with what there is.
pub(super) fn not_acceptable() -> ApiError {
    let message = "only the following media types are accepted: application/json, application/yaml";
    ApiError::new(Reason::NotAcceptable, message)
}

/// One range with its weight in thousandths; `None` for what this server does not write.
fn range(text: &str) -> Option<(u32, Range)> {
    let mut parts = text.split(';').map(str::trim);
    let media = match parts.next()?.to_ascii_lowercase().as_str() {
        "application/json" | "application/*" | "*/*" => Media::Json,
        "application/yaml" | "application/x-yaml" | "text/yaml" => Media::Yaml,
        _ => return None,
    };
    let (mut range, mut weight) = (Range { media, ..Range::default() }, 1000);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let value = value.trim().trim_matches('"');
        match name.trim() {
            "as" => value.clone_into(&mut range.kind),
            "g" => value.clone_into(&mut range.group),
            "v" => value.clone_into(&mut range.version),
            "q" => weight = thousandths(value)?,
            _ => {}
        }
    }
    (weight > 0).then_some((weight, range))
}

fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: u32 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let whole: u32 = whole.parse().ok()?;
    Some((whole.min(1) * 1000 + fraction).min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(accept: &str, has_table: bool) -> Option<(Media, Form)> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().expect("a header"));
        form(&headers, has_table).ok()
    }

    #[test]
    fn the_first_form_that_there_is_wins() {
        const KUBECTL: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(asked(KUBECTL, true), Some((Media::Json, Form::Table("meta.k8s.io/v1"))));
        assert_eq!(asked(KUBECTL, false), Some((Media::Json, Form::Whole)));
        assert_eq!(asked("application/json;as=Table;v=v1;g=meta.k8s.io", false), None);
        assert_eq!(asked("application/vnd.kubernetes.protobuf, */*", true), Some((Media::Json, Form::Whole)));
        assert_eq!(asked("application/vnd.kubernetes.protobuf", true), None);
        assert_eq!(
            asked("application/json;q=0.2, application/yaml;q=0.9", true),
            Some((Media::Yaml, Form::Whole))
        );
        assert_eq!(asked("application/json;q=0", true), None);
        assert_eq!(
            asked("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", true),
            Some((Media::Json, Form::Metadata("meta.k8s.io/v1")))
        );
        assert_eq!(asked("application/json;as=Table;g=else;v=v1,text/html", true), None);
        assert_eq!(form(&HeaderMap::new(), true).ok(), Some((Media::Json, Form::Whole)));
    }

    proptest! {
        #[test]
        fn no_header_panics(text in "[ -~]{0,60}") {
            let _ = asked(&text, true);
        }
    }
}
