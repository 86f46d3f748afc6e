//! The manifest from outside: what it means, what is said when it is wrong, and its schema.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod codedeploy;
mod diagnostics;
mod import;
mod load;
mod pin;
mod plugins;
mod schema;
mod support;
