//! A changed object: the whole, its status, its scale or its finalizers.

use serde_json::Value;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_state::{Operation, Precondition, Refusal, Reply, Transaction};

use crate::context::RequestContext;
use crate::pipeline::{decode, managed_fields, validation};
use crate::server::ApiServer;
use crate::verbs::Target;
use crate::verbs::create::fenced;
use crate::versioned;

/// Attempts of a change that named no resourceVersion.
const MOST_ATTEMPTS: usize = 16;

/// Metadata that only the server sets.
const SERVER_FIELDS: [&str; 6] = [
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
];

impl ApiServer {
    /// Replaces an object, or a part of it by subresource; gives it as it is stored.
    ///
    /// # Errors
    /// `Conflict` when it names a resourceVersion that is not the present one,
    /// `Invalid`, `NotFound`, `Forbidden`, or what the store says.
    pub async fn update(
        &self,
        context: &RequestContext,
        target: &Target,
        object: Object,
    ) -> Result<Object, ApiError> {
        target.named()?;
        self.authorize(context, "update", target)?;
        if target.subresource == "scale" {
            return self.update_scale(context, target, &object).await;
        }
        let mut object = object;
        decode::admit(target, &mut object)?;
        let explicit = !object.resource_version().is_empty();
        self.change(context, target, explicit, |_| Ok(object.clone())).await
    }

    /// Changes the present object by a pure function of it, again when somebody else
    /// was faster, unless the request named a resourceVersion (`explicit`).
    pub(crate) async fn change(
        &self,
        context: &RequestContext,
        target: &Target,
        explicit: bool,
        decide: impl Fn(&Object) -> Result<Object, ApiError> + Send,
    ) -> Result<Object, ApiError> {
        for _ in 0..MOST_ATTEMPTS {
            let old = self.read_current(target).await?;
            let wanted = decide(&old)?;
            let stated = versioned::parse_revision(wanted.resource_version())?;
            let present = versioned::parse_revision(old.resource_version())?;
            if stated.is_some() && stated != present {
                // This master may be behind; what it lacks arrives with the barrier.
                self.store.barrier().await?;
                let now = self.read(target)?.ok_or_else(|| target.not_found())?;
                if versioned::parse_revision(now.resource_version())? != stated {
                    return Err(target.conflict());
                }
                continue;
            }
            match self.replace(context, target, &old, wanted).await? {
                Some(object) => return Ok(object),
                None if explicit => return Err(target.conflict()),
                None => self.store.barrier().await?,
            }
        }
        Err(target.conflict())
    }

    /// One attempt; `None` when the object changed meanwhile.
    async fn replace(
        &self,
        context: &RequestContext,
        target: &Target,
        old: &Object,
        wanted: Object,
    ) -> Result<Option<Object>, ApiError> {
        let new = self.settle(context, target, old, wanted)?;
        if versioned::to_value(&new) == versioned::to_value(old) {
            return Ok(Some(old.clone()));
        }
        let revision = versioned::parse_revision(old.resource_version())?.unwrap_or_default();
        let mut transaction = Transaction {
            preconditions: vec![Precondition::AtRevision(target.key(), revision)],
            fence: context.fence,
            ..Transaction::default()
        };
        let mut new = new;
        if is_finished(&new) {
            self.release(&new, &mut transaction);
            transaction.operations.insert(0, Operation::Delete(target.key()));
        } else {
            if target.subresource.is_empty() {
                self.allocate(&mut new, Some(old), &mut transaction)?;
            }
            transaction.operations.insert(0, Operation::Put(target.key(), versioned::to_value(&new)));
        }
        if context.dry_run {
            return Ok(Some(new));
        }
        match self.propose(context, transaction).await? {
            Reply::Applied { revisions } => {
                versioned::from_parts(&versioned::to_value(&new), revisions[0]).map(Some)
            }
            Reply::Refused(Refusal::Precondition { .. }) => Ok(None),
            Reply::Refused(Refusal::Fenced { term }) => Err(fenced(term)),
        }
    }

    /// What the change makes of the object, checked.
    fn settle(
        &self,
        context: &RequestContext,
        target: &Target,
        old: &Object,
        wanted: Object,
    ) -> Result<Object, ApiError> {
        let row = target.row;
        let uid = wanted.uid();
        if !uid.is_empty() && uid != old.uid() {
            let message = format!(
                "the UID in the request ({uid}) is not the object's ({}): it was made anew",
                old.uid()
            );
            return Err(ApiError::new(Reason::Conflict, message));
        }
        let mut new = match target.subresource.as_str() {
            "" => whole(row.has_subresource("status"), old, wanted),
            "finalize" => part(old, &wanted, "spec"),
            _ => part(old, &wanted, "status"),
        };
        if target.subresource.is_empty() {
            row.strategy.prepare_update(&mut new, old);
            row.strategy.default_fields(&mut new);
            validation::update(row, &new, old)?;
            let fields = new.as_map().keys().chain(old.as_map().keys());
            let counts = |field: &String| row.strategy.counts_for_generation(field);
            let changed =
                fields.filter(|f| counts(f)).any(|field| new.as_map().get(field) != old.as_map().get(field));
            if changed && old.generation() > 0 {
                new.set(&["metadata", "generation"], old.generation() + 1);
            }
        }
        managed_fields::record(&mut new, Some(old), context, &target.subresource, self.settings.clock.now());
        Ok(new)
    }
}

/// A write of the whole keeps what only the server sets, and the status where that is
/// written by itself.
fn whole(own_status: bool, old: &Object, mut new: Object) -> Object {
    for field in SERVER_FIELDS {
        match old.get(&["metadata", field]) {
            Some(value) => new.set(&["metadata", field], value.clone()),
            None => drop(new.remove(&["metadata", field])),
        }
    }
    new.set(&["metadata", "resourceVersion"], old.resource_version());
    if own_status {
        match old.get(&["status"]) {
            Some(status) => new.set(&["status"], status.clone()),
            None => drop(new.remove(&["status"])),
        }
    }
    new
}

/// A write of one part keeps everything else.
fn part(old: &Object, wanted: &Object, field: &str) -> Object {
    let mut new = old.clone();
    match wanted.get(&[field]) {
        Some(value) => new.set(&[field], value.clone()),
        None => drop(new.remove(&[field])),
    }
    new
}

/// On its way out, with nobody left to wait for.
fn is_finished(object: &Object) -> bool {
    let list =
        |path: &[&str]| object.get(path).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let waits =
        object.get(&["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_u64).unwrap_or(0) > 0;
    let namespace = object.kind() == "Namespace" && list(&["spec", "finalizers"]);
    object.is_terminating() && !waits && !namespace && !list(&["metadata", "finalizers"])
}
