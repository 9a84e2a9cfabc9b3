//! The userspace Service proxy: one nftables table, one listener, splice.
