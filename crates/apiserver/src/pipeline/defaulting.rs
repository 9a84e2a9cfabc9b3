//! Stage 6: the kind's own defaults.

use xebec_api::object::Object;

use super::Work;

pub(crate) fn run(work: &Work<'_>, object: &mut Object) {
    work.target.row.strategy.default_fields(object);
}
