//! The members, as the master that is asked sees them: which answer, which has a name, and
//! which may be taken out.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpStream;
use xebec_raft::{Member, MemberStatus};

/// How long a member may take to accept a connection.
const ANSWER: Duration = Duration::from_millis(300);

/// The ids of the members whose peers' port answers.
pub(crate) async fn answering(members: &[MemberStatus], me: &str) -> BTreeSet<u64> {
    let answers = members.iter().map(|member| async move {
        let connect = TcpStream::connect(&member.member.peer_address);
        let answers =
            member.member.name == me || matches!(tokio::time::timeout(ANSWER, connect).await, Ok(Ok(_)));
        answers.then_some(member.raft_id)
    });
    join_all(answers).await.into_iter().flatten().collect()
}

/// The id of the member of this name.
///
/// # Errors
/// That there is none, and which there are.
pub(crate) fn named(members: &[MemberStatus], name: &str) -> Result<u64, String> {
    let found = members.iter().find(|member| member.member.name == name);
    found.map(|member| member.raft_id).ok_or_else(|| {
        let mut names: Vec<&str> = members.iter().map(|member| member.member.name.as_str()).collect();
        names.sort_unstable();
        format!("there is no master {name:?}: the masters are {}", names.join(", "))
    })
}

/// Whether a joining master is new. It is not where it was taken in before and asks again, as
/// it never heard the answer: it has no vote yet then.
///
/// # Errors
/// That another has its name or its id, and what to do.
pub(crate) fn is_new(members: &[MemberStatus], id: u64, joining: &Member) -> Result<bool, String> {
    let twin = members.iter().find(|known| known.member.name == joining.name || known.raft_id == id);
    let Some(MemberStatus { raft_id, member, voter, .. }) = twin else { return Ok(true) };
    if *raft_id == id && member == joining && !voter {
        return Ok(false);
    }
    let name = &member.name;
    Err(format!(
        "a master named {name:?} is a member already: take it out first (`xctl cluster remove-master {name}`), \
         or choose another name"
    ))
}

/// Whether a majority of the voters that stay answers once this member is out: without one
/// the removal would never be decided, and nothing else after it.
///
/// # Errors
/// Which do not answer, and what to do.
pub(crate) fn may_be_removed(
    members: &[MemberStatus],
    answering: &BTreeSet<u64>,
    id: u64,
) -> Result<(), String> {
    let staying = members.iter().filter(|member| member.voter && member.raft_id != id);
    let (there, away): (Vec<&MemberStatus>, Vec<&MemberStatus>) =
        staying.partition(|member| answering.contains(&member.raft_id));
    // Nobody at all would stay: that is Raft's to refuse.
    if away.is_empty() || there.len() > away.len() {
        return Ok(());
    }
    let mut silent: Vec<&str> = away.iter().map(|member| member.member.name.as_str()).collect();
    silent.sort_unstable();
    Err(format!(
        "the masters that would be left had no majority, and nothing could be written any more: no answer from {}; \
         start what does not answer, or take it out first",
        silent.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(raft_id: u64, voter: bool) -> MemberStatus {
        let member = Member { name: format!("m{raft_id}"), ..Member::default() };
        MemberStatus { raft_id, member, voter, matched_index: None }
    }

    #[test]
    fn a_member_is_found_by_its_name() {
        let members = [member(2, true), member(1, true)];
        assert_eq!(named(&members, "m2"), Ok(2));
        let none = named(&members, "m9").expect_err("nobody's name");
        assert_eq!(none, "there is no master \"m9\": the masters are m1, m2");
    }

    #[test]
    fn who_asks_again_to_join_is_let_in_and_a_twin_is_not() {
        let members = [member(1, true), member(2, false)];
        let named = |name: &str| Member { name: name.to_owned(), ..Member::default() };
        assert_eq!(is_new(&members, 3, &named("m3")), Ok(true));
        assert_eq!(is_new(&members, 2, &named("m2")), Ok(false), "it heard no answer");
        let moved = Member { peer_address: "10.0.0.2:6444".to_owned(), ..named("m2") };
        for (why, id, twin) in [
            ("it votes", 1, named("m1")),
            ("another id", 3, named("m2")),
            ("another name", 2, named("m3")),
            ("another address", 2, moved),
        ] {
            let refused = is_new(&members, id, &twin).expect_err(why);
            assert!(refused.contains("is a member already: take it out first"), "{why}: {refused}");
        }
    }

    #[test]
    fn who_stays_must_have_a_majority() {
        let three = [member(1, true), member(2, true), member(3, true)];
        let all = BTreeSet::from([1, 2, 3]);
        let without_2 = BTreeSet::from([1, 3]);
        assert_eq!(may_be_removed(&three, &without_2, 2), Ok(()), "the one that is lost");
        assert_eq!(may_be_removed(&three, &all, 2), Ok(()));
        assert_eq!(
            may_be_removed(&three, &without_2, 3).expect_err("one of two would be left"),
            "the masters that would be left had no majority, and nothing could be written any more: no answer \
             from m2; start what does not answer, or take it out first"
        );
        // Who has no vote does not count.
        let learning = [member(1, true), member(2, false)];
        assert_eq!(may_be_removed(&learning, &BTreeSet::from([1]), 2), Ok(()));
        assert_eq!(may_be_removed(&[member(1, true)], &BTreeSet::from([1]), 1), Ok(()), "left to Raft");
    }
}
