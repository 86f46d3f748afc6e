//! The simulation: real releases, the real core, against the local cloud's own model of Lambda, in
//! hostile weather, with other hands, deaths and second machines, all from one seed.

mod app;
mod calls;
pub mod catalogue;
mod cloud;
pub mod exhaustive;
mod laws;
mod machine;
mod people;
mod perform;
pub mod rng;
mod run;
pub mod script;
pub mod shrink;
pub mod survey;
pub mod weather;
pub mod words;
mod world;

pub use run::{Report, Story, run};
pub use world::Broken;
