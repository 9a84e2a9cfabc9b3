//! The node agent: pod machine, pod workers, probes, status and the session.
