//! The local cloud from outside: over plain HTTP, with real function code.

mod clients;
mod control_plane;
mod invocations;
mod support;
