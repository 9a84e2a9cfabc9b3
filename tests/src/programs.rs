//! The programs under test, as cargo built them beside the tests.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

/// The folder of the binaries under test.
///
/// # Panics
/// When this is no test of cargo's.
#[must_use]
pub fn folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let deps = test.parent().expect("a test lies in deps/");
    deps.parent().expect("deps/ lies in the profile's folder").to_owned()
}

/// The binary.
#[must_use]
pub fn xebec() -> PathBuf {
    folder().join("xebec")
}

/// The command line client: the same file by its other name.
#[must_use]
pub fn xctl() -> Command {
    let mut command = Command::new(xebec());
    command.arg0("xctl");
    command
}
