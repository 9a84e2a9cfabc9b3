//! Unpacks one layer into a folder, turning its whiteouts into what overlayfs understands.
//!
//! `.wh.x` becomes a character device 0:0 named `x`; `.wh..wh..opq` sets `trusted.overlay.opaque=y` on its folder.
//! Every path is resolved inside the folder, so that a hostile archive cannot write elsewhere.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{Mode, SFlag, UtimensatFlags};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, UnlinkatFlags};
use tar::{Entry, EntryType};

use super::digest::Hashing;
use super::rooted::{RootedDir, c_string, set_xattr};
use super::{Digest, rooted};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Before each extended attribute in a PAX header.
const PAX_XATTR: &str = "SCHILY.xattr.";

/// What a layer was read from, checked.
pub(super) struct Unpacked {
    /// Of the stream as it came.
    pub(super) digest: Digest,
    /// Of the tar inside.
    pub(super) diff_id: Digest,
}

/// Unpacks a layer, plain or compressed, into `dir`, which must be empty.
pub(super) fn unpack(source: impl Read, dir: &Path) -> io::Result<Unpacked> {
    let mut compressed = Hashing::new(source);
    let diff_id = {
        let mut plain = Hashing::new(decompress(&mut compressed)?);
        extract(&mut plain, dir)?;
        // The padding after the last entry belongs to both digests.
        io::copy(&mut plain, &mut io::sink())?;
        plain.finish().1
    };
    io::copy(&mut compressed, &mut io::sink())?;
    Ok(Unpacked { digest: compressed.finish().1, diff_id })
}

/// Reads gzip, zstd or neither, by the first bytes.
pub(super) fn decompress<'a>(source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut source = BufReader::with_capacity(256 << 10, source);
    let mut magic = [0; 4];
    let mut have = 0;
    while have < magic.len() {
        match source.read(&mut magic[have..])? {
            0 => break,
            read => have += read,
        }
    }
    let whole = io::Cursor::new(magic).take(have as u64).chain(source);
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::stream::read::Decoder::new(whole)?),
        _ => Box::new(whole),
    })
}

fn extract(source: impl Read, dir: &Path) -> io::Result<()> {
    let root = RootedDir::open(dir)?;
    let mut folders = Vec::new();
    let mut archive = tar::Archive::new(source);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        place(&root, &mut entry, &path, &mut folders)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    }
    // Last and deepest first, since writing into a folder changes its time.
    for (path, mtime) in folders.iter().rev() {
        let (parent, name) = root.parent(path)?;
        set_mtime(&parent, &name, *mtime)?;
    }
    Ok(())
}

/// Makes one entry.
fn place(
    root: &RootedDir,
    entry: &mut Entry<'_, impl Read>,
    path: &Path,
    folders: &mut Vec<(PathBuf, u64)>,
) -> io::Result<()> {
    let kind = entry.header().entry_type();
    if matches!(kind, EntryType::XGlobalHeader) || path.file_name().is_none() {
        return Ok(());
    }
    let (parent, name) = root.parent(path)?;
    if name.as_bytes().starts_with(WHITEOUT) {
        return white_out(&parent, &name);
    }
    if kind.is_dir() {
        folders.push((path.to_owned(), entry.header().mtime()?));
    }
    clear(&parent, &name, kind.is_dir())?;
    create(root, entry, &parent, &name)?;
    if !kind.is_hard_link() {
        describe(entry, &parent, &name)?;
    }
    Ok(())
}

fn white_out(parent: &OwnedFd, name: &CString) -> io::Result<()> {
    if name.as_bytes() == OPAQUE {
        let dot = CString::new(".").expect("a dot has no zero byte");
        return set_xattr(parent, &dot, "trusted.overlay.opaque", b"y");
    }
    let hidden = &name.as_bytes()[WHITEOUT.len()..];
    if hidden.is_empty() || hidden.starts_with(b".wh.") {
        return Ok(());
    }
    let hidden = c_string(OsStr::from_bytes(hidden))?;
    clear(parent, &hidden, false)?;
    nix::sys::stat::mknodat(Some(parent.as_raw_fd()), hidden.as_c_str(), SFlag::S_IFCHR, Mode::empty(), 0)?;
    Ok(())
}

/// Takes away what an earlier entry of this layer left under the name. A folder stays for a folder.
fn clear(parent: &OwnedFd, name: &CString, keep_folder: bool) -> io::Result<()> {
    let fd = Some(parent.as_raw_fd());
    match nix::unistd::unlinkat(fd, name.as_c_str(), UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(Errno::EISDIR) if keep_folder => Ok(()),
        Err(Errno::EISDIR) => {
            let base = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd()));
            std::fs::remove_dir_all(base.join(OsStr::from_bytes(name.as_bytes())))
        }
        Err(error) => Err(error.into()),
    }
}

fn create(
    root: &RootedDir,
    entry: &mut Entry<'_, impl Read>,
    parent: &OwnedFd,
    name: &CString,
) -> io::Result<()> {
    let fd = Some(parent.as_raw_fd());
    let name = name.as_c_str();
    let node = |kind, device| nix::sys::stat::mknodat(fd, name, kind, Mode::S_IRUSR, device);
    match entry.header().entry_type() {
        EntryType::Directory => match nix::sys::stat::mkdirat(fd, name, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(error) => Err(error.into()),
        },
        EntryType::Symlink => {
            let target = link_target(entry)?;
            Ok(nix::unistd::symlinkat(&target, fd, name)?)
        }
        EntryType::Link => {
            let target = link_target(entry)?;
            let (from, from_name) = root.parent(&target)?;
            let from_fd = Some(from.as_raw_fd());
            Ok(nix::unistd::linkat(from_fd, from_name.as_c_str(), fd, name, AtFlags::empty())?)
        }
        EntryType::Char => Ok(node(SFlag::S_IFCHR, device_number(entry)?)?),
        EntryType::Block => Ok(node(SFlag::S_IFBLK, device_number(entry)?)?),
        EntryType::Fifo => Ok(node(SFlag::S_IFIFO, 0)?),
        _ => {
            let mut file = new_file(parent, name)?;
            io::copy(entry, &mut file).map(|_| ())
        }
    }
}

fn device_number(entry: &Entry<'_, impl Read>) -> io::Result<u64> {
    let major = entry.header().device_major()?.unwrap_or(0);
    let minor = entry.header().device_minor()?.unwrap_or(0);
    Ok(libc::makedev(major, minor))
}

fn link_target(entry: &Entry<'_, impl Read>) -> io::Result<PathBuf> {
    let target = entry.link_name()?.ok_or_else(|| io::Error::other("a link to nothing"))?;
    Ok(target.into_owned())
}

#[allow(unsafe_code, reason = "nix 0.29 returns a raw descriptor")]
fn new_file(parent: &OwnedFd, name: &std::ffi::CStr) -> io::Result<File> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let fd = nix::fcntl::openat(Some(parent.as_raw_fd()), name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Owner, mode, extended attributes and time, in the order in which none undoes another.
fn describe(entry: &mut Entry<'_, impl Read>, parent: &OwnedFd, name: &CString) -> io::Result<()> {
    let kind = entry.header().entry_type();
    let fd = Some(parent.as_raw_fd());
    let (uid, gid) = (entry.header().uid()? as u32, entry.header().gid()? as u32);
    nix::unistd::fchownat(
        fd,
        name.as_c_str(),
        Some(Uid::from_raw(uid)),
        Some(Gid::from_raw(gid)),
        AtFlags::AT_SYMLINK_NOFOLLOW,
    )?;
    if !kind.is_symlink() {
        let mode = Mode::from_bits_truncate(entry.header().mode()? & 0o7777);
        nix::sys::stat::fchmodat(fd, name.as_c_str(), mode, nix::sys::stat::FchmodatFlags::FollowSymlink)?;
    }
    for (key, value) in xattrs(entry)? {
        match rooted::set_xattr(parent, name, &key, &value) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            set => set?,
        }
    }
    set_mtime(parent, name, entry.header().mtime()?)
}

fn xattrs(entry: &mut Entry<'_, impl Read>) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        if let Ok(key) = extension.key()
            && let Some(name) = key.strip_prefix(PAX_XATTR)
            // An archive must not speak to overlayfs in our name.
            && !name.starts_with("trusted.overlay.")
        {
            found.push((name.to_owned(), extension.value_bytes().to_owned()));
        }
    }
    Ok(found)
}

fn set_mtime(parent: &OwnedFd, name: &CString, seconds: u64) -> io::Result<()> {
    let time = TimeSpec::new(i64::try_from(seconds).unwrap_or(0), 0);
    let flags = UtimensatFlags::NoFollowSymlink;
    nix::sys::stat::utimensat(Some(parent.as_raw_fd()), name.as_c_str(), &time, &time, flags)?;
    Ok(())
}
