//! The README's way in by grpcurl, word for word, on three masters: the commands that
//! run here are taken from it.

use std::process::Command;

use expect_test::{expect, expect_file};
use serde_json::Value;
use xebec_tests::grpcurl;
use xebec_tests::masters::Masters;

/// What comes after the README's commands: how numbers fare.
const NUMBERS: &str = r#"
xg -d '{"target": {"resource": "services", "namespace": "default"}, "object": {"struct": {
          "metadata": {"name": "web"}, "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}}}}' \
    10.99.0.11:6443 xebec.v1.Resources/Create >service.json
xg -d '{"target": {"resource": "services", "namespace": "default", "name": "web"}, "encoding": "ENCODING_JSON"}' \
    10.99.0.12:6443 xebec.v1.Resources/Get | jq -r .object.json | base64 -d | grep -o '"ports":[^]]*]'
"#;

#[test]
fn the_readmes_commands_work() {
    let masters = Masters::three();
    let readme = commands_of_the_readme();
    assert!(
        readme.contains(&format!("go install {}\n", grpcurl::PROGRAM)),
        "the README installs what is tested"
    );
    let commands: Vec<&str> = readme.lines().filter(|line| !line.starts_with("go ")).collect();
    let told = run(&masters, &commands.join("\n"));
    expect_file!["grpcurl.txt"].assert_eq(&stable(&told));

    let way_in: Vec<&str> = commands.iter().copied().take_while(|line| !line.starts_with("xg 10")).collect();
    let numbers = run(&masters, &format!("{}{NUMBERS}", way_in.join("\n")));
    expect![[r#"
        "ports":[{"nodePort":30080,"port":80,"protocol":"TCP","targetPort":80}]
    "#]]
    .assert_eq(&numbers);
}

/// The block of commands under "With grpcurl".
fn commands_of_the_readme() -> String {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README");
    let (_, section) = readme.split_once("\n## With grpcurl\n").expect("a section on grpcurl");
    let (_, block) = section.split_once("```sh\n").expect("commands");
    block.split_once("```").expect("their end").0.to_owned()
}

/// Runs commands as the README's reader does, but against these masters.
fn run(masters: &Masters, commands: &str) -> String {
    let commands = masters.names().iter().fold(commands.to_owned(), |text, name| {
        let readmes = format!("10.99.0.1{}:6443", name.trim_start_matches('m'));
        text.replace(&readmes, &masters.client_address(name))
    });
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands])
        .current_dir(masters.dir())
        .env("KUBECONFIG", masters.kubeconfig())
        .env("PATH", format!("{}:{path}", grpcurl::folder().display()))
        .output()
        .expect("bash");
    let told = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    told
}

/// The answers without what differs from run to run: text as it is, objects one a line.
fn stable(told: &str) -> String {
    let start = told.find("\n{\n").expect("answers after the descriptions") + 1;
    let (mut text, answers) = (told[..start].to_owned(), &told[start..]);
    for answer in serde_json::Deserializer::from_str(answers).into_iter::<Value>() {
        let mut answer = answer.expect("JSON");
        settle(&mut answer);
        text.push_str(&format!("{answer}\n"));
    }
    text
}

fn settle(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match name.as_str() {
                    "creationTimestamp" | "time" | "uid" | "resourceVersion" | "continue" => {
                        assert!(field.as_str().is_some_and(|text| !text.is_empty()), "{name}: {field}");
                        *field = format!("({name})").into();
                    }
                    _ => settle(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(settle),
        _ => {}
    }
}
