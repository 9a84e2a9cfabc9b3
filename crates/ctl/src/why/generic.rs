//! Every other kind: what its conditions and its last warning say.

use xebec_api::object::Object;

use super::explanation::Explanation;
use super::facts::Facts;
use super::wording::{ago, items_of, named, quoted, since, text};
use crate::seen;

/// Conditions that are good news when they are True.
const GOOD: &[&str] =
    &["Ready", "Available", "Complete", "Established", "Accepted", "Programmed", "Approved"];

/// Kinds that are kept and checked, and that nothing goes by so far: what that means.
const KEPT_ONLY: &[(&str, &str)] = &[
    ("NetworkPolicy", "all traffic passes, whatever it says"),
    ("HorizontalPodAutoscaler", "nothing scales by itself"),
    ("CustomResourceDefinition", "its kind is not served"),
    ("MutatingWebhookConfiguration", "its webhooks are not asked"),
    ("ValidatingWebhookConfiguration", "its webhooks are not asked"),
];

/// Why it is as it is.
pub(super) fn explain(facts: &Facts, object: &Object) -> Explanation {
    let mut conditions = items_of(object, &["status", "conditions"]);
    let bad = conditions.find(|it| {
        let (kind, status) = (text(it, "/type"), text(it, "/status"));
        (GOOD.contains(&kind) && status != "True") || (kind == "Failed" && status == "True")
    });
    if let Some(bad) = bad {
        let message = quoted(text(bad, "/message"));
        let said = format!(
            "{} has the condition {}={}{}: {}.",
            named(object),
            text(bad, "/type"),
            text(bad, "/status"),
            since(text(bad, "/lastTransitionTime"), facts.now),
            if message.is_empty() { text(bad, "/reason") } else { &message },
        );
        return Explanation::ill(object, said);
    }
    if let Some(event) = facts.last_warning(object) {
        let ago = ago(seen::last(event), facts.now).map(|ago| format!(" {ago} ago")).unwrap_or_default();
        let said = format!("{} was warned of{ago}: {}.", named(object), quoted(event.text(&["message"])));
        return Explanation::ill(object, said);
    }
    if let Some((kind, meaning)) = KEPT_ONLY.iter().find(|(kind, _)| *kind == object.kind()) {
        let said = format!("{} is kept, and nothing goes by it: {meaning}.", named(object));
        return Explanation::ill(object, said)
            .fix(format!("Xebec may not have what {kind} is for yet: see docs/compatibility.md."));
    }
    let since = since(object.text(&["metadata", "creationTimestamp"]), facts.now);
    Explanation::well(
        object,
        format!("{} has been there{since}, and nothing says that it is not well.", named(object)),
    )
}
