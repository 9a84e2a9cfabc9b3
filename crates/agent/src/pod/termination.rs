//! What a container says of its own end: a file that it may write (`terminationMessagePath`),
//! or, where it fails without a word and the pod asks for that, the end of its log.
//!
//! The file lies beside the run's log and goes with it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::Container;
use xebec_runtime::{ContainerPhase, ContainerState, Mount};

use crate::logs;
use crate::pod::containers::find;
use crate::pod::machine::parse_run;
use crate::pod::sandboxes::log_dir;
use crate::pod::worker::Bound;
use crate::run::Agent;

/// So much of a file is shown.
const FILE_BYTES: u64 = 4096;
/// So much of a log.
const LOG_BYTES: usize = 2048;
const LOG_LINES: usize = 80;
/// A log's end is looked for in this much of it.
const LOG_WINDOW_BYTES: u64 = 64 << 10;

fn folder(agent: &Agent, bound: &Bound, container: &str) -> PathBuf {
    log_dir(agent, bound.object.uid()).join(container)
}

fn file(agent: &Agent, bound: &Bound, container: &str, attempt: u32) -> PathBuf {
    folder(agent, bound, container).join(format!("{attempt}.termination"))
}

/// Makes the file for a run, for any user to write to, and the mount that shows it.
///
/// # Errors
/// The node's disk does not take it.
pub(super) fn prepare(
    agent: &Agent,
    bound: &Bound,
    container: &Container,
    attempt: u32,
) -> std::io::Result<Option<Mount>> {
    let Some(path) = container.termination_message_path.as_deref().filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let file = file(agent, bound, &container.name, attempt);
    fs::create_dir_all(folder(agent, bound, &container.name))?;
    fs::write(&file, "")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666))?;
    Ok(Some(Mount::bind(file, path, false)))
}

/// What a run that has ended says of it; empty where it says nothing.
pub(super) fn message(agent: &Agent, bound: &Bound, state: &ContainerState) -> String {
    let Some((name, attempt)) = parse_run(&state.id) else { return String::new() };
    let Some(container) = find(&bound.pod, name) else { return String::new() };
    let mut said = Vec::new();
    if let Ok(file) = fs::File::open(file(agent, bound, name, attempt)) {
        // What cannot be read was not said.
        let _ = file.take(FILE_BYTES).read_to_end(&mut said);
    }
    let failed = matches!(state.phase, ContainerPhase::Exited { code, .. } if code != 0);
    let falls_back = container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
    if said.is_empty() && failed && falls_back {
        let log = folder(agent, bound, name).join(format!("{attempt}.log"));
        return logs::end(&log, LOG_WINDOW_BYTES, LOG_LINES, LOG_BYTES);
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Takes away what an old run left: its word and its log.
pub(super) fn sweep(agent: &Agent, bound: &Bound, container: &str, attempt: u32) {
    let log = folder(agent, bound, container).join(format!("{attempt}.log"));
    for path in [file(agent, bound, container, attempt), log] {
        // What is not there is gone.
        let _ = fs::remove_file(path);
    }
}
