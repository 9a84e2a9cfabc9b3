//! Every command that an answer advises can be typed.

use std::path::Path;

use crate::help;

/// The commands in this folder's texts, with a word for each value.
fn advised(source: &str) -> Vec<String> {
    let code: Vec<&str> =
        source.lines().map(str::trim_start).filter(|line| !line.starts_with("//")).collect();
    // A text that goes on in the next line ends with a backslash, which takes the blanks before the next word.
    let code = code.join("\n").replace("\\\n", "");
    let spans = code.split("`xctl ").skip(1).filter_map(|rest| rest.split_once('`'));
    spans.map(|(span, _)| filled(span)).collect()
}

fn filled(span: &str) -> String {
    let known = span
        .replace("{word}{generic}", "secret generic")
        .replace("{previous}", " --previous")
        .replace("{{", "(")
        .replace("}}", ")")
        .replace("\\\"", "\"");
    let mut text = String::new();
    let mut rest = known.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let (_, after) = after.split_once('}').expect("a value ends");
        text.push_str(before);
        text.push('x');
        rest = after;
    }
    text + rest
}

#[test]
fn every_command_that_is_advised_can_be_typed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/why");
    let mut commands = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            commands.extend(advised(&std::fs::read_to_string(path).expect("a source")));
        }
    }
    for wanted in
        ["create secret tls x --cert FILE --key FILE", "create secret generic x --from-literal x=VALUE"]
    {
        assert!(commands.iter().any(|command| command == wanted), "{wanted} is not in {commands:#?}");
    }
    assert!(commands.len() > 15, "{commands:#?}");
    for command in commands {
        let words = std::iter::once("xctl").chain(command.split_whitespace());
        if let Err(error) = help::command().try_get_matches_from(words) {
            panic!("xctl {command}: {error}");
        }
    }
}
