//! What the tests share: an app of many functions, and a world in which time is virtual and the
//! cloud is the local cloud's own model of Lambda; and the real binary, as a user runs it.

pub mod app;
pub mod author;
pub mod binary;
pub mod library;
pub mod model;
pub mod plugins;
