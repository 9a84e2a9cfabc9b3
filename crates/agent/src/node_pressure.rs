//! What a node is short of: memory, disk, process ids. Told as the node's conditions, from
//! which the leader makes taints that keep new pods away. What it is short of says
//! [`crate::eviction`].

/// One kind of shortage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Memory,
    Disk,
    Pids,
}

/// What is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pressure {
    memory: bool,
    disk: bool,
    pids: bool,
}

impl FromIterator<Kind> for Pressure {
    fn from_iter<T: IntoIterator<Item = Kind>>(kinds: T) -> Self {
        let mut pressure = Self::default();
        for kind in kinds {
            match kind {
                Kind::Memory => pressure.memory = true,
                Kind::Disk => pressure.disk = true,
                Kind::Pids => pressure.pids = true,
            }
        }
        pressure
    }
}

/// A condition: its type, status, reason and message.
pub(crate) type Condition = (&'static str, &'static str, &'static str, &'static str);

impl Pressure {
    /// The conditions that hold.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let all = [("MemoryPressure", self.memory), ("DiskPressure", self.disk), ("PIDPressure", self.pids)];
        all.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect()
    }

    pub(crate) fn is_of_memory_alone(self) -> bool {
        self == Self::from_iter([Kind::Memory])
    }

    /// As the node's status says it.
    pub(crate) fn conditions(self) -> [Condition; 4] {
        let pick = |short: bool, yes: Condition, no: Condition| if short { yes } else { no };
        [
            pick(
                self.memory,
                (
                    "MemoryPressure",
                    "True",
                    "KubeletHasInsufficientMemory",
                    "kubelet has insufficient memory available",
                ),
                (
                    "MemoryPressure",
                    "False",
                    "KubeletHasSufficientMemory",
                    "kubelet has sufficient memory available",
                ),
            ),
            pick(
                self.disk,
                ("DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure"),
                ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ),
            pick(
                self.pids,
                (
                    "PIDPressure",
                    "True",
                    "KubeletHasInsufficientPID",
                    "kubelet has insufficient PID available",
                ),
                ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ),
            ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_said() {
        let short = Pressure::from_iter([Kind::Disk]);
        let told: Vec<String> = short
            .conditions()
            .iter()
            .map(|(kind, status, reason, _)| format!("{kind} {status} {reason}"))
            .collect();
        assert_eq!(
            told,
            [
                "MemoryPressure False KubeletHasSufficientMemory",
                "DiskPressure True KubeletHasDiskPressure",
                "PIDPressure False KubeletHasSufficientPID",
                "Ready True KubeletReady",
            ]
        );
        assert_eq!(
            Pressure::from_iter([Kind::Pids, Kind::Memory]).names(),
            ["MemoryPressure", "PIDPressure"]
        );
        assert!(Pressure::from_iter([Kind::Memory]).is_of_memory_alone() && !short.is_of_memory_alone());
    }
}
