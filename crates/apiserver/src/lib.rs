//! The request pipeline, patch, the watch hub and the gRPC face.
