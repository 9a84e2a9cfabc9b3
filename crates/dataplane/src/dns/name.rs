//! Names in the form that they have in messages: each label behind its length, the root's
//! zero at the end, without compression and in lower case, so that equal names have equal
//! bytes (RFC 1035, 3.1 and 2.3.3).

use std::fmt;

/// Bytes of the longest name, with its lengths and the root.
pub const MOST_NAME_BYTES: usize = 255;
const MOST_LABEL_BYTES: usize = 63;
/// Labels of the longest name: one byte and its length each.
const MOST_LABELS: usize = MOST_NAME_BYTES / 2;

/// A whole name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// Reads dotted text; a dot at the end changes nothing. `None` for what no message can
    /// carry: an empty label, or one of more than 63 bytes, or more than 255 in all.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        Self::of_labels(text.split('.').filter(|_| !text.is_empty()).map(str::as_bytes))
    }

    /// From labels, the host's first.
    pub(super) fn of_labels<'a>(labels: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut wire = Vec::new();
        for label in labels {
            push_label(&mut wire, label)?;
        }
        wire.push(0);
        (wire.len() <= MOST_NAME_BYTES).then(|| Self(wire.into()))
    }

    /// This name below `labels`, which are in wire form without a root.
    pub(super) fn below(&self, labels: &[u8]) -> Option<Self> {
        let wire = [labels, &self.0].concat();
        (wire.len() <= MOST_NAME_BYTES).then(|| Self(wire.into()))
    }

    /// As it stands in a message.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == 1 {
            return f.write_str(".");
        }
        for label in Labels::of(&self.0).iter() {
            write!(f, "{}.", label.escape_ascii())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Appends one label behind its length, in lower case. `None` when it is none.
pub(super) fn push_label(wire: &mut Vec<u8>, label: &[u8]) -> Option<()> {
    let length = u8::try_from(label.len()).ok().filter(|_| (1..=MOST_LABEL_BYTES).contains(&label.len()))?;
    wire.push(length);
    wire.extend(label.iter().map(u8::to_ascii_lowercase));
    Some(())
}

/// Where the labels of a name in wire form begin.
pub(super) struct Labels<'a> {
    wire: &'a [u8],
    starts: [u8; MOST_LABELS + 1],
    count: usize,
}

impl<'a> Labels<'a> {
    /// What comes after a label that is cut off counts as nothing.
    pub(super) fn of(wire: &'a [u8]) -> Self {
        let mut labels = Self { wire, starts: [0; MOST_LABELS + 1], count: 0 };
        let mut at = 0;
        while labels.count < MOST_LABELS
            && let Some(length) = wire.get(at).map(|length| usize::from(*length))
            && length > 0
            && at + length < wire.len()
            && let Ok(start) = u8::try_from(at)
        {
            labels.starts[labels.count] = start;
            labels.count += 1;
            at += 1 + length;
        }
        labels.starts[labels.count] = u8::try_from(at).unwrap_or(u8::MAX);
        labels
    }

    /// How many there are, without the root.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The text of one.
    pub(super) fn get(&self, index: usize) -> &'a [u8] {
        let start = self.start(index) + 1;
        self.wire.get(start..self.start(index + 1)).unwrap_or_default()
    }

    /// The wire form from one label up to another.
    pub(super) fn range(&self, from: usize, to: usize) -> &'a [u8] {
        self.wire.get(self.start(from)..self.start(to)).unwrap_or_default()
    }

    /// Where a label begins.
    pub(super) fn start(&self, index: usize) -> usize {
        usize::from(self.starts[index.min(self.count)])
    }

    /// How many labels stand before `zone`, when the name is in it.
    pub(super) fn before(&self, zone: &Name) -> Option<usize> {
        let start = self.wire.len().checked_sub(zone.wire().len())?;
        if self.wire[start..] != *zone.wire() {
            return None;
        }
        // The bytes of a label may look like other labels: only a label's begin counts.
        (0..=self.count).rev().find(|index| self.start(*index) == start)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        (0..self.count).map(|index| self.get(index))
    }
}
