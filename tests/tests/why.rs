//! `xctl why` explains each file of `examples/broken/`, on a real node, with the very
//! paragraph that the file promises.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use xebec_tests::demo::Demo;
use xebec_tests::waiting::eventually;

/// A liveness probe needs two restarts, and back-off between them.
const UNTIL_EXPLAINED: Duration = Duration::from_secs(90);

#[test]
fn each_broken_manifest_is_explained_as_it_promises() {
    let files = broken();
    assert_eq!(files.len(), 5, "{files:?}");
    let Some(demo) = Demo::up_single() else { return };
    for file in &files {
        demo.xctl(&["apply", "-f", &file.display().to_string()]).expect("applies");
    }
    for file in &files {
        let (command, promised) = promise(file);
        let args: Vec<&str> = command.split_whitespace().skip(1).collect();
        eventually(&format!("{}: {promised}", file.display()), UNTIL_EXPLAINED, || {
            let told = demo.xctl(&args)?;
            ensure!(told.lines().count() == 1, "one paragraph: {told}");
            fits(&promised, &told)
        });
    }
    healthy_things_are_said_to_be_well(&demo);
    programs_read_the_same(&demo);
    demo.down();
}

fn healthy_things_are_said_to_be_well(demo: &Demo) {
    for (what, promised) in [
        (
            "deployment/guestbook",
            "Deployment guestbook is well: 2 of 2 replicas are available, as they have been for <age>",
        ),
        (
            "service/website",
            "Service website is well: <address> on port 80, and port 30081 of every node, reach 1 ready pod of 1.",
        ),
    ] {
        eventually(what, UNTIL_EXPLAINED, || fits(promised, &demo.xctl(&["why", what])?));
    }
    let unknown = demo.xctl_output(&["why", "service/webste"]).expect("runs");
    assert!(!unknown.status.success());
    let told = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(told.contains("There is one named website."), "{told}");
}

fn programs_read_the_same(demo: &Demo) {
    let answer = demo.xctl_json(&["why", "service", "catalog"]).expect("answers");
    assert_eq!((&answer["subject"], &answer["healthy"]), (&"Service/catalog".into(), &false.into()));
    let sentences = |field: &str| answer[field].as_array().expect("a list").len();
    assert_eq!((sentences("reasons"), sentences("fixes")), (2, 1), "{answer}");
}

/// The files, in order.
fn broken() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/broken");
    let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect();
    files.sort();
    files
}

/// The command in a file's head, and what it promises to answer.
fn promise(file: &Path) -> (String, String) {
    let text = fs::read_to_string(file).expect("readable");
    let head: Vec<&str> = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim).collect();
    let at = head.iter().position(|line| line.starts_with("$ ")).expect("a command");
    (head[at].trim_start_matches("$ ").to_owned(), head[at + 1..].join(" "))
}

/// Word by word; `<anything>` in a promised word stands for what differs from run to run.
fn fits(promised: &str, told: &str) -> Result<()> {
    let (promised, told): (Vec<&str>, Vec<&str>) =
        (promised.split_whitespace().collect(), told.split_whitespace().collect());
    let same = promised.len() == told.len()
        && promised.iter().zip(&told).all(|(promised, told)| {
            match (promised.split_once('<'), promised.split_once('>')) {
                (Some((before, _)), Some((_, after))) => told.starts_with(before) && told.ends_with(after),
                _ => promised == told,
            }
        });
    ensure!(same, "{}", told.join(" "));
    Ok(())
}
