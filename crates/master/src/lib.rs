//! A master: wires raft, the apiserver and the leader's loops.
