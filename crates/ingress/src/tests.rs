//! The whole server on real sockets, with endpoints that behave and that do not.

mod endpoint;
mod full;
mod http2;
mod kept;
mod lab;
mod refused;
mod requests;
mod stop;
mod tls;
mod uploads;
