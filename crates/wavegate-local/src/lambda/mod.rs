//! Lambda: its model, its wire shapes, its REST routes, its packages.

pub mod archive;
mod beside;
pub mod error;
pub mod input;
pub mod metric;
pub mod model;
pub mod name;
pub mod output;
pub(crate) mod rest;
