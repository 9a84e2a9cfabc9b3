//! Controllers: reconcile(view, key, now) -> Plan.
