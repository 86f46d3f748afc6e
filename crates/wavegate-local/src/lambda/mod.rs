//! Lambda: its model, its wire shapes, its operations, its packages.

pub mod archive;
pub mod error;
pub mod input;
pub mod metric;
pub mod model;
pub mod name;
pub(crate) mod operations;
pub mod output;
mod runtimes;
