//! `--all=true` and `--all=false`, as kubectl's users and tutorials write options that are
//! there or not: they become the option, or nothing, before the line is read.

use std::ffi::{OsStr, OsString};

use clap::{ArgAction, Command};

use crate::complete;

/// The words of a line, the program's name first, with such options as this program reads them.
pub(crate) fn plain(mut command: Command, words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    command.build();
    let mut at = command;
    let mut plain = Vec::new();
    let mut words = words.into_iter();
    plain.extend(words.next());
    // The word before takes this one as its value.
    let mut is_value = false;
    for word in words.by_ref() {
        if word == "--" {
            // What follows is somebody else's command line.
            plain.push(word);
            break;
        }
        // One that may go without a value has none where an option follows.
        if std::mem::take(&mut is_value) && !word.to_string_lossy().starts_with('-') {
            plain.push(word);
            continue;
        }
        match said(&at, &word) {
            Some((option, true)) => plain.push(option),
            Some((_, false)) => {}
            None => {
                let text = word.to_str().unwrap_or_default();
                if text.starts_with('-') {
                    is_value = complete::find(&at, text).is_some_and(|option| complete::takes_value(&option));
                } else if let Some(next) = at.find_subcommand(text).cloned() {
                    at = next;
                }
                plain.push(word);
            }
        }
    }
    plain.extend(words);
    plain
}

/// An option without a value that was given one, and which.
fn said(command: &Command, word: &OsStr) -> Option<(OsString, bool)> {
    let (option, value) = word.to_str()?.split_once('=')?;
    let value = match value {
        "true" | "True" | "TRUE" | "t" | "T" | "1" => true,
        "false" | "False" | "FALSE" | "f" | "F" | "0" => false,
        _ => return None,
    };
    let found = complete::find(command, option)?;
    matches!(found.get_action(), ArgAction::SetTrue).then(|| (option.into(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_are_there_or_not_may_say_so() {
        let cases = [
            ("logs web --all-containers=true", "logs web --all-containers"),
            (
                "delete pod web --ignore-not-found=true --wait=false",
                "delete pod web --ignore-not-found --wait=false",
            ),
            ("-n rollout get pods -A=false --watch=false --watch=0", "-n rollout get pods"),
            ("rollout status deploy/web --watch=false", "rollout status deploy/web --watch=false"),
            ("get pods -l a --watch=soon", "get pods -l a --watch=soon"),
            ("delete pod web --wait --now=true", "delete pod web --wait --now"),
            ("exec web -- ls --all=true", "exec web -- ls --all=true"),
            ("label pod web --overwrite=true tier=true", "label pod web --overwrite tier=true"),
        ];
        for (words, wanted) in cases {
            let words = std::iter::once("xctl").chain(words.split(' ')).map(OsString::from);
            let read = plain(crate::help::command(), words);
            let read: Vec<&str> = read.iter().skip(1).filter_map(|word| word.to_str()).collect();
            assert_eq!(read.join(" "), wanted);
        }
    }
}
