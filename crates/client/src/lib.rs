//! The typed and dynamic client: redirects, backoff, the list and watch cache.
