//! What a node has, and what of it pods may ask for: less than all, or it would be short of
//! memory or disk as soon as they took what they were promised. Pure.

use serde_json::{Value, json};

use crate::eviction::{Eviction, Signal};

/// Pods that a node takes.
const PODS: u32 = 110;

/// What the host has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resources {
    pub(crate) cpus: usize,
    pub(crate) memory_bytes: u64,
    /// Of the disk of the data folder, where that can be known.
    pub(crate) disk_bytes: Option<u64>,
}

impl Resources {
    /// As the node's status says it.
    pub(crate) fn told(self) -> Value {
        let mut told = json!({
            "cpu": self.cpus.to_string(),
            "memory": kibibytes(self.memory_bytes),
            "pods": PODS.to_string(),
        });
        if let Some(bytes) = self.disk_bytes {
            told["ephemeral-storage"] = kibibytes(bytes).into();
        }
        told
    }

    /// Without what must be left for the node not to be short.
    pub(crate) fn allocatable(self, eviction: &Eviction) -> Self {
        let left = |signal, all: u64| all.saturating_sub(eviction.kept_free(signal, all));
        Self {
            memory_bytes: left(Signal::Memory, self.memory_bytes),
            disk_bytes: self.disk_bytes.map(|all| left(Signal::NodeFs, all)),
            ..self
        }
    }
}

fn kibibytes(bytes: u64) -> String {
    format!("{}Ki", bytes >> 10)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_must_be_left_is_not_promised_to_pods() {
        let has = Resources { cpus: 4, memory_bytes: 1000 << 20, disk_bytes: Some(50 << 30) };
        let configured = |text: &str| toml::from_str::<Eviction>(text).expect("a configuration");
        let all = [
            has,
            has.allocatable(&Eviction::default()),
            has.allocatable(&configured(
                "[hard]\n\"memory.available\" = \"0%\"\n\"nodefs.available\" = \"1Gi\"\n",
            )),
            has.allocatable(&configured("[hard]\n\"memory.available\" = \"2Ti\"\n")),
            Resources { disk_bytes: None, ..has }.allocatable(&Eviction::default()),
        ];
        let told: String = all.iter().map(|resources| format!("{}\n", resources.told())).collect();
        expect![[r#"
            {"cpu":"4","ephemeral-storage":"52428800Ki","memory":"1024000Ki","pods":"110"}
            {"cpu":"4","ephemeral-storage":"47185920Ki","memory":"921600Ki","pods":"110"}
            {"cpu":"4","ephemeral-storage":"51380224Ki","memory":"1024000Ki","pods":"110"}
            {"cpu":"4","ephemeral-storage":"47185920Ki","memory":"0Ki","pods":"110"}
            {"cpu":"4","memory":"921600Ki","pods":"110"}
        "#]]
        .assert_eq(&told);
    }
}
