//! Masters that are parted from each other, and masters that are killed: there is one
//! leader that commits, and what was acknowledged is there on every one of them.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use xebec_tests::masters::Masters;
use xebec_tests::waiting::eventually;
use xebec_tests::xctl::Xctl;

const WEB: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 1, \
                   selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, \
                   spec: {containers: [{name: web, image: 'example.local/web:1'}]}}}}";

const NO_MAJORITY: &str = "no majority of the masters answers";

#[test]
fn one_leader_commits_and_every_acknowledged_write_stays() {
    let Some(mut masters) = Masters::on_hosts() else { return };
    let mut acknowledged = a_leader_that_is_cut_off_commits_nothing(&masters);
    acknowledged.extend(each_master_is_killed_while_somebody_writes(&mut masters));
    for name in masters.names() {
        masters.eventually(&format!("every write by {name}"), || {
            let there = config_maps(&masters.xctl_of(&name))?;
            ensure!(there == acknowledged, "missing {:?}, or more", acknowledged.difference(&there));
            Ok(())
        });
        assert!(!masters.log(&name).contains("panicked"), "{}", masters.log(&name));
    }
}

/// Gives the names of what was acknowledged.
fn a_leader_that_is_cut_off_commits_nothing(masters: &Masters) -> BTreeSet<String> {
    let leader = masters.leader_by(&masters.xctl()).expect("a leader");
    let number = leader.trim_start_matches('m').parse().expect("m1, m2 or m3");
    let other = masters.names().into_iter().find(|name| *name != leader).expect("three masters");
    let (majority, parted) = (masters.xctl_of(&other), masters.xctl_of(&leader));
    apply_web(masters);
    eventually("the first pod", Duration::from_secs(10), || one_set_with(&majority, 1));

    masters.hosts().part(number);
    let next = eventually("another leader", Duration::from_secs(10), || {
        let next = masters.leader_by(&majority)?;
        ensure!(next != leader, "{leader} still leads");
        majority.run(&["create", "configmap", "after-the-cut"])?;
        Ok(next)
    });
    assert_ne!(next, leader);
    for write in 0..3 {
        let name = format!("refused-{write}");
        let asked = Instant::now();
        let told = parted.refusal(&["create", "configmap", &name, "--request-timeout", "3s"]);
        assert!(asked.elapsed() < Duration::from_secs(5), "it says so in time: {:?}", asked.elapsed());
        // It takes a moment until it knows that nobody hears it; then it says so.
        let clear = told.contains(NO_MAJORITY) || (write == 0 && told.contains("not known whether"));
        assert!(clear, "{told}");
        majority.run(&["create", "configmap", &format!("kept-{write}")]).expect("the majority takes writes");
    }
    let told = parted.refusal(&["get", "configmaps", "--request-timeout", "3s"]);
    assert!(told.contains(NO_MAJORITY), "nothing stale: {told}");
    let claimed = masters.leader_by(&parted);
    assert!(!matches!(&claimed, Ok(name) if *name == leader), "it claims to lead: {claimed:?}");
    majority.run(&["scale", "deployment/web", "--replicas", "3"]).expect("scales");
    eventually("two more pods", Duration::from_secs(10), || one_set_with(&majority, 3));

    masters.hosts().heal();
    masters.eventually("the deposed leader follows", || {
        let leads = masters.leader_by(&parted)?;
        let everywhere = masters.leader_by(&majority)?;
        ensure!(leads == everywhere, "{leads} and {everywhere}");
        config_maps(&parted).map(drop)
    });
    for name in masters.names() {
        eventually("one ReplicaSet with three pods", Duration::from_secs(5), || {
            one_set_with(&masters.xctl_of(&name), 3)
        });
    }
    ["after-the-cut", "kept-0", "kept-1", "kept-2"].map(str::to_owned).into()
}

fn apply_web(masters: &Masters) {
    let file = masters.dir().join("web.yaml");
    std::fs::write(&file, WEB).expect("a manifest");
    masters.xctl().run(&["apply", "-f", &file.display().to_string()]).expect("applies");
}

/// Gives the names of what was acknowledged.
fn each_master_is_killed_while_somebody_writes(masters: &mut Masters) -> BTreeSet<String> {
    let (stop, acknowledged) = (AtomicBool::new(false), Mutex::new(BTreeSet::new()));
    let xctl = masters.xctl();
    thread::scope(|scope| {
        let _stop = StopOnDrop(&stop);
        scope.spawn(|| write_until(&stop, &xctl, &acknowledged));
        let written = || acknowledged.lock().expect("no writer panics").len();
        for name in masters.names() {
            let before = written();
            masters.kill(&name);
            masters.eventually(&format!("ten writes without {name}"), || {
                ensure!(written() >= before + 10, "{} writes", written() - before);
                Ok(())
            });
            masters.start(&name);
            masters.eventually(&format!("{name} is back"), || config_maps(&masters.xctl_of(&name)).map(drop));
        }
    });
    acknowledged.into_inner().expect("no writer panics")
}

/// Makes one ConfigMap after the other, and notes whatever was acknowledged. One whose
/// fate is not known is asked for again under its name, until it is there.
fn write_until(stop: &AtomicBool, xctl: &Xctl, acknowledged: &Mutex<BTreeSet<String>>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let name = format!("write-{number}");
        let made = xctl.run(&["create", "configmap", &name, "--request-timeout", "10s"]);
        match made {
            Ok(_) => drop(acknowledged.lock().expect("nobody panics").insert(name)),
            Err(error) if format!("{error:#}").contains("already exists") => {
                acknowledged.lock().expect("nobody panics").insert(name);
            }
            // Tried again.
            Err(_) => continue,
        }
        number += 1;
    }
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The ConfigMaps of the default namespace that the test made, as one master shows them.
fn config_maps(xctl: &Xctl) -> anyhow::Result<BTreeSet<String>> {
    let list = xctl.run(&["get", "configmaps", "-o", "name"])?;
    let names = list.lines().filter_map(|line| line.strip_prefix("configmap/"));
    Ok(names.filter(|name| *name != "kube-root-ca.crt").map(str::to_owned).collect())
}

/// Whether the Deployment has exactly one ReplicaSet, and that exactly these pods.
fn one_set_with(xctl: &Xctl, pods: usize) -> anyhow::Result<()> {
    let list = xctl.run(&["get", "replicasets,pods", "-o", "name"])?;
    let count = |kind: &str| list.lines().filter(|line| line.starts_with(kind)).count();
    ensure!((count("replicaset.apps/"), count("pod/")) == (1, pods), "there is {list}");
    Ok(())
}
