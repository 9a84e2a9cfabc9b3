//! Real containers from busybox, in a network namespace of their own.
//!
//! This binary is also the shim (`shim --dir …`) and an agent to be killed (`agent …`), because the runtime starts its
//! own executable. It has no test harness: a shim must not have threads.
#![allow(clippy::print_stderr, reason = "it is its own test harness")]

mod cases;
mod world;

use std::time::Instant;

use nix::sched::{CloneFlags, unshare};
use xebec_tests::skips::root_or_skip;

fn main() {
    let mut args = std::env::args_os();
    args.next();
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("shim") => std::process::exit(xebec_runtime::shim_main(args.skip(1), || ())),
        Some("agent") => return world::run(cases::agent(words[1].clone().into())),
        Some("greet") => return eprintln!("hello from {}", std::env::args().next().unwrap_or_default()),
        _ => {}
    }
    if !root_or_skip("containers") {
        return;
    }
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace of our own");
    // The node's own address.
    for line in ["link set lo up", "address add 10.88.0.1/32 dev lo"] {
        let done =
            std::process::Command::new("ip").args(line.split(' ')).status().expect("iproute2 is installed");
        assert!(done.success(), "ip {line}");
    }
    let wanted = |name: &str| {
        let mut filters = words.iter().filter(|word| !word.starts_with('-')).peekable();
        filters.peek().is_none() || filters.any(|filter| name.contains(filter.as_str()))
    };
    let mut failed = 0;
    for (name, case) in cases::all().into_iter().filter(|(name, _)| wanted(name)) {
        let started = Instant::now();
        let result = std::panic::catch_unwind(|| world::run(case()));
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        eprintln!("test {name} ... {verdict} ({} ms)", started.elapsed().as_millis());
        failed += i32::from(result.is_err());
    }
    std::process::exit(failed);
}
