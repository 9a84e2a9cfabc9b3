//! Sandboxes, shims, libcontainer, images, overlay and the pod network.
