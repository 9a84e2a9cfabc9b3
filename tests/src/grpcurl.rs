//! grpcurl, installed when it is not there.

use std::path::PathBuf;
use std::process::Command;

/// What `go install` takes.
pub const PROGRAM: &str = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4";

/// The folder that it lies in.
///
/// # Panics
/// When it is not there and cannot be installed.
#[must_use]
pub fn folder() -> PathBuf {
    let home = std::env::var("HOME").expect("a home");
    let folder = std::env::var("GOBIN").map_or_else(|_| PathBuf::from(home).join("go/bin"), PathBuf::from);
    if !folder.join("grpcurl").exists() {
        let go = Command::new("go").args(["install", PROGRAM]).env("GOBIN", &folder).status();
        assert!(go.expect("go").success(), "go install {PROGRAM}");
    }
    folder
}
