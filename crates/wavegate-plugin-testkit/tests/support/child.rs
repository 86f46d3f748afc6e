//! The process of a plugin in this crate's tests, as `wavegate plugin-host` and `wavegate
//! plugin-laws` are for people.

use std::collections::HashMap;
use std::io;

use wavegate_plugin_host::{ChildArgs, run_child};
use wavegate_plugin_testkit::run_abi_laws_child;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let verb = arguments.next().ok_or_else(|| missing("a verb"))?;
    let mut flags = HashMap::new();
    while let (Some(flag), Some(value)) = (arguments.next(), arguments.next()) {
        flags.insert(flag, value);
    }
    let flag = |name: &str| flags.get(name).cloned().ok_or_else(|| missing(name));
    let number = |name: &str| flag(name)?.parse::<u64>().map_err(io::Error::other);
    let args = ChildArgs {
        name: flag("--name")?,
        library: flag("--library")?.into(),
        entry: flag("--entry")?,
        memory_bytes: number("--memory-bytes")?,
        log_level: i32::try_from(number("--log-level")?).map_err(io::Error::other)?,
    };
    match verb.as_str() {
        "plugin-host" => run_child(args),
        "plugin-laws" => run_abi_laws_child(args),
        other => Err(missing(&format!("a verb, not `{other}`,"))),
    }
}

fn missing(what: &str) -> io::Error {
    io::Error::other(format!("{what} is missing"))
}
