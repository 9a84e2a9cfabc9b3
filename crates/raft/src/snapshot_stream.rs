//! A snapshot on the wire: a header, then records in pieces of a bounded size, each
//! record behind its length, closed by the revision and the hash.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use xebec_rpc::raft::v1;
use xebec_state::{State, StateBuilder, encode_object};

/// Bytes of one message.
const PIECE_BYTES: usize = 1 << 20;

/// The messages behind the header.
pub(crate) fn pieces(state: State) -> impl Iterator<Item = v1::SnapshotChunk> {
    let mut keys: Vec<_> = state.objects().map(|(key, _)| key).collect::<Vec<_>>();
    keys.reverse();
    let mut ended = false;
    std::iter::from_fn(move || {
        let mut piece = BytesMut::new();
        while piece.len() < PIECE_BYTES {
            let Some(key) = keys.pop() else {
                if ended {
                    break;
                }
                ended = true;
                // A length of zero closes the records.
                piece.put_u32(0);
                piece.put_u64(state.revision());
                piece.put_u64(state.hash());
                break;
            };
            let entry = state.get(&key).expect("the key came from this state");
            let record = encode_object(&key, entry);
            piece.put_u32(u32::try_from(record.len()).expect("an object is below 4 GiB"));
            piece.put(record);
        }
        (!piece.is_empty())
            .then(|| v1::SnapshotChunk { part: Some(v1::snapshot_chunk::Part::Data(piece.freeze())) })
    })
}

/// Puts pieces together again.
#[derive(Default)]
pub(crate) struct Assembly {
    buffer: BytesMut,
    builder: StateBuilder,
    end: Option<(u64, u64)>,
}

/// Pieces that are no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssemblyError {
    #[error(transparent)]
    Record(#[from] xebec_state::SnapshotError),
    #[error("the snapshot's stream ended early")]
    Cut,
    #[error("there are bytes behind the snapshot's end")]
    Overlong,
}

impl Assembly {
    pub(crate) fn add(&mut self, data: &Bytes) -> Result<(), AssemblyError> {
        self.buffer.extend_from_slice(data);
        while self.buffer.len() >= 4 {
            if self.end.is_some() {
                return Err(AssemblyError::Overlong);
            }
            let length = u32::from_be_bytes(self.buffer[..4].try_into().expect("four bytes")) as usize;
            let needed = if length == 0 { 20 } else { 4 + length };
            if self.buffer.len() < needed {
                return Ok(());
            }
            let mut record = self.buffer.split_to(needed);
            record.advance(4);
            if length == 0 {
                self.end = Some((record.get_u64(), record.get_u64()));
            } else {
                self.builder.add(record.freeze())?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<State, AssemblyError> {
        let (revision, hash) = self.end.ok_or(AssemblyError::Cut)?;
        Ok(self.builder.finish(revision, hash)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xebec_state::{Key, Operation, Transaction};

    fn state(objects: usize, size: usize) -> State {
        let mut state = State::default();
        let operations = (0..objects)
            .map(|i| Operation::Put(Key::new("pods", "default", &format!("pod-{i}")), vec![7; size].into()))
            .collect();
        let transaction = Transaction { operations, ..Transaction::default() };
        state.apply(&transaction, 1).expect("applies");
        state
    }

    fn data(chunk: v1::SnapshotChunk) -> Bytes {
        match chunk.part {
            Some(v1::snapshot_chunk::Part::Data(data)) => data,
            other => panic!("expected data, got {other:?}"),
        }
    }

    #[test]
    fn a_state_survives_the_wire() {
        for (objects, size) in [(0, 0), (3, 10), (40, 100_000)] {
            let state = state(objects, size);
            let mut assembly = Assembly::default();
            for piece in pieces(state.clone()) {
                let piece = data(piece);
                assert!(piece.len() < PIECE_BYTES + 200_000);
                assembly.add(&piece).expect("whole pieces");
            }
            let back = assembly.finish().expect("a whole snapshot");
            assert_eq!((back.revision(), back.hash()), (state.revision(), state.hash()));
            assert_eq!(back.count("pods"), objects);
        }
    }

    #[test]
    fn a_cut_stream_is_no_snapshot() {
        let mut assembly = Assembly::default();
        let all: Vec<_> = pieces(state(40, 100_000)).map(data).collect();
        for piece in &all[..all.len() - 1] {
            assembly.add(piece).expect("whole pieces");
        }
        assert!(matches!(assembly.finish(), Err(AssemblyError::Cut)));
    }
}
