//! The manifest from outside: what it means, what is said when it is wrong, and its schema.

mod diagnostics;
mod load;
mod schema;
mod support;
