//! `--dry-run`: what would be done, without doing it. `server` has the cluster check and
//! fill in everything but keep nothing; `client` asks it nothing that changes anything.

use clap::{Args, ValueEnum};
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::Settings;

use crate::session::Session;

/// The option.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DryRun {
    /// Change nothing: `client` only prints, `server` checks as well
    #[arg(long, value_enum, value_name = "WHERE", default_value = "none", num_args = 0..=1, default_missing_value = "client", require_equals = true)]
    pub(crate) dry_run: Where,
}

/// Who pretends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Where {
    /// Nobody: it is done
    #[default]
    None,
    /// This program
    Client,
    /// The API
    Server,
}

impl DryRun {
    /// Nothing is to be sent.
    pub(crate) fn is_client(self) -> bool {
        self.dry_run == Where::Client
    }

    /// What stands behind a line that tells of a change.
    pub(crate) fn mark(self) -> &'static str {
        match self.dry_run {
            Where::None => "",
            Where::Client => " (dry run)",
            Where::Server => " (server dry run)",
        }
    }

    /// Puts an object that the command line describes into its namespace. What is only printed
    /// gets none that was not named by `-n`, so that it can be applied anywhere.
    pub(crate) fn settle_namespace(self, session: &Session, row: &Resource, object: &mut Object) {
        if row.namespaced && (session.namespace_is_forced || !self.is_client()) {
            object.set(&["metadata", "namespace"], session.namespace.clone());
        }
    }

    /// A session whose writes are tried only, where the server is to pretend.
    pub(crate) fn session(self, session: &Session) -> Session {
        let mut session = session.clone();
        if self.dry_run == Where::Server {
            let settings = Settings { dry_run: true, ..session.client.settings().clone() };
            session.client = session.client.with_settings(settings);
        }
        session
    }
}
