//! Masters that lost what they had on their disk, or were taken out: they take no part, say
//! how they come back, and come back by the very commands that they print. The others go on,
//! and there is one cluster all the while.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use serde_json::Value;
use xebec_tests::masters::{Masters, voters, write_private};
use xebec_tests::outcome::refusal;
use xebec_tests::programs;

/// What is done to a data folder.
type Harm = fn(&Path);

const ALL: [&str; 3] = ["m1", "m2", "m3"];

#[test]
fn a_master_that_lost_its_data_says_how_it_rejoins_and_rejoins_so() {
    let mut masters = Masters::three();
    let cluster = cluster_id(&masters, "m3");
    with_a_log_or_an_identity_that_is_not_whole(&mut masters);
    with_an_empty_folder_and_a_token(&mut masters);
    the_one_that_made_the_cluster(&mut masters);
    one_that_runs_while_it_is_taken_out(&mut masters);
    for name in ALL {
        assert_eq!(cluster_id(&masters, name), cluster, "{name}");
        let written = [
            "empty-log",
            "damaged-log",
            "damaged-identity",
            "empty-folder",
            "m1-is-lost",
            "a-follower-is-out",
            "the-leader-is-out",
        ];
        masters.eventually(&format!("{name} has every write"), || has(&masters, name, &written));
        assert!(!masters.log(name).contains("panicked"), "{}", masters.log(name));
    }
}

fn with_a_log_or_an_identity_that_is_not_whole(masters: &mut Masters) {
    let harms: [(&str, Harm); 3] = [
        ("empty-log", empty_the_log),
        ("damaged-log", damage_the_log),
        ("damaged-identity", damage_the_identity),
    ];
    for (what, harm) in harms {
        let data = masters.dir_of("m2").join("data");
        let before = raft_id(masters, "m2");
        masters.kill("m2");
        harm(&data);
        let told = refused(masters, "m2");
        assert!(told.contains(&data.display().to_string()), "{what}: {told}");
        assert!(told.contains("to rejoin: take the old member out"), "{what}: {told}");
        write(masters, what);
        only_lost_masters_are_taken_out(masters);
        assert_eq!(commands(&told), ["xctl cluster remove-master m2", "xctl token create --master"]);
        follow(masters, "m2", &told);
        fs::rename(&data, data.with_file_name(format!("aside-{what}"))).expect("moved aside");
        starts_again(masters, "m2", &[what]);
        assert_ne!(raft_id(masters, "m2"), before, "an id never comes back");
    }
}

/// While m2 is away.
fn only_lost_masters_are_taken_out(masters: &Masters) {
    let told = masters.xctl().refusal(&["cluster", "remove-master", "m3"]);
    assert!(told.contains("no majority") && told.contains("no answer from m2"), "{told}");
    let told = masters.xctl().refusal(&["cluster", "remove-master", "m9"]);
    assert_eq!(told, "error: there is no master \"m9\": the masters are m1, m2, m3");
}

/// The token that it has joined by is still good, but the name is taken.
fn with_an_empty_folder_and_a_token(masters: &mut Masters) {
    masters.kill("m2");
    fs::remove_dir_all(masters.dir_of("m2").join("data")).expect("emptied");
    let told = refused(masters, "m2");
    assert!(told.contains("a master named \"m2\" is a member already: take it out first"), "{told}");
    write(masters, "empty-folder");
    assert_eq!(commands(&told), ["xctl cluster remove-master m2"]);
    follow(masters, "m2", &told);
    starts_again(masters, "m2", &["empty-folder"]);
}

/// It has `bootstrap = true`, and makes no second cluster.
fn the_one_that_made_the_cluster(masters: &mut Masters) {
    masters.kill("m1");
    fs::remove_dir_all(masters.dir_of("m1").join("data")).expect("emptied");
    let told = refused(masters, "m1");
    assert!(told.contains("a cluster was made before (its admin_kubeconfig is there, "), "{told}");
    let (kubeconfig, away) = (masters.kubeconfig(), masters.dir().join("away.kubeconfig"));
    fs::rename(&kubeconfig, &away).expect("away");
    let without = refused(masters, "m1");
    fs::rename(&away, &kubeconfig).expect("back");
    assert!(without.contains("a cluster was made before (a master answers at "), "{without}");
    write(masters, "m1-is-lost");
    for told in [&told, &without] {
        assert_eq!(commands(told), ["xctl cluster remove-master m1", "xctl token create --master"]);
    }
    follow(masters, "m1", &told);
    starts_again(masters, "m1", &["m1-is-lost"]);
    masters.kill("m1");
    starts_again(masters, "m1", &[]);
}

/// It hears of it from those whom it asks for a vote, or knows it where it leads itself.
fn one_that_runs_while_it_is_taken_out(masters: &mut Masters) {
    for (what, leads) in [("a-follower-is-out", false), ("the-leader-is-out", true)] {
        let leader = masters.eventually("a leader", || masters.leader_by(&masters.xctl()));
        let name = ALL.into_iter().find(|name| (*name == leader) == leads).expect("one of three");
        masters.xctl().run(&["cluster", "remove-master", name]).expect("taken out");
        assert_eq!(masters.ended(name).code(), Some(1));
        let told = last_error(masters, name);
        let data = masters.dir_of(name).join("data");
        let begins = format!(
            "error: master {name} was taken out of the cluster, and takes no part any more; to join anew: move {} \
             aside, make a master token",
            data.display()
        );
        assert!(told.starts_with(&begins), "{told}");
        assert_eq!(refused(masters, name), told, "it keeps it in mind");
        write(masters, what);
        assert_eq!(commands(&told), ["xctl token create --master"]);
        follow(masters, name, &told);
        fs::rename(&data, data.with_file_name(format!("aside-{what}"))).expect("moved aside");
        starts_again(masters, name, &[what]);
    }
}

fn empty_the_log(data: &Path) {
    fs::remove_dir_all(data.join("log")).expect("emptied");
    fs::create_dir(data.join("log")).expect("a folder");
}

/// Eight bytes at each of sixteen places of what is in use.
fn damage_the_log(data: &Path) {
    let path = data.join("log/db");
    let mut bytes = fs::read(&path).expect("the log's file");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("something is written");
    for place in 0..16 {
        let from = used * place / 16;
        bytes.iter_mut().skip(from).take(8).for_each(|byte| *byte ^= 0xff);
    }
    fs::write(path, bytes).expect("damaged");
}

fn damage_the_identity(data: &Path) {
    fs::write(data.join("meta.json"), "{").expect("damaged");
}

/// The error that a master ends with which must not take part.
fn refused(masters: &Masters, name: &str) -> String {
    let config = masters.dir_of(name).join("master.toml");
    let told = refusal(Command::new(programs::xebec()).args(["master", "--config"]).arg(config));
    let error = told.lines().find(|line| line.starts_with("error: "));
    error.unwrap_or_else(|| panic!("it does not say why: {told}")).to_owned()
}

/// The error that a master has ended with by itself.
fn last_error(masters: &Masters, name: &str) -> String {
    let log = masters.log(name);
    let error = log.lines().rfind(|line| line.starts_with("error: "));
    error.unwrap_or_else(|| panic!("it does not say why: {log}")).to_owned()
}

/// The commands that an error prints.
fn commands(told: &str) -> Vec<&str> {
    told.split('`').filter(|part| part.starts_with("xctl ")).collect()
}

/// Runs them word for word, and puts a token where the master's configuration has it.
fn follow(masters: &Masters, name: &str, told: &str) {
    for command in commands(told) {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        let answer = masters.xctl().run(&words).expect("what a refusal prints can be run");
        if answer.starts_with("xbc1") {
            write_private(&masters.dir_of(name).join("token"), &answer);
        }
    }
}

/// Starts it, and waits until it has a vote and what was written.
fn starts_again(masters: &mut Masters, name: &str, written: &[&str]) {
    masters.start(name);
    masters.eventually(&format!("{name} is a voter again"), || {
        let status = masters.xctl_of(name).json(&["cluster", "status"])?;
        ensure!(voters(&status) == ALL, "the voters are {:?}", voters(&status));
        has(masters, name, written)
    });
}

/// Makes a ConfigMap, whoever leads by then.
fn write(masters: &Masters, what: &str) {
    masters.eventually(&format!("{what} is written"), || {
        match masters.xctl().run(&["create", "configmap", what]) {
            Err(error) if !format!("{error:#}").contains("already exists") => Err(error),
            _ => Ok(()),
        }
    });
}

/// Whether a master shows these ConfigMaps.
fn has(masters: &Masters, name: &str, written: &[&str]) -> anyhow::Result<()> {
    let list = masters.xctl_of(name).run(&["get", "configmaps", "-o", "name"])?;
    for what in written {
        ensure!(list.lines().any(|line| line == format!("configmap/{what}")), "{what} is not in {list}");
    }
    Ok(())
}

fn cluster_id(masters: &Masters, name: &str) -> Value {
    masters.xctl_of(name).json(&["cluster", "status"]).expect("a status")["clusterId"].clone()
}

fn raft_id(masters: &Masters, name: &str) -> Value {
    let status = masters.xctl_of(name).json(&["cluster", "status"]).expect("a status");
    let all = status["masters"].as_array().expect("masters");
    all.iter().find(|master| master["name"] == name).expect("a member")["raftId"].clone()
}
