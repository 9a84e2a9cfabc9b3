//! Where in an object a reader is, without a word being written down until it is asked.

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

    /// `spec.containers[0].resources.limits[cpu]`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = self.parent.map(Place::path).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Field(name) if path.is_empty() => path.push_str(name),
            Step::Field(name) => path.extend([".", name]),
            Step::Key(key) => path.extend(["[", key, "]"]),
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
        path
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
