//! Reads paths, character by character. A `\` takes the meaning from the next one, as in
//! `.metadata.annotations.example\.com/owner`.

use serde_json::Value;

use super::{Comparison, Filter, Path, Step};

/// How deep brackets may stand in brackets.
const DEEPEST: usize = 16;

/// A path with or without braces around it and a point before it.
pub(super) fn relaxed(text: &str) -> Result<Path, String> {
    let inner = text.trim();
    let inner = inner.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(inner);
    if inner.contains(['{', '}']) {
        return Err(format!("{text:?}: write one path, such as .metadata.name"));
    }
    let begins = inner.starts_with(['.', '[', '$', '@']);
    let full = if begins { inner.to_owned() } else { format!(".{inner}") };
    path(&full)
}

/// A path that begins with `.`, `[`, `$` or `@`.
pub(super) fn path(text: &str) -> Result<Path, String> {
    let mut reader = Reader { rest: text.trim(), whole: text };
    let path = reader.path(0)?;
    if reader.rest.is_empty() { Ok(path) } else { Err(reader.unexpected()) }
}

struct Reader<'a> {
    rest: &'a str,
    whole: &'a str,
}

impl<'a> Reader<'a> {
    fn unexpected(&self) -> String {
        let what = self.rest.chars().next().map_or("its end".to_owned(), |c| format!("{c:?}"));
        format!(
            "{:?}: {what} is not expected at character {}",
            self.whole,
            self.whole.len() - self.rest.len() + 1
        )
    }

    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn path(&mut self, depth: usize) -> Result<Path, String> {
        if depth > DEEPEST {
            return Err(format!("{:?}: brackets in more than {DEEPEST} brackets", self.whole));
        }
        let _ = self.eat("$") || self.eat("@");
        let mut steps = Vec::new();
        loop {
            if self.eat("..") {
                steps.push(Step::Descend);
                if !self.rest.starts_with('[') {
                    steps.push(self.key()?);
                }
            } else if self.eat(".") {
                // A lone point is the whole; `.[0]` is `[0]`.
                if !self.rest.is_empty() && !self.rest.starts_with('[') {
                    steps.push(self.key()?);
                }
            } else if self.eat("[") {
                steps.push(self.bracket(depth)?);
            } else {
                return Ok(Path(steps));
            }
        }
    }

    fn key(&mut self) -> Result<Step, String> {
        if self.eat("*") {
            return Ok(Step::All);
        }
        let name = self.word(|c| {
            !matches!(c, '.' | '[' | ']' | ' ' | ')' | '(' | '=' | '!' | '<' | '>' | ',' | '{' | '}')
        });
        if name.is_empty() { Err(self.unexpected()) } else { Ok(Step::Key(name)) }
    }

    /// Characters as long as they belong, and those after a `\` in any case.
    fn word(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut word = String::new();
        let mut characters = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((at, c)) = characters.next() {
            if c == '\\' {
                word.extend(characters.next().map(|(_, next)| next));
            } else if belongs(c) {
                word.push(c);
            } else {
                end = at;
                break;
            }
        }
        self.rest = &self.rest[end..];
        word
    }

    fn bracket(&mut self, depth: usize) -> Result<Step, String> {
        if self.eat("?(") {
            let filter = self.filter(depth)?;
            self.expect(")]")?;
            return Ok(Step::Filter(filter));
        }
        // `users[]` is the first of them, as in kubectl.
        if self.eat("]") {
            return Ok(Step::Index(0));
        }
        let mut steps = vec![self.inside()?];
        self.skip_spaces();
        while self.eat(",") {
            steps.push(self.inside()?);
            self.skip_spaces();
        }
        self.expect("]")?;
        Ok(if steps.len() == 1 { steps.remove(0) } else { Step::Union(steps) })
    }

    fn inside(&mut self) -> Result<Step, String> {
        self.skip_spaces();
        if self.eat("*") {
            return Ok(Step::All);
        }
        if let Some(name) = self.quoted()? {
            return Ok(Step::Key(name));
        }
        let from = self.number();
        if self.eat(":") {
            return Ok(Step::Slice(from, self.number()));
        }
        from.map(Step::Index).ok_or_else(|| self.unexpected())
    }

    fn number(&mut self) -> Option<i64> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(self.rest.len());
        let number = self.rest[..end].parse().ok()?;
        self.rest = &self.rest[end..];
        Some(number)
    }

    fn quoted(&mut self) -> Result<Option<String>, String> {
        for quote in ["\"", "'"] {
            if self.eat(quote) {
                let text = self.word(|c| !quote.contains(c));
                self.expect(quote)?;
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    fn filter(&mut self, depth: usize) -> Result<Filter, String> {
        self.skip_spaces();
        if !self.rest.starts_with('@') {
            return Err(self.unexpected());
        }
        let path = self.path(depth + 1)?;
        self.skip_spaces();
        let operators = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let Some((_, comparison)) = operators.into_iter().find(|(token, _)| self.eat(token)) else {
            return Ok(Filter { path, test: None });
        };
        self.skip_spaces();
        let wanted = match self.quoted()? {
            Some(text) => Value::String(text),
            None => {
                let word = self.word(|c| c != ')' && c != ' ');
                serde_json::from_str(&word)
                    .map_err(|_| format!("{:?}: {word:?} is no value: put it in quotes", self.whole))?
            }
        };
        self.skip_spaces();
        Ok(Filter { path, test: Some((comparison, wanted)) })
    }
}
