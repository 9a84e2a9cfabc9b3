//! The cluster's own secrets in the store: the CA and the ServiceAccount key pair,
//! sealed, under `xebec/keys`; and the cluster's id under `xebec/cluster`.

use serde::{Deserialize, Serialize};
use xebec_apiserver::service_account::TokenKeys;
use xebec_state::{Key, Operation, Precondition, State, Transaction};

use crate::error::MasterError;
use crate::pki::Authority;
use crate::seal::Seal;

const AUTHORITY: &str = "ca";
const ACCOUNTS: &str = "serviceaccounts";

/// A public part in the clear and a private one sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    public: String,
    sealed: String,
}

/// The keys that every master works with.
pub(crate) struct ClusterKeys {
    /// Issues certificates.
    pub authority: Authority,
    accounts_private: String,
    accounts_public: String,
}

impl ClusterKeys {
    /// Fresh keys for a new cluster.
    ///
    /// # Errors
    /// [`MasterError::Certificate`].
    pub(crate) fn create(authority: Authority) -> Result<Self, MasterError> {
        let key = rcgen::KeyPair::generate()?;
        Ok(Self { authority, accounts_private: key.serialize_pem(), accounts_public: key.public_key_pem() })
    }

    /// The transaction that founds a cluster.
    ///
    /// # Errors
    /// [`MasterError::Certificate`].
    pub(crate) fn founding(&self, cluster_id: &str, seal: &Seal) -> Result<Transaction, MasterError> {
        let cluster = Key::new("xebec/cluster", "", "cluster");
        let about = serde_json::json!({"id": cluster_id, "featureLevel": 1}).to_string();
        let sealed = |name: &str, public: &str, private: &str| -> Result<Operation, MasterError> {
            let record = Sealed { public: public.to_owned(), sealed: seal.close(name, private)? };
            let record = serde_json::to_vec(&record).expect("plain data serializes");
            Ok(Operation::Put(key(name), record.into()))
        };
        Ok(Transaction {
            preconditions: vec![Precondition::Absent(cluster.clone())],
            operations: vec![
                Operation::Put(cluster, about.into()),
                sealed(AUTHORITY, self.authority.certificate(), self.authority.key())?,
                sealed(ACCOUNTS, &self.accounts_public, &self.accounts_private)?,
            ],
            ..Transaction::default()
        })
    }

    /// The keys in a state; `None` when it does not hold them yet.
    ///
    /// # Errors
    /// When they do not open.
    pub(crate) fn load(state: &State, seal: &Seal) -> Result<Option<Self>, MasterError> {
        let read = |name: &str| -> Result<Option<(String, String)>, MasterError> {
            let Some(entry) = state.get(&key(name)) else { return Ok(None) };
            let record: Sealed = serde_json::from_slice(&entry.value)
                .map_err(|error| MasterError::Certificate(format!("{name} in the store: {error}")))?;
            let private = seal.open(name, &record.sealed)?;
            Ok(Some((record.public, private)))
        };
        let (Some((certificate, authority_key)), Some((public, private))) =
            (read(AUTHORITY)?, read(ACCOUNTS)?)
        else {
            return Ok(None);
        };
        let authority = Authority::load(&certificate, &authority_key)?;
        Ok(Some(Self { authority, accounts_private: private, accounts_public: public }))
    }

    /// What signs and proves ServiceAccount tokens.
    ///
    /// # Errors
    /// When the keys are none.
    pub(crate) fn token_keys(&self) -> Result<TokenKeys, MasterError> {
        let keys = TokenKeys::from_pem(self.accounts_private.as_bytes(), self.accounts_public.as_bytes());
        keys.map_err(|error| MasterError::Certificate(format!("ServiceAccount keys: {error}")))
    }
}

fn key(name: &str) -> Key {
    Key::new("xebec/keys", "", name)
}
