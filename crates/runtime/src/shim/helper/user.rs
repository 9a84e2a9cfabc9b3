//! Who a container's process is: resolved from the image's own /etc/passwd and /etc/group, never from the host's.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::Security;
use crate::image::RootedDir;

/// The largest passwd or group file that is read.
const FILE_BYTES: u64 = 4 << 20;

/// A resolved user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Further groups, sorted.
    pub(super) groups: Vec<u32>,
    /// The home folder.
    pub(super) home: String,
}

/// Resolves what the pod asks for, else what the image says (`user`, `uid`, `user:group`, `uid:gid`; empty is root).
pub(super) fn resolve(root: &RootedDir, image_user: &str, security: &Security) -> Result<User, String> {
    let passwd = read(root, "etc/passwd");
    let group = read(root, "etc/group");
    let user = resolve_in(&passwd, &group, image_user, security)?;
    if security.run_as_non_root && user.uid == 0 {
        return Err("container has runAsNonRoot and image will run as root: set runAsUser".into());
    }
    Ok(user)
}

/// A file of the image; empty where it is not there or cannot be read.
fn read(root: &RootedDir, path: &str) -> String {
    let mut text = Vec::new();
    let opened: std::io::Result<File> = root.open_file(Path::new(path));
    if let Ok(file) = opened {
        // A file cut short gives the users before the cut.
        let _ = file.take(FILE_BYTES).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn resolve_in(passwd: &str, group: &str, image_user: &str, security: &Security) -> Result<User, String> {
    let (user, image_group) = match image_user.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (image_user, None),
    };
    let asked = security.run_as_user.map(|uid| uid.to_string());
    let wanted = asked.as_deref().unwrap_or(if user.is_empty() { "0" } else { user });
    let line = find(passwd, 7, wanted);
    let uid = match (&line, wanted.parse::<u32>()) {
        (Some(line), _) => number(line, 2)?,
        (None, Ok(uid)) => uid,
        (None, Err(_)) => return Err(format!("the image has no user {wanted:?} in /etc/passwd")),
    };
    let gid = match (security.run_as_group, asked.is_none().then_some(image_group).flatten(), &line) {
        (Some(gid), _, _) => gid,
        (None, Some(name), _) => find_group(group, name)?,
        (None, None, Some(line)) => number(line, 3)?,
        (None, None, None) => 0,
    };
    let mut groups = security.supplemental_groups.clone();
    if let Some(line) = &line {
        groups.extend(memberships(group, line[0]));
    }
    groups.sort_unstable();
    groups.dedup();
    let home = line.map(|line| line[5]).filter(|home| !home.is_empty()).unwrap_or("/").to_owned();
    Ok(User { uid, gid, groups, home })
}

/// The line whose name, or failing that whose number, is `wanted`.
fn find<'a>(text: &'a str, fields: usize, wanted: &str) -> Option<Vec<&'a str>> {
    let lines =
        || text.lines().map(|line| line.split(':').collect::<Vec<_>>()).filter(|line| line.len() >= fields);
    lines().find(|line| line[0] == wanted).or_else(|| lines().find(|line| line[2] == wanted))
}

fn find_group(group: &str, name: &str) -> Result<u32, String> {
    match (find(group, 4, name), name.parse::<u32>()) {
        (Some(line), _) => number(&line, 2),
        (None, Ok(gid)) => Ok(gid),
        (None, Err(_)) => Err(format!("the image has no group {name:?} in /etc/group")),
    }
}

fn memberships(group: &str, user: &str) -> Vec<u32> {
    let lines = group.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let member = |line: &Vec<&str>| line.len() >= 4 && line[3].split(',').any(|name| name.trim() == user);
    lines.filter(member).filter_map(|line| line[2].parse().ok()).collect()
}

fn number(line: &[&str], field: usize) -> Result<u32, String> {
    line[field].parse().map_err(|_| format!("{:?} is not a number in the image's user files", line[field]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn users_are_resolved_from_the_image() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/var/www:\nbroken\nodd:x:no:1::/:\n";
        let group = "root:x:0:\nweb:x:34:\nadm:x:4:web,root\nlog:x:5:web\n";
        let plain = Security::default();
        let as_user = Security { run_as_user: Some(33), ..Security::default() };
        let as_group = Security {
            run_as_user: Some(1000),
            run_as_group: Some(7),
            supplemental_groups: vec![9, 8, 9],
            ..Security::default()
        };
        let cases = [
            ("", &plain),
            ("web", &plain),
            ("33:adm", &plain),
            ("1000", &plain),
            ("1000:1001", &plain),
            ("nobody", &plain),
            ("web:none", &plain),
            ("odd", &plain),
            ("0:4", &as_user),
            ("web", &as_group),
        ];
        let show = |(user, security): &(&str, &Security)| match resolve_in(passwd, group, user, security) {
            Ok(found) => {
                format!("{user:?}: {}:{} {:?} {}\n", found.uid, found.gid, found.groups, found.home)
            }
            Err(message) => format!("{user:?}: {message}\n"),
        };
        expect![[r#"
            "": 0:0 [4] /root
            "web": 33:34 [4, 5] /var/www
            "33:adm": 33:4 [4, 5] /var/www
            "1000": 1000:0 [] /
            "1000:1001": 1000:1001 [] /
            "nobody": the image has no user "nobody" in /etc/passwd
            "web:none": the image has no group "none" in /etc/group
            "odd": "no" is not a number in the image's user files
            "0:4": 33:34 [4, 5] /var/www
            "web": 1000:7 [8, 9] /
        "#]]
        .assert_eq(&cases.iter().map(show).collect::<String>());
    }
}
