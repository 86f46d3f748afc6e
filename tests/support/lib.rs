//! What the tests share: an app of many functions, and a world in which time is virtual and the
//! cloud is the local cloud's own model of Lambda; the real binary, as a user runs it; and a proxy that
//! makes the weather between the binary and a local cloud.

pub mod app;
pub mod author;
pub mod binary;
pub mod hosted;
pub mod library;
pub mod model;
pub mod no_codedeploy;
pub mod plugins;
pub mod proxy;
