//! What a command is asked about: `TYPE`, `TYPE NAME…`, `TYPE/NAME…`, `TYPE,TYPE`, `all`.

use anyhow::{Result, anyhow, bail};
use xebec_api::resource::Resource;
use xebec_api::table;

/// The kinds that `all` stands for, as in kubectl.
const ALL: &[&str] = &[
    "pods",
    "replicationcontrollers",
    "services",
    "daemonsets.apps",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "horizontalpodautoscalers.autoscaling",
    "cronjobs.batch",
    "jobs.batch",
];

/// Objects of one kind: those with these names, or all of them.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) row: &'static Resource,
    pub(crate) names: Vec<String>,
}

/// Reads the words after a command.
pub(crate) fn parse(words: &[String]) -> Result<Vec<Asked>> {
    let Some((first, names)) = words.split_first() else {
        bail!("name a kind, such as `pods` or `deployments`: `xctl api-resources` lists them");
    };
    if words.iter().any(|word| word.contains('/')) {
        return pairs(words);
    }
    let rows = rows(first)?;
    if rows.len() > 1 && !names.is_empty() && first == "all" {
        bail!("`all` takes no names: write TYPE/NAME for each object");
    }
    Ok(rows.into_iter().map(|row| Asked { row, names: names.to_vec() }).collect())
}

/// The same, where each object must be named.
pub(crate) fn parse_named(words: &[String]) -> Result<Vec<(&'static Resource, String)>> {
    let mut named = Vec::new();
    for asked in parse(words)? {
        if asked.names.is_empty() {
            bail!("name the {}: write {} NAME", asked.row.singular, asked.row.singular);
        }
        named.extend(asked.names.into_iter().map(|name| (asked.row, name)));
    }
    Ok(named)
}

fn pairs(words: &[String]) -> Result<Vec<Asked>> {
    let mut all: Vec<Asked> = Vec::new();
    for word in words {
        let (kind, name) = word
            .split_once('/')
            .filter(|(kind, name)| !kind.is_empty() && !name.is_empty() && !name.contains('/'))
            .ok_or_else(|| anyhow!("{word:?}: write every object as TYPE/NAME, or TYPE and then names"))?;
        let row = row(kind)?;
        match all.iter_mut().find(|asked| std::ptr::eq(asked.row, row)) {
            Some(asked) => asked.names.push(name.to_owned()),
            None => all.push(Asked { row, names: vec![name.to_owned()] }),
        }
    }
    Ok(all)
}

fn rows(list: &str) -> Result<Vec<&'static Resource>> {
    let mut rows: Vec<&'static Resource> = Vec::new();
    for word in list.split(',').filter(|word| !word.is_empty()) {
        let words = if word == "all" { ALL } else { &[word] };
        for word in words {
            let row = row(word)?;
            if !rows.iter().any(|known| std::ptr::eq(*known, row)) {
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// The row that a word names.
pub(crate) fn row(word: &str) -> Result<&'static Resource> {
    table::resolve(word).ok_or_else(|| {
        let near = table::all().iter().find(|row| {
            let near = |name: &str| is_near(name, &word.to_ascii_lowercase());
            near(row.plural) || near(row.singular)
        });
        let guess = near.map(|row| format!(" (did you mean {:?}?)", row.plural)).unwrap_or_default();
        anyhow!("there is no kind {word:?}{guess}: `xctl api-resources` lists them")
    })
}

/// One letter is missing, too many or another one.
fn is_near(a: &str, b: &str) -> bool {
    let common_start = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().skip(common_start).collect(), b.chars().skip(common_start).collect());
    let common_end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    a.len().max(b.len()) - common_end <= 1 + usize::from(a.len() == b.len() && a.len() - common_end == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> String {
        let words: Vec<String> = words.split_whitespace().map(String::from).collect();
        match parse(&words) {
            Ok(all) => {
                let all = all.iter().map(|asked| format!("{}[{}]", asked.row.plural, asked.names.join(" ")));
                all.collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn objects_are_named_as_in_kubectl() {
        assert_eq!(read("po"), "pods[]");
        assert_eq!(read("deploy web db"), "deployments[web db]");
        assert_eq!(read("pod/a svc/b pods/c"), "pods[a c] services[b]");
        assert_eq!(read("pods,svc,po"), "pods[] services[]");
        assert_eq!(read("deployments.apps"), "deployments[]");
    }

    #[test]
    fn what_is_not_understood_is_answered_with_what_would_be() {
        let cases = [
            ("", "name a kind, such as `pods` or `deployments`: `xctl api-resources` lists them"),
            ("pdos", "there is no kind \"pdos\" (did you mean \"pods\"?): `xctl api-resources` lists them"),
            ("ships", "there is no kind \"ships\": `xctl api-resources` lists them"),
            ("pod/a b", "\"b\": write every object as TYPE/NAME, or TYPE and then names"),
            ("all web", "`all` takes no names: write TYPE/NAME for each object"),
        ];
        for (words, answer) in cases {
            assert_eq!(read(words), answer);
        }
    }
}
