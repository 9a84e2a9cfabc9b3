//! Pack, import, list, remove; whiteouts, hostile archives, damaged archives.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use expect_test::expect;
use tempfile::TempDir;
use xebec_tests::skips::root_or_skip;

use super::layer::unpack;
use super::pack::{append, file_header};
use super::{Digest, ImageName, PackOptions, ProcessConfig, Store, pack};

fn tree(dir: &Path) {
    fs::create_dir_all(dir.join("bin")).expect("mkdir");
    fs::write(dir.join("bin/tool"), "#!/bin/sh\n").expect("write");
    fs::set_permissions(dir.join("bin/tool"), fs::Permissions::from_mode(0o755)).expect("chmod");
    symlink("tool", dir.join("bin/alias")).expect("symlink");
}

fn options(dir: &Path) -> PackOptions {
    PackOptions {
        dir: dir.to_owned(),
        name: "tool:1".into(),
        process: ProcessConfig { entrypoint: Some(vec!["/bin/tool".into()]), ..Default::default() },
    }
}

#[test]
fn names_are_normalised() {
    let cases = [
        "redis",
        "redis:7",
        "library/redis",
        "index.docker.io/a/b",
        "localhost/x",
        "registry.k8s.io/pause:3.10",
        "h:5000/a/b",
        "a@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "Redis",
        "",
        "a:",
        "a//b",
        "a@sha256:12",
    ];
    let show = |name: &&str| match name.parse::<ImageName>() {
        Ok(parsed) => format!("{name} -> {parsed}\n"),
        Err(error) => format!("{error}\n"),
    };
    expect![[r#"
        redis -> docker.io/library/redis:latest
        redis:7 -> docker.io/library/redis:7
        library/redis -> docker.io/library/redis:latest
        index.docker.io/a/b -> docker.io/a/b:latest
        localhost/x -> localhost/x:latest
        registry.k8s.io/pause:3.10 -> registry.k8s.io/pause:3.10
        h:5000/a/b -> h:5000/a/b:latest
        a@sha256:0000000000000000000000000000000000000000000000000000000000000000 -> docker.io/library/a@sha256:0000000000000000000000000000000000000000000000000000000000000000
        invalid image name "Redis": the repository must be lower-case letters, digits, '.', '_' and '-' between '/'
        invalid image name "": the repository must be lower-case letters, digits, '.', '_' and '-' between '/'
        invalid image name "a:": the tag must be letters, digits, '_', '.' and '-', at most 128
        invalid image name "a//b": the repository must be lower-case letters, digits, '.', '_' and '-' between '/'
        invalid image name "a@sha256:12": digest "sha256:12" is malformed
    "#]]
    .assert_eq(&cases.iter().map(show).collect::<String>());
}

#[test]
fn what_is_packed_can_be_imported_listed_and_removed() {
    let scratch = TempDir::new().expect("tempdir");
    let (dir, archive) = (scratch.path().join("root"), scratch.path().join("tool.tar"));
    tree(&dir);
    let digest = pack(&options(&dir), &archive).expect("packs");
    assert_eq!(digest, pack(&options(&dir), &scratch.path().join("again.tar")).expect("packs again"));
    let store = Store::open(scratch.path()).expect("opens");
    let names = store.import(&archive, None).expect("imports");
    assert_eq!(names, ["docker.io/library/tool:1"]);
    store.import(&archive, Some("other/name")).expect("imports again, renamed");
    let image = store.find("tool:1").expect("reads").expect("is there");
    assert_eq!((image.layers.len(), &image.digest), (1, &digest));
    let tool = fs::metadata(image.layers[0].join("bin/tool")).expect("unpacked");
    assert_eq!((tool.mode() & 0o7777, tool.mtime()), (0o755, 0));
    assert_eq!(fs::read_link(image.layers[0].join("bin/alias")).expect("a link"), Path::new("tool"));
    let names: Vec<_> = store.ls().expect("lists").into_iter().map(|image| image.names).collect();
    assert_eq!(names, [["docker.io/library/tool:1", "docker.io/other/name:latest"]]);

    assert!(store.lease("pod.c", &image).expect("leases"));
    assert!(store.rm("tool:1").expect("removes") && store.rm("other/name").expect("removes"));
    assert!(!store.reclaim().expect("sweeps"), "nothing is left to take");
    assert!(image.layers[0].exists(), "a lease keeps the layer");
    store.import(&archive, None).expect("imports once more");
    store.release("pod.").expect("releases");
    assert!(store.rm("tool:1").expect("removes"));
    assert!(!store.rm("tool:1").expect("finds nothing"));
    assert!(!image.layers[0].exists());
    assert!(!store.lease("pod.c", &image).expect("answers"), "it is too late for a lease");
    assert_eq!(store.ls().expect("lists"), []);
}

#[test]
fn what_lost_its_name_while_it_ran_is_reclaimed_and_what_has_one_stays() {
    let scratch = TempDir::new().expect("tempdir");
    let (dir, archive) = (scratch.path().join("root"), scratch.path().join("tool.tar"));
    tree(&dir);
    pack(&options(&dir), &archive).expect("packs");
    let store = Store::open(scratch.path()).expect("opens");
    store.import(&archive, None).expect("imports");
    let image = store.find("tool:1").expect("reads").expect("is there");
    assert!(!store.reclaim().expect("sweeps") && image.layers[0].exists(), "nobody could bring it back");
    assert!(store.lease("pod.c", &image).expect("leases") && store.rm("tool:1").expect("removes"));
    store.release("pod.").expect("releases");
    assert!(store.reclaim().expect("sweeps") && !image.layers[0].exists());
    assert!(!store.reclaim().expect("sweeps"), "once is enough");
}

#[test]
fn a_damaged_archive_is_refused_and_leaves_nothing() {
    let scratch = TempDir::new().expect("tempdir");
    let (dir, archive) = (scratch.path().join("root"), scratch.path().join("tool.tar"));
    tree(&dir);
    pack(&options(&dir), &archive).expect("packs");
    let store = Store::open(scratch.path()).expect("opens");
    let whole = fs::read(&archive).expect("reads");
    let layer = whole.windows(2).rposition(|two| two == [0x1f, 0x8b]).expect("a gzip layer");
    let mut damaged = whole.clone();
    damaged[layer + 9] ^= 0x40;
    for (name, bytes) in [("damaged.tar", damaged.as_slice()), ("short.tar", &whole[..layer + 40])] {
        fs::write(scratch.path().join(name), bytes).expect("writes");
        let error = store.import(&scratch.path().join(name), None).expect_err("is refused");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(store.ls().expect("lists"), []);
    }
    let other = scratch.path().join("empty.tar");
    tar::Builder::new(fs::File::create(&other).expect("creates")).finish().expect("finishes");
    let error = store.import(&other, None).expect_err("is refused").to_string();
    assert!(error.ends_with("it has neither index.json (OCI) nor manifest.json (Docker)"), "{error}");
}

#[test]
fn a_docker_archive_is_imported() {
    let scratch = TempDir::new().expect("tempdir");
    let mut layer = tar::Builder::new(Vec::new());
    append(&mut layer, "etc/motd", b"hello").expect("appends");
    let layer = layer.into_inner().expect("finishes");
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{"Cmd":["sh"]}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        Digest::of(&layer)
    );
    let manifest = r#"[{"Config":"c.json","RepoTags":["motd:1"],"Layers":["l/layer.tar"]}]"#;
    let archive = scratch.path().join("docker.tar.gz");
    let gzip = flate2::write::GzEncoder::new(
        fs::File::create(&archive).expect("creates"),
        flate2::Compression::fast(),
    );
    let mut tar = tar::Builder::new(gzip);
    append(&mut tar, "manifest.json", manifest.as_bytes()).expect("appends");
    append(&mut tar, "c.json", config.as_bytes()).expect("appends");
    append(&mut tar, "l/layer.tar", &layer).expect("appends");
    tar.into_inner().expect("finishes").finish().expect("finishes");

    let store = Store::open(scratch.path()).expect("opens");
    let imported = store.import_dir(scratch.path());
    assert_eq!(imported[0].1.as_ref().expect("imports"), &["docker.io/library/motd:1"]);
    let image = store.find("motd:1").expect("reads").expect("is there");
    assert_eq!(fs::read_to_string(image.layers[0].join("etc/motd")).expect("unpacked"), "hello");
}

#[test]
fn whiteouts_links_and_devices_are_unpacked_and_nothing_leaves_the_folder() {
    if !root_or_skip("devices and trusted attributes") {
        return;
    }
    let scratch = TempDir::new().expect("tempdir");
    let (dir, outside) = (scratch.path().join("layer"), scratch.path().join("outside"));
    fs::create_dir(&dir).expect("mkdir");
    fs::create_dir(&outside).expect("mkdir");
    let mut tar = tar::Builder::new(Vec::new());
    let link = |tar: &mut tar::Builder<Vec<u8>>, kind, name: &str, target: &Path| {
        let mut header = file_header(0, 0o777);
        header.set_entry_type(kind);
        tar.append_link(&mut header, name, target).expect("appends");
    };
    append(&mut tar, "gone/.wh.file", b"").expect("appends");
    append(&mut tar, "opaque/.wh..wh..opq", b"").expect("appends");
    append(&mut tar, "a", b"one").expect("appends");
    link(&mut tar, tar::EntryType::Link, "b", Path::new("a"));
    link(&mut tar, tar::EntryType::Symlink, "escape", &outside);
    append(&mut tar, "escape/file", b"caught").expect("appends");
    let bytes = zstd::encode_all(tar.into_inner().expect("finishes").as_slice(), 1).expect("compresses");
    let unpacked = unpack(bytes.as_slice(), &dir).expect("unpacks");
    assert_eq!(unpacked.digest, Digest::of(&bytes));

    assert!(fs::metadata(dir.join("gone/file")).expect("a whiteout").file_type().is_char_device());
    assert_eq!(fs::metadata(dir.join("b")).expect("a link").nlink(), 2);
    assert_eq!(fs::read_dir(&outside).expect("reads").count(), 0);
    let inside = dir.join(outside.strip_prefix("/").expect("absolute")).join("file");
    assert_eq!(fs::read_to_string(inside).expect("it stayed inside"), "caught");
}

#[test]
fn the_system_image_is_packed_once_for_each_executable() {
    let dir = TempDir::new().expect("tempdir");
    let store = Store::open(dir.path()).expect("works");
    let executable = dir.path().join("xebec");
    let add = |text: &str| {
        if !text.is_empty() {
            fs::write(&executable, text).expect("write");
        }
        let name = store.add_system_image(&executable, "1.2.3").expect("works");
        let references = fs::read_dir(dir.path().join("images/refs")).expect("a folder").map(Result::unwrap);
        let written: Vec<u64> = references.map(|entry| entry.metadata().expect("a file").ino()).collect();
        (store.find(&name).expect("works").expect("it is there"), written)
    };
    let (first, written) = add("one");
    assert_eq!(fs::read_to_string(first.layers[0].join("xebec")).expect("read"), "one");
    assert_eq!(add(""), (first.clone(), written.clone()), "the same executable: nothing is written");
    let (second, rewritten) = add("another");
    assert_eq!(fs::read_to_string(second.layers[0].join("xebec")).expect("read"), "another");
    assert_ne!((second, rewritten), (first, written));
}
