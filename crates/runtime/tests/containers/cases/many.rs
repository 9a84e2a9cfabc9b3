//! Many at once, and how long one takes.

use std::time::{Duration, Instant};

use xebec_runtime::Runtime;

use crate::world::World;

pub(super) async fn many_pods_at_once() {
    let world = World::new().await;
    let at = Instant::now();
    let start = async |round: usize| {
        let uid = format!("u{round}");
        world.node.run_sandbox(world.sandbox(&uid)).await.expect("runs");
        for id in ["a", "b"] {
            let spec = world.container(&format!("{id}-{round}"), "echo up; exec sleep 1000");
            world.node.start_container(&uid, spec).await.expect("starts");
        }
        let ended = world.container(&format!("c-{round}"), "exit 2");
        world.node.start_container(&uid, ended).await.expect("starts");
        assert_eq!(world.ended(&uid, &format!("c-{round}")).await.0, 2);
        uid
    };
    let uids = futures::future::join_all((0..20).map(start)).await;
    eprintln!("  60 containers in 20 pods after {} ms", at.elapsed().as_millis());
    let sandboxes = world.node.list().await.expect("lists");
    let ips: std::collections::BTreeSet<_> = sandboxes.iter().flat_map(|sandbox| &sandbox.ips).collect();
    assert_eq!((sandboxes.len(), ips.len()), (20, 20));
    futures::future::join_all(uids.iter().map(async |uid| {
        world.node.remove_sandbox(uid).await.expect("removes");
    }))
    .await;
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

/// Not a test of speed: it prints what it measures.
pub(super) async fn starts_are_fast() {
    let world = World::new().await;
    let (mut sandboxes, mut containers, mut execs, mut removals) = (vec![], vec![], vec![], vec![]);
    for round in 0..10 {
        let uid = format!("u{round}");
        let at = Instant::now();
        world.node.run_sandbox(world.sandbox(&uid)).await.expect("runs");
        sandboxes.push(at.elapsed());
        let at = Instant::now();
        world.node.start_container(&uid, world.container("a-0", "exec sleep 1000")).await.expect("starts");
        containers.push(at.elapsed());
        let at = Instant::now();
        world.exec(&uid, "a-0", "true").await;
        execs.push(at.elapsed());
        let at = Instant::now();
        world.node.remove_sandbox(&uid).await.expect("removes");
        removals.push(at.elapsed());
    }
    for (what, mut times) in
        [("sandbox", sandboxes), ("container", containers), ("exec", execs), ("removal", removals)]
    {
        times.sort();
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        eprintln!("  {what}: median {:.1} ms, worst {:.1} ms", ms(times[times.len() / 2]), ms(times[9]));
    }
}
