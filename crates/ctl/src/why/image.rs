//! A container whose image cannot be had.

use xebec_api::object::Object;

use super::container::Container;
use super::explanation::Explanation;
use super::wording::{named, quoted, text};

/// Which image is missing where, and the ways to get it there.
pub(super) fn explain(pod: &Object, container: &Container<'_>) -> Explanation {
    let (image, node) = (text(container.spec, "/image"), pod.text(&["spec", "nodeName"]));
    let message = container.says("/state/waiting/message");
    let missing = message.contains("is not on this node") || container.waits_for() == "ErrImageNeverPull";
    let said = if missing {
        format!(
            "{} cannot start its {}: the image {image} is not on node {node}.",
            named(pod),
            container.named()
        )
    } else {
        // A back-off names the image and the reason before it comes to the cause.
        let why = quoted(message.split_once("ErrImagePull: ").map_or(message, |(_, cause)| cause));
        format!(
            "{} cannot start its {}: the image {image} cannot be used ({why}).",
            named(pod),
            container.named()
        )
    };
    let mut explained = Explanation::ill(pod, said);
    if missing && container.waits_for() == "ErrImageNeverPull" {
        explained = explained.because("Its imagePullPolicy is Never, so the node does not look elsewhere.");
    }
    explained.fix(if missing {
        "Correct the name if it is misspelled, or bring the image to the node with `xebec image import ARCHIVE`; \
         the pod then starts by itself."
    } else {
        "Correct the name if another image is meant, or bring a good one to the node with `xebec image import ARCHIVE`."
    })
}
