//! Keeps the causes that libcontainer only logs.
//!
//! Its errors lose their sources on the way between its processes. All of them log first, so a helper collects what is
//! logged as an error, from itself and from its clones, in one unnamed file.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::sys::memfd::{MemFdCreateFlag, memfd_create};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The file that the causes are in.
pub(super) struct Causes {
    file: Arc<File>,
}

impl Causes {
    /// Begins to collect, for the rest of this process.
    pub(super) fn collect() -> io::Result<Causes> {
        let fd: OwnedFd = memfd_create(c"causes", MemFdCreateFlag::MFD_CLOEXEC)?;
        let file = Arc::new(File::from(fd));
        // Where one is set already, the causes stay unknown; nothing else depends on them.
        let _ = tracing::subscriber::set_global_default(Collector { file: file.clone() });
        Ok(Causes { file })
    }

    /// The first thing that was logged: what follows it only repeats it from further out.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut file = self.file.as_ref();
        // Causes that cannot be read are missing from a message, no more.
        let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
        text.lines().next().unwrap_or_default().to_owned()
    }
}

/// Writes each error event as one line. Clones share the file's offset, so their lines follow one another.
struct Collector {
    file: Arc<File>,
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::ERROR)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!("{}{}\n", line.message, line.fields);
        // As above: a cause that cannot be written is missing, no more.
        let _ = self.file.as_ref().write_all(text.as_bytes());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
