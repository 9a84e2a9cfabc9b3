//! Every namespace gets its two objects, and a changed CA is put right.

use expect_test::expect;

use super::*;
use crate::world::World;

#[test]
fn a_namespace_has_an_account_and_the_ca() {
    let mut world = World::new();
    world.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}));
    expect![[r#"
        create ServiceAccount default
        create ConfigMap kube-root-ca.crt
    "#]]
    .assert_eq(&world.writes(&[&ServiceAccounts]));
    world.edit(CONFIG_MAPS, "x", ROOT_CA, |map| map.set(&["data", "ca.crt"], "forged"));
    world.delete(SERVICE_ACCOUNTS, "x", ACCOUNT, None);
    expect![[r#"
        create ServiceAccount default
        update ConfigMap kube-root-ca.crt
    "#]]
    .assert_eq(&world.writes(&[&ServiceAccounts]));
    let map = world.get(CONFIG_MAPS, "x", ROOT_CA).expect("it exists");
    assert_eq!(map.text(&["data", "ca.crt"]), "PEM");
}
