//! The scheduler: a view and pending pods in, decisions out.
