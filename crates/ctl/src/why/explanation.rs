//! An answer as it grows: sentences that say why, and sentences that say what to do.

use serde_json::{Value, json};
use xebec_api::object::Object;

use super::facts::LogOf;

/// Why something is as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Explanation {
    /// `Pod/web`.
    pub(crate) subject: String,
    /// Its user has what was asked for.
    pub(crate) healthy: bool,
    /// Sentences, from what is seen to what it comes from.
    pub(crate) reasons: Vec<String>,
    /// Sentences, each with something that helps.
    pub(crate) fixes: Vec<String>,
    /// What a container printed last would say more, and is not among the facts.
    pub(crate) wanted_log: Option<LogOf>,
}

impl Explanation {
    /// All is well, as this sentence says.
    pub(super) fn well(subject: &Object, sentence: impl Into<String>) -> Self {
        Self { healthy: true, ..Self::ill(subject, sentence) }
    }

    /// Something is wrong, as this sentence says.
    pub(super) fn ill(subject: &Object, sentence: impl Into<String>) -> Self {
        Self {
            subject: format!("{}/{}", subject.kind(), subject.name()),
            healthy: false,
            reasons: vec![sentence.into()],
            fixes: Vec::new(),
            wanted_log: None,
        }
    }

    /// What it comes from.
    pub(super) fn because(mut self, sentence: impl Into<String>) -> Self {
        self.reasons.push(sentence.into());
        self
    }

    /// The same, where there is something to say.
    pub(super) fn because_if(self, sentence: Option<String>) -> Self {
        match sentence {
            Some(sentence) => self.because(sentence),
            None => self,
        }
    }

    /// What helps.
    pub(super) fn fix(mut self, sentence: impl Into<String>) -> Self {
        let sentence = sentence.into();
        if !self.fixes.contains(&sentence) {
            self.fixes.push(sentence);
        }
        self
    }

    /// It comes from something else, which has an explanation of its own.
    pub(super) fn follow(mut self, cause: Self) -> Self {
        self.reasons.extend(cause.reasons);
        self.wanted_log = self.wanted_log.or(cause.wanted_log);
        cause.fixes.into_iter().fold(self, Self::fix)
    }

    /// Everything as one paragraph.
    pub(crate) fn paragraph(&self) -> String {
        let sentences: Vec<&str> = self.reasons.iter().chain(&self.fixes).map(String::as_str).collect();
        sentences.join(" ")
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "subject": self.subject, "healthy": self.healthy, "reasons": self.reasons, "fixes": self.fixes,
        })
    }
}
