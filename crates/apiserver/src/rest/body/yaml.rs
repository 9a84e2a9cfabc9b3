//! Bodies in YAML. An alias (`*a`) stands for all that its anchor names, so a small text can stand
//! for any amount: what it would be as JSON is counted, and bounded, before it is made.

use serde_yaml_ng::Deserializer;
use xebec_api::error::{ApiError, Reason};

use super::budget::Budget;
use super::fields::Fields;

/// Reads a document that has at most `most_bytes` as JSON.
///
/// # Errors
/// `RequestEntityTooLarge`, or `BadRequest` when it is none.
pub(super) fn decode(bytes: &[u8], most_bytes: usize) -> Result<Fields, ApiError> {
    let budget = Budget::of(most_bytes);
    Fields::read(Deserializer::from_slice(bytes), &budget).map_err(|error| {
        if budget.is_spent() {
            let message = format!("Request entity too large: as JSON it has more than {most_bytes} bytes");
            return ApiError::new(Reason::RequestEntityTooLarge, message);
        }
        ApiError::new(Reason::BadRequest, format!("the body of the request is no YAML: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MOST: usize = 3 << 20;

    #[test]
    fn every_yaml_is_what_serde_makes_of_it() {
        for text in [
            "",
            "a: 1\nb: -2\nc: 1.5\nd: true\ne: ~\nf: [x, 'y', \"z\", .inf]\n1: {true: a}\n",
            "base: &b {a: [1, 2]}\ncopy: *b\nagain: [*b, *b]\n",
            "- |\n  two\n  lines\n- 18446744073709551615\n",
            "plain",
        ] {
            let wanted: Value = serde_yaml_ng::from_str(text).expect(text);
            assert_eq!(decode(text.as_bytes(), MOST).map(|it| it.value), Ok(wanted), "{text}");
        }
        for text in ["a: b: c", "!tag x", "a: 1\n---\nb: 2\n", "a: *nowhere", "a: &a [*a]"] {
            let refused = decode(text.as_bytes(), MOST).expect_err(text);
            assert_eq!(refused.reason, Reason::BadRequest, "{text}");
            let wanted = serde_yaml_ng::from_str::<Value>(text).expect_err(text).to_string();
            assert_eq!(refused.message, format!("the body of the request is no YAML: {wanted}"));
        }
    }

    #[test]
    fn what_aliases_stand_for_is_counted_before_it_is_made() {
        let text = "x".repeat(1 << 20);
        let aliases = "*a, ".repeat(600_000);
        let nested: String =
            (1..9).map(|level| format!("l{level}: &l{level} [{}]\n", below(level))).collect();
        for bomb in
            [format!("a: &a {text}\nb: [{aliases}]\n"), format!("a: &a {{k: {text}}}\nb: [{aliases}]\n")]
        {
            let refused = decode(bomb.as_bytes(), MOST).expect_err("too large");
            assert_eq!(refused.reason, Reason::RequestEntityTooLarge, "{}", refused.message);
            assert_eq!(refused.message, "Request entity too large: as JSON it has more than 3145728 bytes");
        }
        assert!(decode(format!("l0: &l0 [1, 2, 3]\n{nested}").as_bytes(), MOST).is_err());
        assert_eq!(decode(b"[&a xx, *a]", 12).map(|it| it.value), Ok(json!(["xx", "xx"])));
        assert!(decode(b"[&a xx, *a]", 11).is_err());
    }

    fn below(level: usize) -> String {
        vec![format!("*l{}", level - 1); 30].join(", ")
    }
}
