//! Files and folders of the host, checked by the type that the pod expects.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

/// Makes what is to be made.
///
/// # Errors
/// It is not what the pod expects.
pub(super) fn set_up(path: &str, kind: &str) -> Result<(), String> {
    let there = Path::new(path);
    let failed = |error: std::io::Error| format!("hostPath {path:?}: {error}");
    if kind == "DirectoryOrCreate" && !there.exists() {
        let mode = fs::Permissions::from_mode(0o755);
        fs::create_dir_all(there).and_then(|()| fs::set_permissions(there, mode)).map_err(failed)?;
    }
    if kind == "FileOrCreate" && !there.exists() {
        fs::File::create(there).map_err(failed)?;
    }
    let found = fs::metadata(there).ok().map(|metadata| metadata.file_type());
    let fits = match (kind, found) {
        ("", _) => true,
        (_, None) => false,
        ("Directory" | "DirectoryOrCreate", Some(found)) => found.is_dir(),
        ("File" | "FileOrCreate", Some(found)) => found.is_file(),
        ("Socket", Some(found)) => found.is_socket(),
        ("CharDevice", Some(found)) => found.is_char_device(),
        ("BlockDevice", Some(found)) => found.is_block_device(),
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("hostPath {path:?} is no {kind}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_must_be_what_is_expected() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name).display().to_string();
        assert_eq!(set_up(&path("made"), "DirectoryOrCreate"), Ok(()));
        assert_eq!(set_up(&path("file"), "FileOrCreate"), Ok(()));
        for (name, kind, fits) in [
            ("made", "Directory", true),
            ("made", "File", false),
            ("file", "File", true),
            ("file", "Socket", false),
            ("gone", "Directory", false),
            ("gone", "", true),
        ] {
            let wanted = if fits { Ok(()) } else { Err(format!("hostPath {:?} is no {kind}", path(name))) };
            assert_eq!(set_up(&path(name), kind), wanted, "{name} {kind}");
        }
        assert_eq!(set_up("/dev/null", "CharDevice"), Ok(()));
    }
}
