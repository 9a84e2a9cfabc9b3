//! `--dry-run` and `-o`: what a command that changes something says of it, or the object itself.

use anyhow::Result;
use clap::Args;
use xebec_api::object::Object;
use xebec_api::resource::Resource;

use crate::commands::get::{Format, print_value, whole};
use crate::dry_run::DryRun;
use crate::output::Out;
use crate::session::reference;

/// The options.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OnlyArgs {
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
    /// Print the objects so, instead of a line on each
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Format>,
}

impl OnlyArgs {
    /// These, and where they say nothing, others.
    pub(crate) fn or(self, other: Self) -> Self {
        let dry_run = if self.dry_run == DryRun::default() { other.dry_run } else { self.dry_run };
        Self { dry_run, output: self.output.or(other.output) }
    }
}

/// What was printed so far: documents of YAML stand apart.
#[derive(Default)]
pub(crate) struct Printed {
    documents: usize,
}

impl Printed {
    /// Prints one object, or the line that says what was done with it.
    pub(crate) fn one(
        &mut self,
        only: &OnlyArgs,
        row: &Resource,
        object: Object,
        done: &str,
        out: &mut Out,
    ) -> Result<()> {
        match only.output {
            Some(Format::Json) => print_value(&whole(row, object), only.output, out)?,
            Some(Format::Yaml) => {
                if self.documents > 0 {
                    out.line("---")?;
                }
                print_value(&whole(row, object), only.output, out)?;
            }
            Some(Format::Name) => out.line(reference(row, object.name()))?,
            Some(Format::Wide) | None => {
                out.line(format!("{} {done}{}", reference(row, object.name()), only.dry_run.mark()))?;
            }
        }
        self.documents += 1;
        Ok(())
    }
}
