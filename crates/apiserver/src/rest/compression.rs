//! gzip for large answers, where the client takes it: as Kubernetes does, above a size
//! below which it costs more than it saves.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// What is smaller goes as it is.
const SMALLEST_BYTES: usize = 128 * 1024;

/// Whether a client takes gzip.
pub(super) fn is_taken(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let refused = |part: &str| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        parts.next().is_some_and(|name| matches!(name, "gzip" | "*")) && !parts.any(refused)
    })
}

/// The bytes compressed; `None` where that is not worth it.
pub(super) fn compressed(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < SMALLEST_BYTES {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_large_is_compressed_for_whom_takes_it() {
        for (header, wanted) in [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, header.parse().expect("a header"));
            assert_eq!(is_taken(&headers), wanted, "{header}");
        }
        assert_eq!(compressed(&[7; SMALLEST_BYTES - 1]), None);
        let packed = compressed(&[7; SMALLEST_BYTES]).expect("large");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, [7; SMALLEST_BYTES]);
    }
}
