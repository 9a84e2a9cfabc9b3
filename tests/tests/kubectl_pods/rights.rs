//! `auth`: who one is, and what one may.

use expect_test::expect;
use xebec_tests::kubectl::Kubectl;

pub(super) fn check(kubectl: &Kubectl) {
    expect![[r"
        ATTRIBUTE   VALUE
        Username    xebec-admin
        Groups      [system:masters system:authenticated]
    "]]
    .assert_eq(&kubectl.run(&["auth", "whoami"]).expect("an answer"));
    let eve = ["--as=eve", "--as-group=system:authenticated"];
    let told = kubectl.run(&[&["auth", "whoami"][..], &eve].concat()).expect("an answer");
    assert!(told.contains("\nUsername    eve\n"), "{told}");
    let can = |words: &[&str], more: &[&str]| {
        let output = kubectl.output(&[&["auth", "can-i"], words, more].concat(), "").expect("kubectl starts");
        (String::from_utf8_lossy(&output.stdout).trim_end().to_owned(), output.status.code())
    };
    let (yes, no) = (("yes".to_owned(), Some(0)), ("no".to_owned(), Some(1)));
    for words in [
        &["create", "pods"][..],
        &["get", "pods", "--subresource=log"],
        &["delete", "deployment/website"],
        &["*", "*"],
        &["get", "/healthz"],
    ] {
        assert_eq!(can(words, &[]), yes, "the admin: {words:?}");
        let eves = if words.contains(&"/healthz") { &yes } else { &no };
        assert_eq!(can(words, &eve), *eves, "eve: {words:?}");
    }
    assert_eq!(can(&["create", "pods"], &["--as=eve", "--as-group=system:masters"]), yes);
    let list = kubectl.run(&[&["auth", "can-i", "--list"][..], &eve].concat()).expect("a list");
    assert!(list.contains("selfsubjectaccessreviews.authorization.k8s.io"), "{list}");
    assert!(!list.contains("pods"), "{list}");
}
