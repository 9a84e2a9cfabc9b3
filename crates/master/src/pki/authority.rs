//! The cluster's CA. Its key lives sealed in the store, so every master can issue.

use std::net::IpAddr;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};

use crate::error::MasterError;

/// Days that the CA is good for, and what it issues.
const CA_DAYS: i64 = 3650;
/// Masters renew theirs every day and at every start.
const MASTER_DAYS: i64 = 7;
/// Agents and others renew theirs in time, or come back by a token.
const CLIENT_DAYS: i64 = 30;
/// Nobody renews a person's.
const ADMIN_DAYS: i64 = 365;
/// Clocks may differ by this much.
const SKEW_SECONDS: i64 = 300;

/// The CA, ready to issue.
pub(crate) struct Authority {
    certificate_pem: String,
    certificate_der: Vec<u8>,
    key_pem: String,
}

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A user or a component, by name and groups.
    Client {
        /// The CN.
        name: String,
        /// The O.
        groups: Vec<String>,
    },
    /// A master's client API, under these names and addresses.
    Serving {
        /// The CN.
        name: String,
        /// DNS names and IP addresses.
        names: Vec<String>,
    },
    /// A master among masters: both ends.
    Peer {
        /// The master's name.
        name: String,
        /// DNS names and IP addresses.
        names: Vec<String>,
    },
}

impl Authority {
    /// A new CA.
    ///
    /// # Errors
    /// [`MasterError::Certificate`].
    pub(crate) fn create(cluster_id: &str, now: Timestamp) -> Result<Self, MasterError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, format!("xebec-ca-{cluster_id}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid(&mut params, now, CA_DAYS);
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            certificate_der: certificate.der().to_vec(),
            key_pem: key.serialize_pem(),
        })
    }

    /// The CA from its two PEM texts.
    ///
    /// # Errors
    /// [`MasterError::Certificate`].
    pub(crate) fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, MasterError> {
        let der = der_of(certificate_pem)?;
        Ok(Self {
            certificate_pem: certificate_pem.to_owned(),
            certificate_der: der,
            key_pem: key_pem.to_owned(),
        })
    }

    /// The CA's certificate, PEM.
    #[must_use]
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate_pem
    }

    /// The CA's key, PEM.
    #[must_use]
    pub(crate) fn key(&self) -> &str {
        &self.key_pem
    }

    /// What a token pins.
    #[must_use]
    pub(crate) fn hash(&self) -> String {
        xebec_rpc::pinned::hash(&self.certificate_der)
    }

    /// Signs a request. Only its public key is taken from it: name, groups and names
    /// are what `purpose` says.
    ///
    /// # Errors
    /// [`MasterError::Certificate`] when the request is none, or its signature is wrong.
    pub(crate) fn sign(
        &self,
        csr_pem: &str,
        purpose: &Purpose,
        now: Timestamp,
    ) -> Result<String, MasterError> {
        let request = CertificateSigningRequestParams::from_pem(csr_pem)
            .map_err(|error| MasterError::Certificate(format!("csr: {error}")))?;
        let params = params(purpose, now)?;
        let issuer = self.issuer()?;
        Ok(params.signed_by(&request.public_key, &issuer)?.pem())
    }

    /// A fresh key and its certificate, PEM.
    ///
    /// # Errors
    /// [`MasterError::Certificate`].
    pub(crate) fn issue(&self, purpose: &Purpose, now: Timestamp) -> Result<(String, String), MasterError> {
        let key = KeyPair::generate()?;
        let certificate = params(purpose, now)?.signed_by(&key, &self.issuer()?)?;
        Ok((key.serialize_pem(), certificate.pem()))
    }

    fn issuer(&self) -> Result<Issuer<'static, KeyPair>, MasterError> {
        let key = KeyPair::from_pem(&self.key_pem)?;
        Ok(Issuer::from_ca_cert_pem(&self.certificate_pem, key)?)
    }
}

/// A fresh key and a request for it, PEM.
///
/// # Errors
/// [`MasterError::Certificate`].
pub(crate) fn key_and_csr() -> Result<(String, String), MasterError> {
    let key = KeyPair::generate()?;
    let csr = CertificateParams::default().serialize_request(&key)?;
    Ok((key.serialize_pem(), csr.pem()?))
}

fn params(purpose: &Purpose, now: Timestamp) -> Result<CertificateParams, MasterError> {
    let (name, groups, names, client, server) = match purpose {
        Purpose::Client { name, groups } => (name, groups.clone(), &[][..], true, false),
        Purpose::Serving { name, names } => (name, Vec::new(), names.as_slice(), false, true),
        Purpose::Peer { name, names } => {
            (name, vec!["xebec:masters".to_owned()], names.as_slice(), true, true)
        }
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name.as_str());
    for group in groups {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into()?),
        });
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if client {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    }
    if server {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    valid(&mut params, now, days(purpose));
    Ok(params)
}

fn days(purpose: &Purpose) -> i64 {
    match purpose {
        Purpose::Serving { .. } | Purpose::Peer { .. } => MASTER_DAYS,
        Purpose::Client { groups, .. } if groups.iter().any(|group| group == "system:masters") => ADMIN_DAYS,
        Purpose::Client { .. } => CLIENT_DAYS,
    }
}

fn valid(params: &mut CertificateParams, now: Timestamp, days: i64) {
    let date = |seconds: i64| {
        let time = Timestamp::from_second(seconds).unwrap_or(now).to_zoned(jiff::tz::TimeZone::UTC);
        rcgen::date_time_ymd(i32::from(time.year()), time.month().unsigned_abs(), time.day().unsigned_abs())
    };
    // Whole days are enough; the day before covers clocks that differ.
    params.not_before = date(now.as_second() - SKEW_SECONDS - 86_400);
    params.not_after = date(now.as_second() + days * 86_400);
    params.serial_number = Some(SerialNumber::from(rand::random::<[u8; 16]>().map(|b| b & 0x7f).to_vec()));
}

pub(crate) fn der_of(certificate_pem: &str) -> Result<Vec<u8>, MasterError> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes());
    der.map(|der| der.to_vec()).map_err(|error| MasterError::Certificate(error.to_string()))
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
