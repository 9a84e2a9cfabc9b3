//! A new object.

use serde_json::Value;
use xebec_api::error::{ApiError, Reason};
use xebec_api::name;
use xebec_api::object::Object;
use xebec_state::{Key, Operation, Precondition, Refusal, Reply, Transaction};

use crate::clock::rfc3339;
use crate::context::RequestContext;
use crate::pipeline::{admission, decode, managed_fields, validation};
use crate::server::ApiServer;
use crate::verbs::Target;
use crate::versioned;

/// Names drawn for one `generateName`.
const MOST_DRAWS: usize = 8;

impl ApiServer {
    /// Creates an object; gives it as it was stored.
    ///
    /// # Errors
    /// `Invalid` with the fields, `AlreadyExists`, `NotFound` for the namespace,
    /// `Forbidden`, or what the store says.
    pub async fn create(
        &self,
        context: &RequestContext,
        target: &Target,
        object: Object,
    ) -> Result<Object, ApiError> {
        self.authorize(context, "create", target)?;
        match target.subresource.as_str() {
            "" => {}
            "binding" => return self.bind_one(context, target, &object).await,
            "eviction" => return self.evict(context, target).await,
            "token" => return self.create_token(context, target, &object).await,
            other => {
                return Err(ApiError::new(Reason::MethodNotAllowed, format!("{other}: cannot be created")));
            }
        }
        let mut object = object;
        decode::admit(target, &mut object)?;
        let generated = object.name().is_empty() && !object.text(&["metadata", "generateName"]).is_empty();
        for _ in 0..MOST_DRAWS {
            let mut attempt = object.clone();
            if generated {
                let prefix = object.text(&["metadata", "generateName"]);
                attempt.set(&["metadata", "name"], name::generated(prefix, &self.settings.ids.suffix()));
            }
            match self.create_named(context, target, attempt).await {
                Err(error) if generated && error.reason == Reason::AlreadyExists => {}
                outcome => return outcome,
            }
        }
        let message = format!("generateName: {MOST_DRAWS} drawn names were taken: try again");
        Err(ApiError::new(Reason::ServiceUnavailable, message))
    }

    async fn create_named(
        &self,
        context: &RequestContext,
        target: &Target,
        mut object: Object,
    ) -> Result<Object, ApiError> {
        let row = target.row;
        self.begin(row.has_subresource("status"), &mut object);
        row.strategy.prepare_create(&mut object);
        admission::mutate(row, &mut object);
        row.strategy.default_fields(&mut object);
        validation::create(row, &object)?;
        self.namespace_takes(row, &object)?;
        managed_fields::record(&mut object, None, context, "", self.settings.clock.now());
        let key = Key::new(&row.storage_name(), object.namespace(), object.name());
        // Allocation draws what is free in this state; somebody may be faster.
        loop {
            let mut transaction = Transaction {
                preconditions: vec![Precondition::Absent(key.clone())],
                fence: context.fence,
                ..Transaction::default()
            };
            if row.namespaced {
                transaction.preconditions.push(Precondition::Exists(Key::new(
                    "namespaces",
                    "",
                    object.namespace(),
                )));
            }
            let fixed = transaction.preconditions.len();
            let mut allocated = object.clone();
            self.allocate(&mut allocated, None, &mut transaction)?;
            transaction.operations.insert(0, Operation::Put(key.clone(), versioned::to_value(&allocated)));
            if context.dry_run {
                return Ok(allocated);
            }
            match self.propose(context, transaction).await? {
                Reply::Applied { revisions } => {
                    return versioned::from_parts(&versioned::to_value(&allocated), revisions[0]);
                }
                Reply::Refused(Refusal::Precondition { index: 0, .. }) => {
                    return Err(ApiError::already_exists(row.group, row.plural, object.name()));
                }
                Reply::Refused(Refusal::Precondition { index, .. }) if index < fixed => {
                    return Err(ApiError::not_found("", "namespaces", object.namespace()));
                }
                Reply::Refused(Refusal::Precondition { .. }) => {}
                Reply::Refused(Refusal::Fenced { term }) => return Err(fenced(term)),
            }
        }
    }

    /// What the server says of every new object.
    fn begin(&self, drop_status: bool, object: &mut Object) {
        for field in [
            "selfLink",
            "resourceVersion",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "managedFields",
        ] {
            object.remove(&["metadata", field]);
        }
        object.set(&["metadata", "uid"], self.settings.ids.uid());
        object.set(&["metadata", "creationTimestamp"], rfc3339(self.settings.clock.now()));
        if drop_status {
            object.remove(&["status"]);
        }
        if object.get(&["spec"]).is_some() {
            object.set(&["metadata", "generation"], 1);
        } else {
            object.remove(&["metadata", "generation"]);
        }
        for field in ["labels", "annotations"] {
            if object.get(&["metadata", field]).is_some_and(Value::is_null) {
                object.remove(&["metadata", field]);
            }
        }
    }

    /// A namespace that is being deleted takes nothing new.
    fn namespace_takes(&self, row: &xebec_api::resource::Resource, object: &Object) -> Result<(), ApiError> {
        if !row.namespaced {
            return Ok(());
        }
        let state = self.store.state();
        let Some(entry) = state.get(&Key::new("namespaces", "", object.namespace())) else { return Ok(()) };
        if versioned::to_object(entry)?.is_terminating() {
            let message = format!(
                "{} {:?} is forbidden: unable to create new content in namespace {} because it is being terminated",
                row.plural,
                object.name(),
                object.namespace()
            );
            return Err(ApiError::new(Reason::Forbidden, message));
        }
        Ok(())
    }
}

/// A loop of a leader that is none any more.
pub(crate) fn fenced(term: u64) -> ApiError {
    ApiError::new(Reason::Conflict, format!("this leader's term is over: the cluster is in term {term}"))
}
