//! Paging: a marker says after which item to go on, so that what comes or goes between two pages is
//! neither repeated nor lost.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::input::Asked;
use crate::wire::Fault;

/// AWS: items in a page unless the request says otherwise.
const PAGE: usize = 100;

/// The page that is asked for. Items are sorted by their keys, which are unique.
pub(super) fn page(
    list: &str,
    asked: &Asked,
    items: impl IntoIterator<Item = (String, Value)>,
) -> Result<Value, Fault> {
    let after = asked.marker.as_deref().map(read).transpose()?;
    let mut rest = items
        .into_iter()
        .skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after))
        .peekable();
    let mut shown = Vec::new();
    let mut end = String::new();
    while shown.len() < asked.max_items.unwrap_or(PAGE)
        && let Some((key, item)) = rest.next()
    {
        shown.push(item);
        end = key;
    }
    let mut answer = json!({ list: shown, "IsTruncated": rest.peek().is_some() });
    if rest.peek().is_some() {
        answer["Marker"] = URL_SAFE_NO_PAD.encode(end).into();
    }
    Ok(answer)
}

fn read(marker: &str) -> Result<String, Fault> {
    let decoded = URL_SAFE_NO_PAD.decode(marker).ok().and_then(|it| String::from_utf8(it).ok());
    decoded.ok_or_else(|| Fault::new("ValidationError", "Invalid Marker."))
}
