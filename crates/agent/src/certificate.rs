//! How long the node's certificate is good, and what is to be done about it: pure. Who does
//! it is [`crate::join`].

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// From when until when a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

/// What a certificate needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing yet.
    Fine,
    /// Another one, for which the present one is good.
    Renew,
    /// Another one by a token: no master takes the present one any more.
    JoinAnew,
}

impl Validity {
    /// That of a certificate, PEM.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn of(pem: &[u8]) -> Result<Self, String> {
        let der = CertificateDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|error| error.to_string())?;
        let validity = certificate.validity();
        let time = |seconds| Timestamp::from_second(seconds).map_err(|error| error.to_string());
        Ok(Self {
            not_before: time(validity.not_before.timestamp())?,
            not_after: time(validity.not_after.timestamp())?,
        })
    }

    /// What is to be done now. A third of the life is let pass and no more, so that masters
    /// may be away for long before the rest is gone.
    pub(crate) fn need(self, now: Timestamp) -> Need {
        let life = self.not_after.as_second() - self.not_before.as_second();
        let left = self.not_after.as_second() - now.as_second();
        if left <= 0 {
            Need::JoinAnew
        } else if 3 * left < 2 * life {
            Need::Renew
        } else {
            Need::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn day(days: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + days * DAY).expect("a time")
    }

    #[test]
    fn a_certificate_is_renewed_after_a_third_of_its_life_and_replaced_after_all_of_it() {
        let validity = Validity { not_before: day(0), not_after: day(30) };
        let cases = [
            // A clock that goes after the master's.
            (-1, Need::Fine),
            (0, Need::Fine),
            (10, Need::Fine),
            (11, Need::Renew),
            (29, Need::Renew),
            (30, Need::JoinAnew),
            (300, Need::JoinAnew),
        ];
        for (days, need) in cases {
            assert_eq!(validity.need(day(days)), need, "day {days}");
        }
    }

    #[test]
    fn the_times_are_those_of_the_certificate() {
        let mut params = rcgen::CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(2027, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 31);
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        let time = |text: &str| text.parse::<Timestamp>().expect("a time");
        let (not_before, not_after) = (time("2027-01-01T00:00:00Z"), time("2027-01-31T00:00:00Z"));
        assert_eq!(Validity::of(pem.as_bytes()), Ok(Validity { not_before, not_after }));
        assert!(Validity::of(b"no certificate").is_err());
    }
}
