//! Certificates: the cluster's CA, what it issues, and the files of a master.

mod authority;
mod files;
mod serving;

pub(crate) use authority::der_of;
pub(crate) use authority::{Authority, Purpose, key_and_csr};
pub(crate) use files::{PkiFiles, private_folder, write_private};
pub(crate) use serving::ServingCertificate;
