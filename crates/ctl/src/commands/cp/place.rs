//! Where a copy goes from and to: a path here, or `[NAMESPACE/]POD:PATH`.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// One end of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On this machine.
    Here(PathBuf),
    /// In a container.
    There(There),
}

/// A path in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct There {
    /// The namespace, where one is written.
    pub(super) namespace: Option<String>,
    pub(super) pod: String,
    pub(super) path: String,
}

impl Place {
    /// As it is written. What begins as paths do is one, whatever colons it has.
    ///
    /// # Errors
    /// It lacks a pod or a path.
    pub(super) fn parse(word: &str) -> Result<Self> {
        let is_path = word.starts_with(['/', '.']);
        let Some((pod, path)) = word.split_once(':').filter(|_| !is_path) else {
            if word.is_empty() {
                bail!("a path is empty: write what to copy, and where to");
            }
            return Ok(Self::Here(word.into()));
        };
        let (namespace, pod) = match pod.split_once('/') {
            Some((namespace, pod)) => (Some(namespace.to_owned()), pod),
            None => (None, pod),
        };
        let named = !pod.is_empty() && !pod.contains('/') && namespace.as_deref() != Some("");
        if !named || path.is_empty() {
            bail!("{word:?}: write [NAMESPACE/]POD:PATH, or ./{word} for a file of that name");
        }
        Ok(Self::There(There { namespace, pod: pod.to_owned(), path: path.to_owned() }))
    }
}

/// A path as an archive names it: without what comes before the first name. None where it climbs after that, as none
/// that `tar` writes does.
pub(super) fn names(path: &Path) -> Option<PathBuf> {
    let mut names = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::ParentDir if !names.as_os_str().is_empty() => return None,
            _ => {}
        }
    }
    Some(names)
}

/// A path without `.`, `..` and doubled slashes, as text.
pub(super) fn cleaned(path: &str) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in Path::new(path).components() {
        let climbs = component == Component::ParentDir;
        match component {
            Component::CurDir => {}
            _ if climbs && matches!(clean.components().next_back(), Some(Component::Normal(_))) => {
                clean.pop();
            }
            _ if climbs && clean.has_root() => {}
            other => clean.push(other),
        }
    }
    clean
}

/// The name that a path here has in a folder there. Whatever `.` and `..` stand for has one.
///
/// # Errors
/// The root has none.
pub(super) fn own_name(path: &Path) -> Result<OsString> {
    let whole = if path.file_name().is_some() { path.to_owned() } else { path.canonicalize()? };
    let name = whole.file_name().with_context(|| format!("{} has no name", path.display()))?;
    Ok(name.to_owned())
}

/// The folder in a container that an archive is unpacked in, and the name that the archive has for what is to come to
/// this path.
pub(super) fn folder_and_name(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Some((folder.unwrap_or(Path::new(".")).to_owned(), path.file_name()?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_for_kubectl() {
        let there = |namespace: Option<&str>, pod: &str, path: &str| {
            let namespace = namespace.map(str::to_owned);
            Place::There(There { namespace, pod: pod.to_owned(), path: path.to_owned() })
        };
        let read = |word: &str| Place::parse(word).expect(word);
        assert_eq!(read("web:/tmp/a"), there(None, "web", "/tmp/a"));
        assert_eq!(read("shop/web:a:b"), there(Some("shop"), "web", "a:b"));
        for path in ["a", "./web:a", "/tmp/web:a", "../x"] {
            assert_eq!(read(path), Place::Here(path.into()));
        }
        for wrong in ["", ":", ":/a", "web:", "a/b/c:/d", "shop/:a"] {
            Place::parse(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn names_are_what_tar_makes_of_a_path() {
        let made = |path: &str| names(Path::new(path)).map(|path| path.display().to_string());
        assert_eq!(made("/tmp/a").as_deref(), Some("tmp/a"));
        assert_eq!(made("../../a/./b/").as_deref(), Some("a/b"));
        assert_eq!(made("."), Some(String::new()));
        assert_eq!(made("a/../b"), None);
        let parts = folder_and_name(Path::new("a"));
        assert_eq!(parts, Some((".".into(), "a".into())));
        assert_eq!(folder_and_name(Path::new("/")), None);
        let clean = |path: &str| cleaned(path).display().to_string();
        assert_eq!([clean("/tmp//a/../b/."), clean("/../a"), clean("../a/b/..")], ["/tmp/b", "/a", "../a"]);
    }

    #[test]
    fn what_is_copied_keeps_the_name_that_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (current, release) = (folder.path().join("current"), folder.path().join("release"));
        std::fs::create_dir(&release).expect("made");
        std::os::unix::fs::symlink(&release, &current).expect("made");
        let name = |path: &Path| own_name(path).expect("it has one");
        assert_eq!([name(&current), name(&current.join("."))], ["current", "current"]);
        assert_eq!(Some(name(&release.join("..")).as_os_str()), folder.path().file_name());
        assert_eq!(own_name(Path::new("/")).expect_err("none").to_string(), "/ has no name");
    }
}
