//! What others wrote, as it may stand on a terminal: an event's message, an annotation or a
//! server's words could hold sequences that paint over what was shown, or type for the user.

use std::borrow::Cow;

/// The same with every control character but tabs and ends of lines spelled out: ESC as `^[`.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_spelled_out) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(spelled).collect())
}

/// The same for a cell of a table, which has one line.
pub(crate) fn cell(text: &str) -> Cow<'_, str> {
    match text.split_once('\n') {
        Some((first, _)) => Cow::Owned(format!("{}...", cell(first.trim_end_matches('\r')))),
        None if text.contains('\t') => Cow::Owned(printable(text).replace('\t', " ")),
        None => printable(text),
    }
}

fn is_spelled_out(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\n' | '\t')
}

fn spelled(letter: char) -> String {
    match letter {
        _ if !is_spelled_out(letter) => letter.to_string(),
        '\0'..='\u{1f}' | '\u{7f}' => format!("^{}", char::from(letter as u8 ^ 0x40)),
        _ => format!("\\u{:04x}", u32::from(letter)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(printable("größer\n x"), "größer\n x");
        assert_eq!(printable("\u{1b}[2Ja\tb\r\u{7f}\u{9b}5m"), "^[[2Ja\tb^M^?\\u009b5m");
        assert_eq!(cell("first\r\nsecond"), "first...");
        assert_eq!(cell("\u{1b}[1m\tx"), "^[[1m x");
    }
}
