//! The embedded local cloud: AWS wire protocols on loopback, real function code.

pub mod cloudwatch;
