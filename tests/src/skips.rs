//! Tests that cannot run everywhere. One that is skipped says so, and why, on the process's own
//! stderr: what a test prints by macros is shown only when it fails. Where nothing may be skipped it fails.

use std::io::Write as _;

/// Set, and not empty, where every test must run: by `scripts/test.sh` as root, and by `.ci/run`.
pub const NO_SKIPS: &str = "XEBEC_TEST_NO_SKIPS";

/// Whether this process is root. If not, the test that asks is to end: it is skipped, and that is said.
///
/// # Panics
/// When it is not, where nothing may be skipped.
#[must_use]
pub fn root_or_skip(needed_for: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        skip(&format!("root is needed for {needed_for}"));
    }
    root
}

/// Says that the test that asks is skipped.
///
/// # Panics
/// Where nothing may be skipped.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    // libtest names a thread after its test, unless all of them run on the first one.
    let test = thread.name().filter(|name| *name != "main").unwrap_or("a test");
    let no_skips = std::env::var_os(NO_SKIPS).is_some_and(|value| !value.is_empty());
    match verdict(no_skips, test, why) {
        Ok(line) => {
            // Where stderr is closed there is nobody to tell.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
        Err(line) => panic!("{line}"),
    }
}

/// What is said of a test that cannot run; an error where it must.
fn verdict(no_skips: bool, test: &str, why: &str) -> Result<String, String> {
    if no_skips {
        return Err(format!("{test} cannot run, and {NO_SKIPS} says that every test must: {why}"));
    }
    Ok(format!("SKIPPED {test}: {why}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_says_why_and_is_a_failure_where_none_is_allowed() {
        let why = "root is needed for mounts";
        assert_eq!(verdict(false, "volumes::mounts", why), Ok(format!("SKIPPED volumes::mounts: {why}\n")));
        let failure = "volumes::mounts cannot run, and XEBEC_TEST_NO_SKIPS says that every test must: root is needed for mounts";
        assert_eq!(verdict(true, "volumes::mounts", why), Err(failure.to_owned()));
    }
}
