//! How little a node may have left: `[eviction]` of its configuration. What that does not name
//! is as the kubelet has it by default.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use xebec_api::quantity::Quantity;

use super::signal::Signal;

/// The kubelet's own, but for the process ids, of which it has none.
const DEFAULTS: [(Signal, Least); 6] = [
    (Signal::Memory, Least::Mebibytes(100)),
    (Signal::NodeFs, Least::Percent(10)),
    (Signal::NodeFsInodes, Least::Percent(5)),
    (Signal::ImageFs, Least::Percent(15)),
    (Signal::ImageFsInodes, Least::Percent(5)),
    (Signal::Pids, Least::Percent(5)),
];
/// Seconds that a condition is told for after its threshold was met last.
const TRANSITION_SECONDS: u64 = 300;
/// The parts of a whole that a share is counted in.
const WHOLE: u32 = 100_000;

enum Least {
    Mebibytes(i64),
    Percent(u32),
}

impl Least {
    fn limit(self) -> Limit {
        match self {
            Self::Mebibytes(count) => Limit::Amount(Quantity::from_bytes(count << 20)),
            Self::Percent(percent) => Limit::Share(percent * (WHOLE / 100)),
        }
    }
}

/// When a node is short of something, so that it takes no more pods and ends some of its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Eviction {
    /// By signal, how much must be left: an amount, such as `"100Mi"`, or a share of all there
    /// is, such as `"10%"`. `"0%"` turns one off.
    hard: BTreeMap<Signal, Limit>,
    /// By signal, how much must be left beyond that before it is enough again.
    minimum_reclaim: BTreeMap<Signal, Limit>,
    /// How long a node counts as short of what it was short of last.
    pressure_transition_seconds: u64,
}

impl Default for Eviction {
    fn default() -> Self {
        let (hard, minimum_reclaim) = Default::default();
        Self { hard, minimum_reclaim, pressure_transition_seconds: TRANSITION_SECONDS }
    }
}

impl Eviction {
    /// For a node that shares its host's disk with much that is not its own: only one that is
    /// all but full is short.
    #[must_use]
    pub fn on_a_shared_disk() -> Self {
        let disks = [Signal::NodeFs, Signal::NodeFsInodes, Signal::ImageFs, Signal::ImageFsInodes];
        let hard = disks.map(|signal| (signal, Least::Percent(1).limit())).into();
        Self { hard, ..Self::default() }
    }

    /// What a well-formed file still may not say.
    ///
    /// # Errors
    /// Which field, and the fix.
    pub(crate) fn check(&self) -> Result<(), String> {
        let is_nothing = |limit: &Limit| matches!(limit, Limit::Amount(amount) if amount.is_zero());
        if self.hard.values().any(is_nothing) {
            return Err("eviction.hard: an amount must be above zero; \"0%\" turns a signal off".to_owned());
        }
        Ok(())
    }

    /// Every threshold that counts, in the order of [`Signal`].
    pub(crate) fn thresholds(&self) -> Vec<Threshold> {
        let of = |(signal, least): (Signal, Least)| {
            let least = self.hard.get(&signal).copied().unwrap_or_else(|| least.limit());
            let reclaim = self.minimum_reclaim.get(&signal).copied();
            Threshold { signal, least, reclaim }
        };
        DEFAULTS.map(of).into_iter().filter(|threshold| !threshold.least.is_off()).collect()
    }

    /// What must be left of so much.
    pub(crate) fn kept_free(&self, signal: Signal, capacity: u64) -> u64 {
        let threshold = self.thresholds().into_iter().find(|threshold| threshold.signal == signal);
        let least = threshold.map_or(0, |threshold| threshold.least.of(capacity).value());
        u64::try_from(least).unwrap_or(u64::MAX)
    }

    pub(crate) fn transition(&self) -> Duration {
        Duration::from_secs(self.pressure_transition_seconds)
    }
}

/// One threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threshold {
    pub(crate) signal: Signal,
    /// Less than this is too little.
    pub(crate) least: Limit,
    /// What must be left beyond it once it was too little.
    pub(crate) reclaim: Option<Limit>,
}

/// An amount, or a share of all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Limit {
    Amount(Quantity),
    /// So many of [`WHOLE`].
    Share(u32),
}

impl Limit {
    /// The amount that it is of so much.
    pub(crate) fn of(self, capacity: u64) -> Quantity {
        match self {
            Self::Amount(amount) => amount,
            Self::Share(share) => {
                let amount = u128::from(capacity) * u128::from(share) / u128::from(WHOLE);
                Quantity::from_bytes(i64::try_from(amount).unwrap_or(i64::MAX))
            }
        }
    }

    /// As the kubelet has it, for all and for nothing.
    fn is_off(self) -> bool {
        matches!(self, Self::Share(0 | WHOLE))
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(percent) = text.strip_suffix('%') {
            let share =
                Quantity::parse(percent).ok().and_then(|percent| u32::try_from(percent.millis()).ok());
            let share = share.filter(|share| *share <= WHOLE);
            return share.map(Self::Share).ok_or_else(|| {
                format!("{text:?} is no share: write a percentage from \"0%\" to \"100%\", such as \"10%\"")
            });
        }
        let amount = Quantity::parse(&text).map_err(|error| error.to_string())?;
        if amount.is_negative() {
            return Err(format!("{text:?} is below zero: write an amount such as \"100Mi\""));
        }
        Ok(Self::Amount(amount))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn parse(text: &str) -> Result<Eviction, String> {
        let eviction: Eviction = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        eviction.check().map(|()| eviction)
    }

    /// Each threshold as it is on a node that has a thousand mebibytes of everything.
    fn told(eviction: &Eviction) -> String {
        let all = eviction.thresholds().into_iter().map(|it| {
            let reclaim =
                it.reclaim.map(|more| format!(", and {} more once it was short", more.of(1000 << 20)));
            format!("{:?} < {}{}\n", it.signal, it.least.of(1000 << 20), reclaim.unwrap_or_default())
        });
        format!("{}for {:?}\n", all.collect::<String>(), eviction.transition())
    }

    #[test]
    fn what_is_not_named_is_the_kubelets_own() {
        expect![[r#"
            Memory < 100Mi
            NodeFs < 100Mi
            NodeFsInodes < 50Mi
            ImageFs < 150Mi
            ImageFsInodes < 50Mi
            Pids < 50Mi
            for 300s
        "#]]
        .assert_eq(&told(&Eviction::default()));
        let named = r#"
            pressure_transition_seconds = 7
            [hard]
            "memory.available" = "1.5Gi"
            "nodefs.available" = "7.5%"
            "nodefs.inodesFree" = "0%"
            "pid.available" = "1k"
            [minimum_reclaim]
            "memory.available" = "0"
            "nodefs.available" = "1%"
        "#;
        expect![[r#"
            Memory < 1536Mi, and 0 more once it was short
            NodeFs < 75Mi, and 10Mi more once it was short
            ImageFs < 150Mi
            ImageFsInodes < 50Mi
            Pids < 1k
            for 7s
        "#]]
        .assert_eq(&told(&parse(named).expect("a good one")));
        assert!(told(&Eviction::on_a_shared_disk()).contains("NodeFs < 10Mi\n"));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let told: String = [
            "[hard]\n\"memory.free\" = \"1Mi\"",
            "[hard]\nmemory.available = \"1Mi\"",
            "[hard]\n\"memory.available\" = 100",
            "[hard]\n\"memory.available\" = \"lots\"",
            "[hard]\n\"memory.available\" = \"-1Mi\"",
            "[hard]\n\"memory.available\" = \"0\"",
            "[hard]\n\"nodefs.available\" = \"101%\"",
            "[hard]\n\"nodefs.available\" = \"ten%\"",
            "[soft]\n\"memory.available\" = \"1Mi\"",
            "pressure_transition_seconds = -1",
        ]
        .iter()
        .map(|text| format!("{}\n", parse(text).expect_err(text)))
        .collect();
        expect![[r#"
            unknown variant `memory.free`, expected one of `memory.available`, `nodefs.available`, `nodefs.inodesFree`, `imagefs.available`, `imagefs.inodesFree`, `pid.available`
            unknown variant `memory`, expected one of `memory.available`, `nodefs.available`, `nodefs.inodesFree`, `imagefs.available`, `imagefs.inodesFree`, `pid.available`
            invalid type: integer `100`, expected a string
            "lots" is no quantity: write a number with an optional suffix, such as 500m, 2, 128Mi or 1Gi
            "-1Mi" is below zero: write an amount such as "100Mi"
            eviction.hard: an amount must be above zero; "0%" turns a signal off
            "101%" is no share: write a percentage from "0%" to "100%", such as "10%"
            "ten%" is no share: write a percentage from "0%" to "100%", such as "10%"
            unknown field `soft`, expected one of `hard`, `minimum_reclaim`, `pressure_transition_seconds`
            invalid value: integer `-1`, expected u64
        "#]]
        .assert_eq(&told);
    }
}
