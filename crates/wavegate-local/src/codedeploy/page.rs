//! Paging tokens: opaque to clients, bound to the operation that made them.
//!
//! A token says after which item to go on, not how many to skip, so items that come or go between
//! two pages are neither repeated nor lost.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::fault::{Fault, FaultKind};

/// Items in one page. AWS does not document its number; clients page until there is no token.
pub(crate) const PAGE: usize = 100;

/// Cuts the page out of `items` that `token` asks for. Items are sorted by their keys, which are
/// unique; answers with the page and with the token of the next one.
pub(crate) fn page<T>(
    operation: &str,
    token: Option<&str>,
    items: impl IntoIterator<Item = (String, T)>,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let after = token.map(|token| place(operation, token)).transpose()?;
    let mut rest = items
        .into_iter()
        .skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after))
        .peekable();
    let mut shown = Vec::new();
    let mut last = String::new();
    while shown.len() < PAGE
        && let Some((key, item)) = rest.next()
    {
        shown.push(item);
        last = key;
    }
    let next = rest.peek().map(|_| URL_SAFE_NO_PAD.encode(format!("1\n{operation}\n{last}")));
    Ok((shown, next))
}

fn place(operation: &str, token: &str) -> Result<String, Fault> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let rest = text.strip_prefix("1\n")?.strip_prefix(operation)?;
        rest.strip_prefix('\n').map(ToOwned::to_owned)
    };
    read().ok_or_else(|| {
        Fault::new(FaultKind::InvalidNextToken, "The specified nextToken is invalid")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(numbers: std::ops::Range<usize>) -> Vec<(String, usize)> {
        numbers.map(|number| (format!("{number:05}"), number)).collect()
    }

    #[test]
    fn pages_follow_one_another_without_gaps_whatever_comes_in_between() {
        let (first, token) = page("List", None, items(0..250)).unwrap();
        let (second, token) = page("List", token.as_deref(), items(50..250)).unwrap();
        let (third, end) = page("List", token.as_deref(), items(0..250)).unwrap();
        assert_eq!((first.len(), second[0], third.len(), third[49]), (100, 100, 50, 249));
        assert_eq!(end, None);
    }

    #[test]
    fn a_token_of_another_operation_is_refused() {
        let (_, token) = page("List", None, items(0..250)).unwrap();
        for (operation, token) in [("Other", token.unwrap()), ("List", "x".to_owned())] {
            let refused = page("x", Some(&token), items(0..1)).unwrap_err();
            assert_eq!(refused.kind, FaultKind::InvalidNextToken, "{operation}");
        }
    }
}
