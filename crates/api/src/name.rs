//! Which texts may be names, labels, keys and ports' names, with Kubernetes' own words for
//! those that may not. Each function gives `Err` with what would be right.

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const SUBDOMAIN_WITH_UNDERSCORE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";
const WILDCARD: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const ENV_NAME: &str =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";

/// What a rule says: `Err` holds what would be right.
pub type Rule = Result<(), String>;

/// A lowercase RFC 1123 label of at most 63 bytes: namespaces, containers.
///
/// # Errors
/// What is wrong with it.
pub fn dns_label(text: &str) -> Rule {
    at_most(text, 63)?;
    when(is_label(text), LABEL)
}

/// A lowercase RFC 1123 subdomain of at most 253 bytes: most objects.
///
/// # Errors
/// What is wrong with it.
pub fn dns_subdomain(text: &str) -> Rule {
    at_most(text, 253)?;
    when(text.split('.').all(is_label), SUBDOMAIN)
}

/// As [`dns_subdomain`], with underscores in it or before a label: search paths of a resolver.
///
/// # Errors
/// What is wrong with it.
pub fn dns_subdomain_with_underscore(text: &str) -> Rule {
    at_most(text, 253)?;
    let is_fine = |label: &str| {
        let bytes = label.strip_prefix('_').unwrap_or(label).as_bytes();
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let inner = |b: &u8| edge(Some(b)) || matches!(b, b'-' | b'_');
        edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
    };
    when(text.split('.').all(is_fine), SUBDOMAIN_WITH_UNDERSCORE)
}

/// `*.` and a subdomain: hosts of Ingresses.
///
/// # Errors
/// What is wrong with it.
pub fn wildcard_dns_subdomain(text: &str) -> Rule {
    at_most(text, 253)?;
    when(text.strip_prefix("*.").is_some_and(|rest| rest.split('.').all(is_label)), WILDCARD)
}

/// A lowercase RFC 1035 label of at most 63 bytes: Services.
///
/// # Errors
/// What is wrong with it.
pub fn dns1035_label(text: &str) -> Rule {
    at_most(text, 63)?;
    when(is_label(text) && !text.starts_with(|c: char| c.is_ascii_digit()), LABEL_1035)
}

/// Any text that can stand between two slashes of a path: RBAC objects.
///
/// # Errors
/// What is wrong with it.
pub fn path_segment(text: &str) -> Rule {
    when(!text.is_empty(), "must not be empty")?;
    if matches!(text, "." | "..") {
        return Err(format!("may not be '{text}'"));
    }
    match text.chars().find(|c| matches!(c, '/' | '%' | '\0')) {
        Some(bad) => Err(format!("may not contain '{bad}'")),
        None => Ok(()),
    }
}

/// `prefix/name` or `name`: labels' and annotations' keys, extended resources, finalizers.
///
/// # Errors
/// What is wrong with it.
pub fn qualified(text: &str) -> Rule {
    let name = match text.split_once('/') {
        Some(("", _)) => return Err("prefix part must be non-empty".into()),
        Some((prefix, name)) => {
            dns_subdomain(prefix).map_err(|why| format!("prefix part {why}"))?;
            name
        }
        None => text,
    };
    if name.contains('/') {
        return Err(format!("a qualified name {QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')").replace("name part ", ""));
    }
    when(!name.is_empty(), "name part must be non-empty")?;
    at_most(name, 63).map_err(|why| format!("name part {why}"))?;
    when(is_word(name), QUALIFIED)
}

/// A label's value: empty, or at most 63 bytes.
///
/// # Errors
/// What is wrong with it.
pub fn label_value(text: &str) -> Rule {
    at_most(text, 63)?;
    when(text.is_empty() || is_word(text), LABEL_VALUE)
}

/// A key of a ConfigMap or a Secret.
///
/// # Errors
/// What is wrong with it.
pub fn config_key(text: &str) -> Rule {
    at_most(text, 253)?;
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    when(!text.is_empty() && text.bytes().all(known), CONFIG_KEY)?;
    match text {
        "." => Err("must not be '.'".into()),
        ".." => Err("must not be '..'".into()),
        _ if text.starts_with("..") => Err("must not start with '..'".into()),
        _ => Ok(()),
    }
}

/// An environment variable's name.
///
/// # Errors
/// What is wrong with it.
pub fn env_name(text: &str) -> Rule {
    when(!text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'='), ENV_NAME)
}

/// An IANA service name of at most 15 bytes: containers' ports' names.
///
/// # Errors
/// What is wrong with it.
pub fn port_name(text: &str) -> Rule {
    at_most(text, 15)?;
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    when(text.bytes().all(known), "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")?;
    when(text.bytes().any(|b| b.is_ascii_lowercase()), "must contain at least one letter (a-z)")?;
    when(!text.contains("--"), "must not contain consecutive hyphens")?;
    when(!text.starts_with('-') && !text.ends_with('-'), "must not begin or end with hyphens")
}

/// A port's number.
///
/// # Errors
/// What is wrong with it.
pub fn port_number(number: i64) -> Rule {
    when((1..=65535).contains(&number), "must be between 1 and 65535, inclusive")
}

/// A name for an object that gave only `generateName`: at most 63 bytes, `suffix` kept whole.
#[must_use]
pub fn generated(base: &str, suffix: &str) -> String {
    let mut end = base.len().min(63_usize.saturating_sub(suffix.len()));
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &base[..end])
}

fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    let edge = |b: Option<&u8>| b.is_some_and(|b| *b != b'-');
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
}

fn is_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
}

fn at_most(text: &str, bytes: usize) -> Rule {
    if text.len() > bytes { Err(format!("must be no more than {bytes} bytes")) } else { Ok(()) }
}

fn when(holds: bool, why: &str) -> Rule {
    if holds { Ok(()) } else { Err(why.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_takes_what_kubernetes_takes() {
        let long = "a".repeat(64);
        type Case<'a> = (&'a str, fn(&str) -> Rule, &'a [&'a str], &'a [&'a str]);
        let cases: [Case<'_>; 9] = [
            ("label", dns_label, &["a", "web-1", "0a"], &["", "A", "-a", "a-", "a.b", "a_b", &long]),
            ("subdomain", dns_subdomain, &["a.b", &long, "0.1"], &["", "a..b", ".a", "a/b", "A"]),
            ("search", dns_subdomain_with_underscore, &["_tcp.a_b", "a"], &["", "__a", "a_", "a b", "A"]),
            ("1035", dns1035_label, &["a1"], &["1a", "", "a."]),
            ("segment", path_segment, &["system:node", "A b"], &[".", "..", "a/b", "a%b"]),
            ("qualified", qualified, &["app", "x.io/A_b.c"], &["", "/a", "a/", "a/b/c", "A_/b", &long]),
            ("value", label_value, &["", "A.b_c"], &["-a", "a b", &long]),
            ("key", config_key, &[".dockerconfigjson", "A_b"], &["", "..", "a b", "..a"]),
            ("port", port_name, &["http", "a-1"], &["80", "-a", "a--b", "Http", "a-long-port-name1"]),
        ];
        for (rule, check, good, bad) in cases {
            for text in good {
                assert_eq!(check(text), Ok(()), "{rule} {text:?}");
            }
            for text in bad {
                assert!(check(text).is_err(), "{rule} {text:?}");
            }
        }
        assert!(env_name("a.b-c").is_ok() && env_name("").is_err() && env_name("a=b").is_err());
        assert!(port_number(80).is_ok() && port_number(0).is_err() && port_number(65536).is_err());
    }

    #[test]
    fn generated_names_keep_their_suffix() {
        assert_eq!(generated("web-", "abcde"), "web-abcde");
        assert_eq!(generated(&"x".repeat(80), "abcde"), format!("{}abcde", "x".repeat(58)));
    }
}
