//! The local cloud from outside: over plain HTTP, with real function code.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod alarms;
mod clients;
mod control_plane;
mod deployment_clients;
mod deployments;
mod events;
mod failures;
mod homes;
mod invocations;
mod layers;
mod logs;
mod models;
mod node_client;
mod objects;
mod permissions;
mod provisioned;
mod sdks;
mod strangers;
mod streams;
mod support;
mod surroundings;
mod urls;
