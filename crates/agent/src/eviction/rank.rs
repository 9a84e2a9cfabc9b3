//! Which pod goes first when its node is short of something, as the kubelet ranks them. Pure.

use std::cmp::Reverse;

use xebec_api::quantity::Quantity;

use super::signal::Resource;

/// A pod, and what it takes of what is short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) uid: String,
    /// As logs name it.
    pub(crate) name: String,
    pub(crate) priority: i64,
    /// It is never evicted.
    pub(crate) is_critical: bool,
    /// What it asked for.
    pub(crate) request: i128,
    /// What it takes; nothing where that could not be measured.
    pub(crate) usage: Option<i128>,
    /// Its containers that take more than they asked for.
    pub(crate) greedy: Vec<Greedy>,
}

/// A container that takes more than it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greedy {
    pub(crate) name: String,
    pub(crate) usage: Quantity,
    pub(crate) request: Quantity,
}

impl Candidate {
    /// What it takes beyond what it asked for; below zero where it keeps to that.
    fn excess(&self) -> i128 {
        self.usage.unwrap_or_default() - self.request
    }
}

/// Puts the one that goes first to the front. Who takes more than it asked for goes before who
/// does not, then the less important before the more, then the greedier before the less. What
/// cannot be measured goes first. Nobody asks for process ids, so that importance decides.
pub(crate) fn rank(resource: Resource, candidates: &mut [Candidate]) {
    candidates.sort_by(|one, other| one.uid.cmp(&other.uid));
    match resource {
        Resource::Pids => {
            candidates.sort_by_key(|it| (it.priority, it.usage.is_some(), Reverse(it.usage)));
        }
        Resource::Memory | Resource::EphemeralStorage | Resource::Inodes => candidates.sort_by_key(|it| {
            let keeps_to_it = it.usage.is_some() && it.excess() <= 0;
            (it.usage.is_some(), keeps_to_it, it.priority, Reverse(it.excess()))
        }),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn candidate(uid: &str, priority: i64, request: i128, usage: Option<i128>) -> Candidate {
        Candidate { uid: uid.to_owned(), priority, request, usage, ..Candidate::default() }
    }

    fn ranked(resource: Resource, mut candidates: Vec<Candidate>) -> String {
        rank(resource, &mut candidates);
        let line = |it: &Candidate| {
            let Candidate { uid, priority, request, usage, .. } = it;
            format!("{uid}: priority {priority}, takes {usage:?} of {request}\n")
        };
        candidates.iter().map(line).collect()
    }

    fn some() -> Vec<Candidate> {
        vec![
            candidate("keeps-to-it", 0, 100, Some(100)),
            candidate("asks-for-much", 0, 900, Some(300)),
            candidate("important", 9, 0, Some(800)),
            candidate("greedy", 0, 100, Some(400)),
            candidate("greedier", 0, 10, Some(390)),
            candidate("best-effort", 0, 0, Some(1)),
            candidate("as-greedy", 0, 200, Some(500)),
            candidate("less-than-nothing", -1, 100, Some(101)),
            candidate("unknown", 7, 1000, None),
        ]
    }

    #[test]
    fn who_takes_more_than_it_asked_for_goes_first_then_the_less_important_then_the_greedier() {
        let wanted = expect![[r#"
            unknown: priority 7, takes None of 1000
            less-than-nothing: priority -1, takes Some(101) of 100
            greedier: priority 0, takes Some(390) of 10
            as-greedy: priority 0, takes Some(500) of 200
            greedy: priority 0, takes Some(400) of 100
            best-effort: priority 0, takes Some(1) of 0
            important: priority 9, takes Some(800) of 0
            keeps-to-it: priority 0, takes Some(100) of 100
            asks-for-much: priority 0, takes Some(300) of 900
        "#]];
        for resource in [Resource::Memory, Resource::EphemeralStorage, Resource::Inodes] {
            wanted.assert_eq(&ranked(resource, some()));
            wanted.assert_eq(&ranked(resource, some().into_iter().rev().collect()));
        }
    }

    #[test]
    fn of_process_ids_the_less_important_goes_first_then_who_has_most() {
        expect![[r#"
            less-than-nothing: priority -1, takes Some(101) of 100
            as-greedy: priority 0, takes Some(500) of 200
            greedy: priority 0, takes Some(400) of 100
            greedier: priority 0, takes Some(390) of 10
            asks-for-much: priority 0, takes Some(300) of 900
            keeps-to-it: priority 0, takes Some(100) of 100
            best-effort: priority 0, takes Some(1) of 0
            unknown: priority 7, takes None of 1000
            important: priority 9, takes Some(800) of 0
        "#]]
        .assert_eq(&ranked(Resource::Pids, some()));
    }
}
