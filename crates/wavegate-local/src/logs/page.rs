//! Paging of groups and streams: a token says after which item to go on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::input::Asked;
use super::{Refusal, invalid};

/// AWS: items in a page unless the request says otherwise.
const PAGE: usize = 50;

/// The page that is asked for. Items are in the order of their keys, which are unique, upwards or, if
/// that is asked for, downwards.
pub(super) fn page(
    list: &str,
    asked: &Asked,
    items: Vec<(String, Value)>,
) -> Result<Value, Refusal> {
    let begin = match &asked.next_token {
        None => 0,
        Some(token) => {
            let key = read(token).ok_or_else(|| invalid("The specified nextToken is invalid."))?;
            let is_next = |of: &String| if asked.descending { *of < key } else { *of > key };
            items.iter().position(|(of, _)| is_next(of)).unwrap_or(items.len())
        }
    };
    let end = (begin + asked.limit.unwrap_or(PAGE)).min(items.len());
    let next = (end < items.len()).then(|| URL_SAFE_NO_PAD.encode(&items[end - 1].0));
    let shown = items.into_iter().skip(begin).take(end - begin).map(|(_, item)| item);
    let mut answer = json!({ list: shown.collect::<Vec<_>>() });
    if let Some(next) = next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}

fn read(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}
