//! Tells the crate which target it is built for. Pins are kept per target triple, and the standard
//! library does not know the triple.

use std::env;

fn main() {
    let target = env::var("TARGET").expect("cargo sets TARGET for build scripts");
    println!("cargo::rustc-env=WAVEGATE_TARGET={target}");
    println!("cargo::rerun-if-changed=build.rs");
}
