//! Follows a node's figures over time: what is too little now, and what the node says of it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use xebec_api::quantity::Quantity;

use super::figures::{Figure, Figures};
use super::signal::Signal;
use super::thresholds::{Eviction, Threshold};
use crate::node_pressure::{Kind, Pressure};

/// What there is too little of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shortage {
    pub(crate) signal: Signal,
    /// What must be left.
    pub(crate) threshold: Quantity,
    /// What is left.
    pub(crate) available: Quantity,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    /// What the node says of itself.
    pub(crate) pressure: Pressure,
    /// What must be done something about first.
    pub(crate) shortage: Option<Shortage>,
}

/// The thresholds, and what was found before.
#[derive(Debug)]
pub(crate) struct Monitor {
    thresholds: Vec<Threshold>,
    transition: Duration,
    /// What was short at the last look, and has to get more than its threshold back.
    short: BTreeSet<Signal>,
    /// When the node was short of it last.
    seen: BTreeMap<Kind, Timestamp>,
}

impl Monitor {
    pub(crate) fn new(eviction: &Eviction) -> Self {
        Self {
            thresholds: eviction.thresholds(),
            transition: eviction.transition(),
            short: BTreeSet::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Takes the next figures.
    pub(crate) fn look(&mut self, figures: &Figures, now: Timestamp) -> Look {
        let short: Vec<Shortage> = self.thresholds.iter().filter_map(|it| self.judge(it, figures)).collect();
        self.short = short.iter().map(|shortage| shortage.signal).collect();
        self.seen.extend(self.short.iter().map(|signal| (signal.kind(), now)));
        // A clock that is set back makes no pressure last.
        self.seen
            .retain(|_, seen| *seen == now || now.duration_since(*seen).unsigned_abs() < self.transition);
        Look { pressure: self.seen.keys().copied().collect(), shortage: short.first().copied() }
    }

    fn judge(&self, threshold: &Threshold, figures: &Figures) -> Option<Shortage> {
        let Threshold { signal, least, reclaim } = *threshold;
        let Figure { available, capacity } = *figures.get(&signal)?;
        let limit = least.of(capacity);
        let more =
            reclaim.filter(|_| self.short.contains(&signal)).map_or(0, |more| more.of(capacity).value());
        let is_short = i128::from(available) < limit.value() + more;
        let left = i64::try_from(available).unwrap_or(i64::MAX);
        let available =
            if signal.is_bytes() { Quantity::from_bytes(left) } else { Quantity::from_value(left) };
        is_short.then_some(Shortage { signal, threshold: limit, available })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn eviction(text: &str) -> Eviction {
        toml::from_str(text).expect("a configuration")
    }

    /// A node with enough of everything but what is said to be left, in mebibytes or in numbers.
    fn figures(left: &[(Signal, u64)]) -> Figures {
        let enough = Figure { available: 1000 * MIB, capacity: 1000 * MIB };
        let all = [Signal::Memory, Signal::NodeFs, Signal::NodeFsInodes, Signal::Pids];
        let mut figures: Figures = all.map(|signal| (signal, enough)).into();
        figures.extend(
            left.iter()
                .map(|(signal, left)| (*signal, Figure { available: left * MIB, capacity: 1000 * MIB })),
        );
        figures
    }

    fn told(look: &Look) -> String {
        let short = look.shortage.map(|it| format!(": {:?} {} < {}", it.signal, it.available, it.threshold));
        format!("{:?}{}\n", look.pressure.names(), short.unwrap_or_default())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn less_than_a_threshold_is_too_little_and_memory_comes_first() {
        let cases: [&[(Signal, u64)]; 7] = [
            &[],
            &[(Signal::Memory, 100), (Signal::NodeFs, 100), (Signal::NodeFsInodes, 50), (Signal::Pids, 50)],
            &[(Signal::Memory, 99)],
            &[(Signal::Memory, 99), (Signal::NodeFs, 99)],
            &[(Signal::NodeFs, 99), (Signal::Pids, 49)],
            &[(Signal::NodeFsInodes, 49)],
            &[(Signal::ImageFs, 149)],
        ];
        let told: String = cases
            .iter()
            .map(|left| told(&Monitor::new(&Eviction::default()).look(&figures(left), at(0))))
            .collect();
        expect![[r#"
            []
            []
            ["MemoryPressure"]: Memory 99Mi < 100Mi
            ["MemoryPressure", "DiskPressure"]: Memory 99Mi < 100Mi
            ["DiskPressure", "PIDPressure"]: NodeFs 99Mi < 100Mi
            ["DiskPressure"]: NodeFsInodes 51380224 < 50Mi
            ["DiskPressure"]: ImageFs 149Mi < 150Mi
        "#]]
        .assert_eq(&told);
    }

    #[test]
    fn what_is_not_known_is_never_short() {
        let look = Monitor::new(&Eviction::default()).look(&Figures::new(), at(0));
        assert_eq!(look, Look { pressure: Pressure::default(), shortage: None });
    }

    #[test]
    fn a_condition_outlasts_its_shortage_and_a_reclaim_wants_more_back() {
        let mut monitor = Monitor::new(&eviction(
            "pressure_transition_seconds = 60\n[minimum_reclaim]\n\"memory.available\" = \"50Mi\"\n",
        ));
        let mut look = |second, left| {
            format!(
                "{second} s, {left}: {}",
                told(&monitor.look(&figures(&[(Signal::Memory, left)]), at(second)))
            )
        };
        let told: String = [(0, 120), (10, 90), (20, 120), (30, 150), (40, 120), (79, 120), (80, 120)]
            .map(|(second, left)| look(second, left))
            .concat();
        expect![[r#"
            0 s, 120: []
            10 s, 90: ["MemoryPressure"]: Memory 90Mi < 100Mi
            20 s, 120: ["MemoryPressure"]: Memory 120Mi < 100Mi
            30 s, 150: ["MemoryPressure"]
            40 s, 120: ["MemoryPressure"]
            79 s, 120: ["MemoryPressure"]
            80 s, 120: []
        "#]]
        .assert_eq(&told);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_pressure_last() {
        let mut monitor = Monitor::new(&Eviction::default());
        let short = figures(&[(Signal::Memory, 1)]);
        assert_eq!(monitor.look(&short, at(1_000_000)).pressure.names(), ["MemoryPressure"]);
        assert_eq!(monitor.look(&figures(&[]), at(0)).pressure, Pressure::default());
        assert_eq!(
            Monitor::new(&eviction("pressure_transition_seconds = 0")).look(&short, at(9)).pressure.names(),
            ["MemoryPressure"]
        );
    }
}
