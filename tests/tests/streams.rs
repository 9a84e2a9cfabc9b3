//! Streams to and from pods, as a user has them open: commands with and without a terminal,
//! a container's own streams, its logs, and ports. Through every master, of which one at
//! most holds the session of the pod's node.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xebec_tests::demo::Demo;
use xebec_tests::forward::Forward;
use xebec_tests::programs;
use xebec_tests::waiting::eventually;
use xebec_tests::xctl::Xctl;

const SOON: Duration = Duration::from_secs(60);
/// What goes through a port-forward and through an exec, and must come out the same.
const MANY_BYTES: usize = 100 << 20;

const PODS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: box, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: server
      image: xebec.local/busybox:1
      args: ["-c", "dd if=/dev/urandom of=/www/many bs=1M count=100 2>/dev/null && md5sum </www/many >/www/sum && exec httpd -f -p 127.0.0.1:8080 -h /www"]
      ports: [{name: web, containerPort: 8080}]
    - name: echo
      image: xebec.local/busybox:1
      args: ["-c", "while read line; do echo heard $line; done; sleep 100000"]
      stdin: true
---
apiVersion: v1
kind: Pod
metadata: {name: short, namespace: default}
spec:
  restartPolicy: Never
  containers:
    - name: short
      image: xebec.local/busybox:1
      args: ["-c", "echo first; read line; echo $line"]
      stdin: true
      stdinOnce: true
"#;

#[test]
fn streams_reach_pods_through_every_master_and_end_with_either_side() {
    let Some(demo) = Demo::up() else { return };
    let file = demo.dir().join("streams.yaml");
    fs::write(&file, PODS).expect("the demo's folder is there");
    demo.xctl(&["apply", "-f", &file.display().to_string()]).expect("applies");
    for pod in ["box", "short"] {
        eventually("the pod runs", SOON, || runs(&demo, pod));
    }
    for xctl in masters(&demo) {
        commands_end_with_their_own_code(&xctl);
        services_are_forwarded(&demo, &xctl);
    }
    a_terminal_has_its_size(&demo);
    a_client_that_goes_takes_its_command_along(&demo);
    many_bytes_arrive_unharmed(&demo);
    who_attaches_is_heard(&demo);
    a_followed_log_ends_with_its_pod(&demo);
    files_are_copied_both_ways(&demo);
    a_pod_is_run_and_followed(&demo);
    demo.xctl(&["delete", "pod", "box", "short"]).expect("deletes");
    demo.down();
}

fn runs(demo: &Demo, pod: &str) -> Result<()> {
    let pod = demo.xctl_json(&["get", "pod", pod])?;
    let statuses = pod["status"]["containerStatuses"].as_array().context("no statuses yet")?;
    ensure!(statuses.iter().all(|status| status["state"]["running"].is_object()), "{statuses:?}");
    Ok(())
}

/// The client of each master alone.
fn masters(demo: &Demo) -> Vec<Xctl> {
    let text = fs::read_to_string(demo.kubeconfig()).expect("a kubeconfig");
    let mut config: Value = serde_json::from_str(&text).expect("it is JSON");
    let cluster = config["clusters"][0]["cluster"].take();
    let others =
        cluster["extensions"][0]["extension"]["servers"].as_array().expect("further masters").clone();
    let servers: Vec<Value> = [cluster["server"].clone()].into_iter().chain(others).collect();
    assert_eq!(servers.len(), 3, "{servers:?}");
    let client = |(number, server): (usize, Value)| {
        let authority = &cluster["certificate-authority-data"];
        config["clusters"][0]["cluster"] = json!({"server": server, "certificate-authority-data": authority});
        let path: PathBuf = demo.dir().join(format!("m{number}.kubeconfig"));
        fs::write(&path, config.to_string()).expect("the demo's folder is there");
        Xctl::new(&path)
    };
    servers.into_iter().enumerate().map(client).collect()
}

fn commands_end_with_their_own_code(xctl: &Xctl) {
    let exec = |words: &[&str]| {
        xctl.output(&[&["exec", "box", "-c", "server", "--"], words].concat()).expect("xctl")
    };
    let ended = exec(&["sh", "-c", "echo out; echo err >&2; exit 7"]);
    let texts = [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).expect("text"));
    assert_eq!((texts, ended.status.code()), (["out\n".into(), "err\n".into()], Some(7)));
    let missing = exec(&["/nothere"]);
    assert_eq!(missing.status.code(), Some(127));
    assert_eq!(String::from_utf8_lossy(&missing.stderr), "/nothere: no such file or directory\n");
    let refused = xctl.refusal(&["exec", "box", "-c", "none", "--", "true"]);
    assert_eq!(refused, "error: pod box has no container \"none\": it has server, echo");
}

fn services_are_forwarded(demo: &Demo, xctl: &Xctl) {
    let forward = open(xctl, &["service/guestbook", ":http"]);
    let forward = forward.unwrap_or_else(|error| panic!("{error:#}\n{}", demo.logs()));
    let url = format!("http://127.0.0.1:{}/entries", forward.port());
    eventually("the guestbook's answer", SOON, || curl(&[&url]));
    let redis = open(xctl, &["deployment/redis", ":6379"]).expect("forwards");
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).expect("connects");
    stream.set_read_timeout(Some(SOON)).expect("a limit");
    stream.write_all(b"PING\r\n").expect("written");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("an answer");
    // With a password, redis says that it wants it.
    assert!([*b"+PONG", *b"-NOAU"].contains(&answer), "{:?}", String::from_utf8_lossy(&answer));
}

fn a_terminal_has_its_size(demo: &Demo) {
    // The link that up.sh makes beside the binary.
    let xctl = programs::folder().join("xctl");
    let xctl = format!("{} --kubeconfig {}", xctl.display(), demo.kubeconfig().display());
    let exec = format!("{xctl} exec -it box -c server -- sh -c 'test -t 0 && stty size; exit 5'");
    let script = format!("stty rows 33 cols 101; {exec}; echo code=$?; stty -a");
    let output = Command::new("script").args(["-qec", &script, "/dev/null"]).stdin(Stdio::null()).output();
    let text = String::from_utf8_lossy(&output.expect("script (packages: bsdutils)").stdout).into_owned();
    assert!(text.contains("33 101") && text.contains("code=5"), "{text}");
    let after = text.rsplit("code=").next().expect("what stty says");
    assert!(after.contains(" icanon") && after.contains(" echo"), "the terminal is as it was: {after}");
}

fn a_client_that_goes_takes_its_command_along(demo: &Demo) {
    let mut client =
        xctl(demo, &["exec", "-i", "box", "-c", "server", "--", "/bin/sh", "-c", "/bin/sleep 4321; true"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("xctl starts");
    let is_there = || processes().iter().any(|line| line == "/bin/sleep 4321");
    eventually("the command", SOON, || {
        ensure!(is_there(), "not there yet");
        Ok(())
    });
    client.kill().expect("it runs");
    client.wait().expect("it is gone");
    eventually("nothing is left of it", SOON, || {
        ensure!(!is_there(), "{:?}", processes());
        Ok(())
    });
}

fn many_bytes_arrive_unharmed(demo: &Demo) {
    let exec = |words: &[&str]| demo.xctl(&[&["exec", "box", "-c", "server", "--"], words].concat());
    let sum = eventually("the file", SOON, || {
        let sum = exec(&["cat", "/www/sum"])?;
        ensure!(sum.ends_with("  -\n"), "{sum:?}");
        Ok(sum)
    });
    let forward = open(&Xctl::new(&demo.kubeconfig()), &["box", ":web"]).expect("forwards");
    let got = demo.dir().join("many");
    let url = format!("http://127.0.0.1:{}/many", forward.port());
    curl(&["-o", &got.display().to_string(), &url])
        .unwrap_or_else(|error| panic!("{error:#}\n{}", demo.logs()));
    assert_eq!(fs::metadata(&got).expect("got").len(), MANY_BYTES as u64);
    let mut client = xctl(demo, &["exec", "-i", "box", "-c", "server", "--", "md5sum"]);
    let sent = client.stdin(File::open(&got).expect("got")).output().expect("xctl");
    assert_eq!(String::from_utf8_lossy(&sent.stdout), sum, "there and back");
    fs::remove_file(got).expect("ours");
}

fn who_attaches_is_heard(demo: &Demo) {
    let mut client = xctl(demo, &["attach", "-i", "box", "-c", "echo"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("xctl starts");
    client.stdin.as_mut().expect("ours").write_all(b"me\n").expect("written");
    eventually("the container heard it", SOON, || {
        let log = demo.xctl(&["logs", "box", "-c", "echo"])?;
        ensure!(log == "heard me\n", "{log:?}");
        Ok(())
    });
    // Its input's end is its own end, as others may attach after it.
    drop(client.stdin.take());
    let output = client.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "heard me\n");
}

fn a_followed_log_ends_with_its_pod(demo: &Demo) {
    let follow = xctl(demo, &["logs", "-f", "short"]).stdout(Stdio::piped()).spawn().expect("xctl starts");
    let attached = xctl(demo, &["attach", "-i", "short"]).stdin(pipe_of("last\n")).output().expect("xctl");
    assert_eq!(String::from_utf8_lossy(&attached.stdout), "last\n");
    let output = follow.wait_with_output().expect("it ends by itself");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "first\nlast\n");
    assert!(output.status.success());
}

fn files_are_copied_both_ways(demo: &Demo) {
    let (from, back) = (demo.dir().join("site"), demo.dir().join("back"));
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    fs::create_dir_all(from.join("deep")).expect("the demo's folder is there");
    fs::write(from.join("many"), &bytes).expect("written");
    fs::write(from.join("deep/run"), "#!/bin/sh\necho ran\n").expect("written");
    fs::set_permissions(from.join("deep/run"), PermissionsExt::from_mode(0o755)).expect("ours");
    let cp = |from: &str, to: &str| demo.xctl(&["cp", "-c", "server", from, to]);
    let (here, there) = (from.display().to_string(), back.display().to_string());
    cp(&here, "default/box:/tmp/copy").expect("copies there");
    // What is there already takes it in.
    cp(&here, "box:/tmp/copy").expect("copies there");
    let ran = demo.xctl(&["exec", "box", "-c", "server", "--", "/tmp/copy/site/deep/run"]);
    assert_eq!(ran.expect("it may be run"), "ran\n");
    cp("box:/tmp/copy", &there).expect("copies back");
    for copy in [back.join("many"), back.join("site/many")] {
        assert!(fs::read(&copy).expect("it is there") == bytes, "{}", copy.display());
    }
    let mode = fs::metadata(back.join("deep/run")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    cp("box:/tmp/copy/deep/run", &demo.dir().join("one").display().to_string()).expect("copies one file");
    assert_eq!(fs::read_to_string(demo.dir().join("one")).expect("it is there"), "#!/bin/sh\necho ran\n");
    let refused =
        |from: &str, to: &str| Xctl::new(&demo.kubeconfig()).refusal(&["cp", "-c", "server", from, to]);
    let missing = refused("box:/tmp/none", &there);
    assert!(missing.starts_with("error: tar in pod box ended with 1: tar: /tmp/none: "), "{missing}");
    let nowhere = refused(&here, "box:/none/where/to");
    assert!(
        nowhere.starts_with("error: tar in pod box ended with 1: tar: can't change directory"),
        "{nowhere}"
    );
    let gone = refused("./none", "box:/tmp");
    assert!(gone.starts_with("error: cannot copy ./none"), "{gone}");
    for folder in [from, back] {
        fs::remove_dir_all(folder).expect("ours");
    }
}

fn a_pod_is_run_and_followed(demo: &Demo) {
    let run = |name: &str, line: &str| {
        let args =
            ["run", name, "-i", "--rm", "--restart", "Never", "--image", "xebec.local/busybox:1", "--"];
        let mut client = xctl(demo, &[&args[..], &["-c", line]].concat());
        let ended = client.stdin(pipe_of("by hand\n")).output().expect("xctl");
        let texts = [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        (texts, ended.status.code())
    };
    let deleted = |name: &str| format!("pod \"{name}\" deleted from default namespace\n");
    let wanted = (["got by hand\n".to_owned(), deleted("once")], Some(0));
    assert_eq!(run("once", "read line; echo got $line"), wanted);
    let wanted = (["got by hand\n".to_owned(), deleted("twice")], Some(3));
    assert_eq!(run("twice", "read line; echo got $line; exit 3"), wanted);
}

fn xctl(demo: &Demo, words: &[&str]) -> Command {
    Xctl::new(&demo.kubeconfig()).command(words)
}

fn open(xctl: &Xctl, words: &[&str]) -> Result<Forward> {
    Forward::open(xctl.command(&[&["port-forward"], words].concat()))
}

/// A stream that holds this and then ends.
fn pipe_of(text: &str) -> Stdio {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(text.as_bytes()).expect("it has room");
    reader.into()
}

/// The command lines of this machine, hosts and pods included.
fn processes() -> Vec<String> {
    let all = fs::read_dir("/proc").expect("proc").filter_map(Result::ok);
    let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ")).collect()
}

fn curl(args: &[&str]) -> Result<String> {
    let output =
        Command::new("curl").args(["-fsS", "--max-time", "120"]).args(args).output().context("curl")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
