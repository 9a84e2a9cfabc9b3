//! IP addresses that may stand behind, or in front of, a Service.

use std::net::IpAddr;

use crate::name::Rule;

/// Any address.
///
/// # Errors
/// It is none.
pub fn any(text: &str) -> Rule {
    parsed(text).map(|_| ())
}

fn parsed(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned())
}

/// An address that is the same machine for everyone: not unspecified, not loopback, not
/// link-local. Otherwise an EndpointSlice could turn a Service into a way to what
/// listens on the nodes' own loopback.
///
/// # Errors
/// What is wrong with it.
pub fn non_special(text: &str) -> Rule {
    let address = parsed(text)?;
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.segments()[0] == 0xff02,
    };
    if address.is_unspecified() {
        Err(format!("may not be unspecified ({address})"))
    } else if address.is_loopback() {
        Err("may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned())
    } else if link_local {
        Err("may not be in the link-local range (169.254.0.0/16, 224.0.0.0/24, fe80::/10, ff02::/10)"
            .to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_else_on_each_node_is_refused() {
        for good in ["10.42.0.7", "2001:db8::1", "192.0.2.1"] {
            assert_eq!(non_special(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a",
            "0.0.0.0",
            "::",
            "127.0.0.1",
            "::1",
            "169.254.169.254",
            "fe80::1",
            "224.0.0.1",
            "ff02::1",
        ] {
            assert!(non_special(bad).is_err(), "{bad}");
        }
    }
}
