//! Where in an object a reader is, without a word being written down until it is asked.

/// What is shown of a path: the keys in it are the user's own, and of any length.
const MOST_SHOWN_BYTES: usize = 256;

/// A place in JSON: a list on the stack, from the leaf to the root.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

/// The last step to a place.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// To a field of a type.
    Field(&'a str),
    /// To an entry of a map, whose keys are the user's own.
    Key(&'a str),
    /// To an item of a list.
    Index(usize),
    /// None: the object itself.
    Root,
}

impl<'a> Place<'a> {
    /// The object itself.
    pub const ROOT: Self = Self { parent: None, step: Step::Root };

    /// A step further in.
    #[must_use]
    pub fn below(&'a self, step: Step<'a>) -> Self {
        Self { parent: Some(self), step }
    }

    /// `spec.containers[0].resources.limits[cpu]`. One that is too long to be read is cut, and ends in `…`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::new();
        self.write(&mut path);
        if path.len() > MOST_SHOWN_BYTES {
            path.truncate(path.floor_char_boundary(MOST_SHOWN_BYTES));
            path.push('…');
        }
        path
    }

    /// As much of the path as is shown, and at least a byte more where there is more.
    fn write(&self, path: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(path);
        }
        if path.len() > MOST_SHOWN_BYTES {
            return;
        }
        let shown = |name: &'a str| &name[..name.ceil_char_boundary(MOST_SHOWN_BYTES + 1)];
        match self.step {
            Step::Root => {}
            Step::Field(name) if path.is_empty() => path.push_str(shown(name)),
            Step::Field(name) => path.extend([".", shown(name)]),
            Step::Key(key) => path.extend(["[", shown(key), "]"]),
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }

    /// The same as RFC 6901 has it: `/spec/containers/0/resources/limits/cpu`.
    #[must_use]
    pub fn pointer(&self) -> String {
        let mut pointer = self.parent.map(Place::pointer).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Field(name) | Step::Key(name) => {
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Step::Index(index) => pointer.push_str(&format!("/{index}")),
        }
        pointer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_where_it_is_too_long_to_be_read() {
        let root = Place::ROOT;
        let spec = root.below(Step::Field("spec"));
        let limits = spec.below(Step::Index(7)).below(Step::Key("cpu")).path();
        assert_eq!(limits, "spec[7][cpu]");
        let name = "x".repeat(MOST_SHOWN_BYTES - "spec.".len());
        assert_eq!(spec.below(Step::Field(&name)).path(), format!("spec.{name}"), "as long as it may be");
        for more in ["x", "é", "🦀🦀"] {
            let key = more.repeat(1 << 20);
            let long = spec.below(Step::Key(&key));
            let path = long.below(Step::Field(&key)).path();
            assert_eq!(path, long.path(), "what is behind the end is not shown");
            let shown = path.strip_suffix('…').and_then(|path| path.strip_prefix("spec["));
            let shown = shown.unwrap_or_else(|| panic!("{path}"));
            assert!(key.starts_with(shown) && path.len() <= MOST_SHOWN_BYTES + '…'.len_utf8(), "{path}");
        }
    }
}
