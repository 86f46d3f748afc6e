//! Paging tokens: opaque to clients, bound to the operation that made them.
//!
//! A token says after which item to go on, not how many to skip, so items that come or go between
//! two pages are neither repeated nor lost (`GetMetricData`, whose items are points, counts).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::fault::{Fault, FaultKind};

/// A token with which `operation` goes on after `place`.
pub(crate) fn token(operation: &str, place: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("1\n{operation}\n{place}"))
}

/// The place a token says, when `operation` made it.
pub(crate) fn place(operation: &str, token: &str) -> Result<String, Fault> {
    let refuse =
        || Fault::new(FaultKind::InvalidNextToken, "The value for parameter NextToken is invalid.");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refuse())?;
    let text = String::from_utf8(bytes).map_err(|_| refuse())?;
    let rest = text.strip_prefix("1\n").and_then(|rest| rest.strip_prefix(operation));
    rest.and_then(|rest| rest.strip_prefix('\n')).map(ToOwned::to_owned).ok_or_else(refuse)
}
