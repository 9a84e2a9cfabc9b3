//! Every dependency is under a licence that the project accepts. Works offline, from
//! what the packages themselves declare.

use anyhow::{Result, bail};
use cargo_metadata::Metadata;
use spdx::{Expression, LicenseReq, ParseMode};

/// SPDX names, and nothing copyleft beyond the file-level MPL.
const ACCEPTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks every package of the build graph.
///
/// # Errors
/// Names each package whose licence is missing, unreadable or not accepted.
pub(crate) fn check(metadata: &Metadata) -> Result<()> {
    let mut broken = Vec::new();
    for package in &metadata.packages {
        let verdict = match &package.license {
            None if package.license_file.is_some() => Ok(()),
            None => Err("declares no licence".to_owned()),
            Some(text) => accepts(text),
        };
        if let Err(why) = verdict {
            broken.push(format!("{} {}: {why}", package.name, package.version));
        }
    }
    if broken.is_empty() { Ok(()) } else { bail!("{}", broken.join("\n")) }
}

fn accepts(text: &str) -> Result<(), String> {
    let expression =
        Expression::parse_mode(text, ParseMode::LAX).map_err(|error| error.reason.to_string())?;
    if expression.evaluate(is_accepted) { Ok(()) } else { Err(format!("{text} is not accepted")) }
}

fn is_accepted(requirement: &LicenseReq) -> bool {
    let id = requirement.license.id();
    id.is_some_and(|id| ACCEPTED.contains(&id.name))
}

#[cfg(test)]
mod tests {
    use super::accepts;

    #[test]
    fn a_choice_with_one_accepted_branch_is_fine() {
        assert_eq!(accepts("MIT OR GPL-3.0-only"), Ok(()));
        assert_eq!(accepts("Apache-2.0/MIT"), Ok(()));
    }

    #[test]
    fn copyleft_alone_is_not() {
        assert_eq!(accepts("GPL-3.0-only"), Err("GPL-3.0-only is not accepted".into()));
        assert_eq!(accepts("MIT AND AGPL-3.0-only"), Err("MIT AND AGPL-3.0-only is not accepted".into()));
    }
}
