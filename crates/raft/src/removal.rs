//! Whether this master was taken out of the cluster. It may never be told: the entry that
//! takes it out is replicated to those that stay. But it hears from no leader then and asks
//! for votes, and whoever answers says whether it is in the membership that was applied
//! there. That one does not know it proves nothing, as that one may be behind; that it was a
//! member by one committed entry and is none by a later one does, since an id never comes
//! back. A master without a vote asks for none, and one that nobody answers hears nothing.

use tokio::sync::watch;

use crate::types::StoredMembership;

/// What one master's newest applied membership says of a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Where in the log that membership stands.
    pub(crate) at: u64,
    /// It has the master as a member, with a vote or without.
    pub(crate) member: bool,
}

impl Standing {
    /// `None` while no membership was applied.
    pub(crate) fn of(id: u64, applied: &StoredMembership) -> Option<Self> {
        let at = applied.log_id().as_ref()?.index;
        Some(Self { at, member: applied.membership().get_node(&id).is_some() })
    }
}

/// All that was heard of one master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// The newest committed membership that is known to have it.
    member_at: Option<u64>,
    /// The newest that is known not to have it.
    absent_at: Option<u64>,
}

impl Evidence {
    pub(crate) fn add(&mut self, standing: Standing) {
        let newest = if standing.member { &mut self.member_at } else { &mut self.absent_at };
        *newest = (*newest).max(Some(standing.at));
    }

    fn and(self, other: Self) -> Self {
        let member_at = self.member_at.max(other.member_at);
        Self { member_at, absent_at: self.absent_at.max(other.absent_at) }
    }

    /// It was a member, and then was none.
    fn proves_removal(self) -> bool {
        self.member_at.is_some() && self.absent_at > self.member_at
    }
}

/// Ends once it is proven of this master, from what it applies itself and from what others
/// say. Never ends when the store does first.
pub(crate) async fn proven(
    me: u64,
    mut applied: watch::Receiver<StoredMembership>,
    mut heard: watch::Receiver<Evidence>,
) {
    let mut own = Evidence::default();
    loop {
        if let Some(standing) = Standing::of(me, &applied.borrow_and_update()) {
            own.add(standing);
        }
        if own.and(*heard.borrow_and_update()).proves_removal() {
            return;
        }
        let changed = tokio::select! {
            changed = applied.changed() => changed,
            changed = heard.changed() => changed,
        };
        if changed.is_err() {
            return std::future::pending().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proves(heard: &[(u64, bool)]) -> bool {
        let mut evidence = Evidence::default();
        for (at, member) in heard {
            evidence.add(Standing { at: *at, member: *member });
        }
        evidence.proves_removal()
    }

    #[test]
    fn only_a_later_membership_without_it_proves_that_it_was_taken_out() {
        let cases: [(&[(u64, bool)], bool); 7] = [
            (&[], false),
            (&[(7, true)], false),
            // It joins, and is not known yet.
            (&[(7, false)], false),
            (&[(7, false), (9, true)], false),
            (&[(7, true), (9, false)], true),
            // In whatever order it is heard, and from whomever that is behind.
            (&[(9, false), (7, true)], true),
            (&[(7, true), (3, false), (9, false), (5, true)], true),
        ];
        for (heard, expected) in cases {
            assert_eq!(proves(heard), expected, "{heard:?}");
        }
    }
}
