//! The table is whole: every row's kind is in it, it knows every field that `k8s-openapi`
//! knows, and no other.

mod known_fields;

use std::collections::BTreeSet;

use expect_test::expect;

use super::*;
use crate::table;

fn line(of: &str, field: &str) -> String {
    let of = get(of).expect("a type");
    format!("{:?}", of.field(field).expect("a field"))
}

#[test]
fn the_table_is_read_in_order() {
    let names: Vec<&str> = all().iter().map(|of| of.name).collect();
    assert!(names.is_sorted() && names.len() > 400, "{} types", names.len());
    for of in all() {
        assert!(of.fields.is_sorted_by_key(|field| field.name), "{}", of.name);
        assert_eq!(of.scalar.is_some(), of.fields.is_empty() && of.scalar.is_some(), "{}", of.name);
        for field in &of.fields {
            if let Some(name) = field.shape.reference() {
                assert!(get(name).is_some(), "{}.{} is a {name}, which is not there", of.name, field.name);
            }
        }
    }
}

#[test]
fn fields_are_as_kubernetes_has_them() {
    expect![[r#"Field { name: "ports", numbers: [6], shape: List(Type("api.core.v1.ContainerPort")), required: false, default: None, patch_strategy: "merge", merge_key: "containerPort", list: Some(Map("containerPort,protocol")), atomic: false, pointer: false, values: "" }"#]]
        .assert_eq(&line("api.core.v1.Container", "ports"));
    expect![[r#"Field { name: "protocol", numbers: [4], shape: Scalar(String), required: false, default: Some("\"TCP\""), patch_strategy: "", merge_key: "", list: None, atomic: false, pointer: false, values: "SCTP|TCP|UDP" }"#]]
        .assert_eq(&line("api.core.v1.ContainerPort", "protocol"));
    expect![[r#"Field { name: "configMap", numbers: [2, 19], shape: Type("api.core.v1.ConfigMapVolumeSource"), required: false, default: None, patch_strategy: "", merge_key: "", list: None, atomic: false, pointer: false, values: "" }"#]]
        .assert_eq(&line("api.core.v1.Volume", "configMap"));
    expect![[r#"Field { name: "finalizers", numbers: [14], shape: List(Scalar(String)), required: false, default: None, patch_strategy: "merge", merge_key: "", list: Some(Set), atomic: false, pointer: false, values: "" }"#]]
        .assert_eq(&line("apimachinery.pkg.apis.meta.v1.ObjectMeta", "finalizers"));
}

#[test]
fn every_row_has_its_facts() {
    for row in table::all() {
        let of = of_kind(&row.api_version(), row.kind);
        let of = of.unwrap_or_else(|| panic!("{} {} has no facts", row.api_version(), row.kind));
        for name in ["apiVersion", "kind", "metadata"] {
            assert!(of.field(name).is_some(), "{}.{name}", of.name);
        }
    }
}

#[test]
fn protobuf_numbers_are_unambiguous() {
    for of in all() {
        let mut seen: BTreeSet<&[u32]> = BTreeSet::new();
        for field in of.fields.iter().filter(|field| !field.numbers.is_empty()) {
            assert!(seen.insert(&field.numbers), "{}.{}: {:?}", of.name, field.name, field.numbers);
        }
        for way in &seen {
            let through = (1..way.len()).any(|length| seen.contains(&way[..length]));
            assert!(!through, "{}: {way:?} leads through a field", of.name);
        }
    }
}

#[test]
fn a_broken_line_is_told() {
    for text in [" orphan 1 string", "a.b\n field", "a.b\n field x string", "a.b\n field 1 text", "a.b what"]
    {
        let error = parse::table(text).expect_err("wrong");
        assert!(error.starts_with("no line of the table of facts"), "{error}");
    }
}
