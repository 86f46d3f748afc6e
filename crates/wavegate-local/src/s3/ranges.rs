//! The part of a content that a request asks for.

use std::ops::Range;

/// What a `Range` header asks of a content.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of it.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that are not there.
    Nothing,
}

/// Reads a header. What it does not say in the one form that S3 knows asks for everything.
pub(super) fn asked(header: Option<&str>, size: u64) -> Asked {
    let Some((first, last)) = header
        .and_then(|header| header.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Asked::Whole;
    };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(last)) if first.is_empty() => size.saturating_sub(last)..size,
        _ => return Asked::Whole,
    };
    if range.is_empty() { Asked::Nothing } else { Asked::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_the_content() {
        for (header, wanted) in [
            (None, Asked::Whole),
            (Some("bytes=0-3"), Asked::Part(0..4)),
            (Some("bytes=8-"), Asked::Part(8..10)),
            (Some("bytes=8-99"), Asked::Part(8..10)),
            (Some("bytes=-4"), Asked::Part(6..10)),
            (Some("bytes=-40"), Asked::Part(0..10)),
            (Some("bytes=10-"), Asked::Nothing),
            (Some("bytes=-0"), Asked::Nothing),
            (Some("bytes=5-2"), Asked::Whole),
            (Some("bytes=a-b"), Asked::Whole),
            (Some("lines=1-2"), Asked::Whole),
        ] {
            assert_eq!(asked(header, 10), wanted, "{header:?}");
        }
    }
}
