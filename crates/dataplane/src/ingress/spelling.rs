//! One spelling for a path. Endpoints take `//a`, `/x/../a` and `/%61` for `/a`; if rules did not,
//! one for `/a` could be gone past to the endpoints of another. What is passed on stays as it was
//! written.

use std::borrow::Cow;

/// Without empty elements, `.` and `..`, and without percent signs where none are needed
/// (RFC 3986, section 6.2.2). A slash at the end stays: it means something to an exact rule.
pub(super) fn plain(path: &str) -> Cow<'_, str> {
    let is_plain = !path.contains('%') && !path.contains("//") && !path.contains("/.");
    if is_plain { path.into() } else { without_dots(&decoded(path)).into() }
}

/// With letters, digits and `-._~` as themselves, and all other codes in upper case.
fn decoded(path: &str) -> String {
    let mut rest = path;
    let mut text = String::with_capacity(path.len());
    while let Some((before, code)) = rest.split_once('%') {
        text.push_str(before);
        let byte = code.get(..2).and_then(hex);
        match byte.map(char::from) {
            Some(plain) if plain.is_ascii_alphanumeric() || "-._~".contains(plain) => text.push(plain),
            Some(_) => text.extend(["%", &code[..2].to_ascii_uppercase()]),
            // No code: an endpoint has to make something of it.
            None => text.push('%'),
        }
        rest = if byte.is_some() { &code[2..] } else { code };
    }
    text + rest
}

/// Two hexadecimal digits, and nothing else: `from_str_radix` would take a sign.
fn hex(digits: &str) -> Option<u8> {
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

fn without_dots(path: &str) -> String {
    let mut elements = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." => {
                elements.pop();
            }
            element => elements.push(element),
        }
    }
    let is_folder = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    let end = if is_folder && !elements.is_empty() { "/" } else { "" };
    format!("/{}{end}", elements.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_becomes_the_plain_one() {
        for (written, wanted) in [
            ("/", "/"),
            ("/a/b/", "/a/b/"),
            ("/a.b/..c", "/a.b/..c"),
            ("//", "/"),
            ("//a///b//", "/a/b/"),
            ("/./a/.", "/a/"),
            ("/x/../a", "/a"),
            ("/a/x/..", "/a/"),
            ("/../../a", "/a"),
            ("/..", "/"),
            ("/%61%7E/%2e%2E/%2E/b", "/b"),
            ("/a%2fb%C3%a9", "/a%2Fb%C3%A9"),
            ("/100%", "/100%"),
            ("/%zz%+1%4", "/%zz%+1%4"),
            ("/%\u{e9}%e\u{e9}", "/%\u{e9}%e\u{e9}"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(plain(written), wanted, "{written}");
        }
    }
}
