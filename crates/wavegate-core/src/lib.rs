//! The decisions of wavegate, and nothing else.
//!
//! Data flows one way: a manifest becomes an [`spec::AppSpec`], what was observed in the cloud an
//! [`inventory::Inventory`], both together a [`plan::Plan`]; the plan is executed by the sans-I/O
//! machine in [`release`], which is told inputs and answers with effects.
//!
//! Invariants: nothing here reads a clock, the environment, a file or the network; nothing here is
//! random (nonces grow from a seed that the caller draws); maps are ordered, so the same inputs give
//! the same outputs. Deliberately absent: tokio, serde, AWS, plugins.

pub mod codedeploy;
pub mod control;
pub mod doctor;
pub mod fence;
pub mod graph;
pub mod inventory;
pub mod name;
pub mod plan;
pub mod prune;
pub mod release;
pub mod simulate;
pub mod spec;
pub mod time;
pub mod token;
pub mod weight;
