//! `--only`: functions named on the command line.

use std::collections::BTreeSet;

use wavegate_core::name::FunctionName;
use wavegate_core::spec::AppSpec;

use crate::catalogue::nearest;
use crate::error::CliError;

/// A function that the manifest does not have.
const UNKNOWN: &str = "WG613";

/// The functions that are meant; `None`: all.
pub(crate) fn only(
    app: &AppSpec,
    names: &[String],
) -> Result<Option<BTreeSet<FunctionName>>, CliError> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut chosen = BTreeSet::new();
    let mut unknown = Vec::new();
    for name in names {
        match app.functions.keys().find(|key| key.as_str() == name) {
            Some(key) => {
                chosen.insert(key.clone());
            }
            None => unknown.push(name.as_str()),
        }
    }
    if unknown.is_empty() {
        return Ok(Some(chosen));
    }
    let keys: Vec<&str> = app.functions.keys().map(FunctionName::as_str).collect();
    let error = CliError::usage(
        UNKNOWN,
        format!("the manifest has no function `{}`", unknown.join("`, `")),
    );
    let near: Vec<String> = unknown
        .iter()
        .filter_map(|name| nearest(name, keys.iter().copied()))
        .map(|near| format!("did you mean `{near}`?"))
        .collect();
    if near.is_empty() {
        return Err(error.hint(format!("there are: {}", keys.join(", "))));
    }
    Err(near.into_iter().fold(error, CliError::hint))
}
