//! Kills a command with everything in its session: its jobs too, which are process groups of their own.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often the session is looked at again, for what was being forked meanwhile.
const LOOKS: usize = 8;

/// Kills the session that a process leads. What made itself a session of its own has left it.
pub(super) fn kill_session(leader: i32) {
    // It may be dead already, here and below.
    let _ = kill(Pid::from_raw(-leader), Signal::SIGKILL);
    let _ = kill(Pid::from_raw(leader), Signal::SIGKILL);
    for _ in 0..LOOKS {
        let left = members(leader);
        if left.is_empty() {
            return;
        }
        for pid in left {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// The living processes of a session.
fn members(session: i32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| session_of(&stat) == Some(session))
    })
    .collect()
}

/// The session in a line of `/proc/PID/stat`; nothing for what is dead and not reaped.
fn session_of(stat: &str) -> Option<i32> {
    // The name, in parentheses, may hold anything; then come state, parent, process group, session.
    let (_, after) = stat.rsplit_once(") ")?;
    if after.starts_with(['Z', 'X']) {
        return None;
    }
    after.split(' ').nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_behind_any_name() {
        assert_eq!(session_of("12 (a) b) (c) S 1 11 10 0 -1 4194560"), Some(10));
        assert_eq!(session_of("12 (a) Z 1 11 10 0 -1"), None);
        assert_eq!(session_of(""), None);
    }
}
