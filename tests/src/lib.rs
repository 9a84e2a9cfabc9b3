//! Clusters of real processes, end to end.
