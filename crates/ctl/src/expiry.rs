//! When the client certificate of a kubeconfig ends: pure. Nobody renews the admin's.

use std::path::Path;

use jiff::Timestamp;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use xebec_api::pem;

/// Seconds before its end from which on it is told of.
const SOON: i64 = 30 * 86_400;

/// What to say of a certificate, PEM, of this kubeconfig. `None` while there is time, and of
/// what is no certificate: whoever connects with it says that.
pub(crate) fn remark(certificate: &[u8], kubeconfig: &Path, now: i64) -> Option<String> {
    let chain = pem::certificates(certificate).ok()?;
    let (_, first) = X509Certificate::from_der(chain.first()?).ok()?;
    let end = first.validity().not_after.timestamp();
    let ends = match end - now {
        left if left > SOON => return None,
        left if left > 0 => "ends",
        _ => "has ended",
    };
    let day = Timestamp::from_second(end).ok()?.strftime("%F");
    Some(format!(
        "the client certificate of {} {ends} on {day}: `xebec kubeconfig --config FILE` on a master's host makes \
         another for the admin",
        kubeconfig.display()
    ))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_last_thirty_days_are_told_of_and_what_comes_after() {
        let mut params = rcgen::CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2027, 3, 31);
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        let mut told = String::new();
        for day in ["2026-03-31", "2027-02-28", "2027-03-01", "2027-03-30", "2027-03-31", "2028-01-01"] {
            let now: Timestamp = format!("{day}T12:00:00Z").parse().expect("a time");
            let remark = remark(pem.as_bytes(), Path::new("/k"), now.as_second()).unwrap_or_default();
            told += &format!("{day}: {}\n", remark.split_once(": ").map_or("nothing", |(what, _)| what));
        }
        expect![[r#"
            2026-03-31: nothing
            2027-02-28: nothing
            2027-03-01: the client certificate of /k ends on 2027-03-31
            2027-03-30: the client certificate of /k ends on 2027-03-31
            2027-03-31: the client certificate of /k has ended on 2027-03-31
            2028-01-01: the client certificate of /k has ended on 2027-03-31
        "#]]
        .assert_eq(&told);
        assert_eq!(remark(b"no certificate", Path::new("/k"), 0), None);
    }
}
