//! What names and labels may look like, in Kubernetes' own words.

/// A DNS label (RFC 1123): lower case, digits and '-', at most 63 characters.
///
/// # Errors
/// What a right one looks like.
pub fn dns_label(name: &str) -> Result<(), String> {
    let right = name.len() <= 63 && is_dns(name, |c| c == '-');
    if right {
        return Ok(());
    }
    Err("must be at most 63 lower case letters, digits or '-', and start and end with a letter or digit"
        .into())
}

/// A DNS subdomain (RFC 1123): labels joined by '.', at most 253 characters.
///
/// # Errors
/// What a right one looks like.
pub fn dns_subdomain(name: &str) -> Result<(), String> {
    let right = name.len() <= 253 && name.split('.').all(|part| is_dns(part, |c| c == '-'));
    if right {
        return Ok(());
    }
    Err("must be at most 253 lower case letters, digits, '-' or '.', and start and end with a letter or digit".into())
}

/// A path segment: anything without '/' and '%', but not "." or ".." (names of roles).
///
/// # Errors
/// What a right one looks like.
pub fn path_segment(name: &str) -> Result<(), String> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '%', '\0']) {
        return Err("must not be empty, \".\" or \"..\" and must not hold '/' or '%'".into());
    }
    Ok(())
}

/// A label's or annotation's key: a name of at most 63 characters, behind an optional
/// DNS subdomain and '/'.
///
/// # Errors
/// What a right one looks like.
pub fn qualified(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if prefix.is_some_and(|prefix| dns_subdomain(prefix).is_err()) || name.is_empty() || !is_label_text(name)
    {
        return Err(
            "must be letters, digits, '-', '_' or '.', at most 63, such as my.name or example.com/my-name"
                .into(),
        );
    }
    Ok(())
}

/// A label's value: empty, or at most 63 letters, digits, '-', '_' or '.'.
///
/// # Errors
/// What a right one looks like.
pub fn label_value(value: &str) -> Result<(), String> {
    if is_label_text(value) {
        return Ok(());
    }
    Err("must be empty or at most 63 letters, digits, '-', '_' or '.', and start and end with a letter or digit".into())
}

fn is_dns(text: &str, inner: impl Fn(char) -> bool) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || inner(c))
}

fn is_label_text(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_kubernetes_takes_them() {
        for good in ["a", "web-1", "0"] {
            assert_eq!(dns_label(good), Ok(()), "{good}");
        }
        for bad in ["", "Web", "-a", "a-", "a.b", "a_b", &"a".repeat(64)] {
            assert!(dns_label(bad).is_err(), "{bad}");
        }
        assert_eq!(dns_subdomain("a.b-c.d"), Ok(()));
        assert!(dns_subdomain("a..b").is_err());
        assert_eq!(path_segment("system:node"), Ok(()));
        assert!(path_segment("a/b").is_err());
        assert_eq!(qualified("app.kubernetes.io/name"), Ok(()));
        assert!(qualified("a/b/c").is_err());
        assert_eq!(label_value(""), Ok(()));
        assert!(label_value("a b").is_err());
    }
}
