//! How clients are spread over endpoints, and kept at one.

use std::collections::HashMap;
use std::time::Duration;

use super::*;

const CONNECTIONS: u32 = 10_000;
/// The value that chi-square with three degrees of freedom exceeds once in ten thousand.
const CHI_SQUARE: f64 = 21.1;

const FOUR: [(&str, bool); 4] = [
    ("10.42.0.2:8080", true),
    ("10.42.0.3:8080", true),
    ("10.42.1.2:8080", false),
    ("10.42.1.2:8081", false),
];

fn four_servers(lab: &Lab) -> [lab::Server; 4] {
    let hosts = ["pod1", "pod2", "pod3", "pod3"];
    std::array::from_fn(|index| lab.serve(hosts[index], FOUR[index].0))
}

fn who(lab: &Lab, from: &str) -> String {
    let answer = lab.ask(from, "10.99.0.1:30080");
    answer.split(' ').next().expect("an address").to_owned()
}

#[test]
fn ten_thousand_connections_spread_evenly() {
    let Some(lab) = Lab::new() else { return };
    let servers = four_servers(&lab);
    let engine = lab.engine();
    engine.apply(&[web(&FOUR)]);
    let mut counts: HashMap<String, u32> = HashMap::new();
    lab.within("outside", || {
        for _ in 0..CONNECTIONS {
            let answer = lab::ask_here("10.99.0.1:30080").expect("answered");
            *counts.entry(answer.split(' ').next().expect("an address").to_owned()).or_default() += 1;
        }
    });
    let expected = f64::from(CONNECTIONS) / 4.0;
    let chi_square: f64 =
        counts.values().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    assert!(counts.len() == 4 && chi_square < CHI_SQUARE, "{chi_square}: {counts:?}");
    engine.stop();
    drop(servers);
}

/// A client that is held meets one endpoint, also when others are added, another one when
/// that goes, and is free again after it stayed away.
#[test]
fn a_client_is_kept_at_its_endpoint_until_its_time_is_over() {
    let Some(lab) = Lab::new() else { return };
    let servers = four_servers(&lab);
    let engine = lab.engine();
    let sticky = |endpoints: &[(&str, bool)], seconds| ServicePort {
        affinity: Some(Duration::from_secs(seconds)),
        ..web(endpoints)
    };
    engine.apply(&[sticky(&FOUR[1..], 3600)]);
    let first = who(&lab, "outside");
    (0..20).for_each(|_| assert_eq!(who(&lab, "outside"), first));
    engine.apply(&[sticky(&FOUR, 3600)]);
    (0..20).for_each(|_| assert_eq!(who(&lab, "outside"), first, "a new endpoint takes nobody away"));
    let others: Vec<(&str, bool)> = FOUR.into_iter().filter(|(address, _)| *address != first).collect();
    engine.apply(&[sticky(&others, 3600)]);
    let second = who(&lab, "outside");
    assert_ne!(second, first);
    (0..20).for_each(|_| assert_eq!(who(&lab, "outside"), second));
    // With no time at all, everybody is new.
    engine.apply(&[sticky(&FOUR, 0)]);
    let met: std::collections::HashSet<String> = (0..64).map(|_| who(&lab, "outside")).collect();
    assert_eq!(met.len(), 4);
    engine.stop();
    drop(servers);
}

/// A client leaves an endpoint with its readiness, at once, and comes back with it.
#[test]
fn nobody_new_meets_an_endpoint_that_is_not_ready() {
    let Some(lab) = Lab::new() else { return };
    let servers = four_servers(&lab);
    let engine = lab.engine();
    for ready in [&FOUR[..], &FOUR[..1], &FOUR[1..], &FOUR[2..3]] {
        let retired = FOUR.iter().filter(|endpoint| !ready.contains(endpoint));
        let retired = retired.map(|(text, local)| Endpoint { address: address(text), local: *local });
        engine.apply(&[ServicePort { retired: retired.collect(), ..web(ready) }]);
        let met: std::collections::HashSet<String> = (0..64).map(|_| who(&lab, "outside")).collect();
        assert_eq!(met, ready.iter().map(|(address, _)| (*address).to_owned()).collect());
    }
    engine.stop();
    drop(servers);
}
