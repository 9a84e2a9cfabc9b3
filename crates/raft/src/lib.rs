//! openraft on sled, the peers' transport, membership and snapshots.
