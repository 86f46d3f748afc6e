//! A release and the death of those who run it; a release and bad weather.
//!
//! The real binary against the local cloud, with a proxy between the two that kills and bends. Each
//! trial has an app, a cloud and a proxy of its own, copied from one that was prepared. By default a
//! sample is tried, another one every day; `WAVEGATE_RECOVERY=all` tries everything.

mod bench;
mod crashes;
mod figures;
mod pair;
mod parallel;
mod sample;
mod shop;
mod weather;
