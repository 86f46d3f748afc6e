//! The part of a content that a request asks for.

use std::ops::Range;

use serde_json::Value;

use super::Call;
use super::refusal::{Refusal, argument, invalid};
use super::rows::Version;
use crate::wire::Fault;

/// What a `Range` header asks of a content.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// All of it.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that are not there.
    Nothing,
}

/// Which bytes a request means.
#[derive(Debug)]
pub(super) enum Part<'a> {
    /// All, and it did not ask for a part.
    Whole(Range<u64>),
    /// Some.
    Bytes(Range<u64>),
    /// Those of a part of an upload, with what is known of it.
    Uploaded(Range<u64>, &'a Value),
}

impl Part<'_> {
    /// The bytes.
    pub(super) fn range(&self) -> Range<u64> {
        match self {
            Self::Whole(range) | Self::Bytes(range) | Self::Uploaded(range, _) => range.clone(),
        }
    }
}

/// Reads a header. What it does not say in the one form that S3 knows asks for everything.
fn asked(header: Option<&str>, size: u64) -> Asked {
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

/// What a read asks for, by a range or by the number of a part.
pub(super) fn part<'a>(
    call: &Call<'_>,
    version: &Version,
    parts: &'a [Value],
) -> Result<Part<'a>, Refusal> {
    if let Some(number) = call.number("PartNumber") {
        return numbered(number, version.size, parts).map_err(Refusal::from);
    }
    let header = call.text("Range");
    match asked(header, version.size) {
        Asked::Whole => Ok(Part::Whole(0..version.size)),
        Asked::Part(range) => Ok(Part::Bytes(range)),
        Asked::Nothing => {
            let message = "The requested range is not satisfiable";
            let fault = Fault::front(416, "InvalidRange", message)
                .with("RangeRequested", header.unwrap_or_default())
                .with("ActualObjectSize", version.size.to_string());
            let place = format!("bytes */{}", version.size);
            Err(Refusal::from(fault).with_header("content-range", place))
        }
    }
}

fn numbered(number: i64, size: u64, parts: &[Value]) -> Result<Part<'_>, Fault> {
    let mut start = 0;
    for part in parts {
        let end = start + part["Size"].as_u64().unwrap_or_default();
        if part["PartNumber"].as_i64() == Some(number) {
            return Ok(Part::Uploaded(start..end, part));
        }
        start = end;
    }
    // What was put as a whole is its own first part.
    if parts.is_empty() && number == 1 {
        return Ok(Part::Bytes(0..size));
    }
    let message = "The requested partnumber is not satisfiable";
    Err(Fault::front(416, "InvalidPartNumber", message)
        .with("PartNumberRequested", number.to_string())
        .with("ActualPartCount", parts.len().max(1).to_string()))
}

/// The bytes that are to be copied into a part.
pub(super) fn of_copy(header: Option<&str>, size: u64) -> Result<Range<u64>, Fault> {
    const NAME: &str = "x-amz-copy-source-range";
    let Some(header) = header else { return Ok(0..size) };
    let bounds = header
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    let Some((first, last)) = bounds.filter(|(first, last)| first <= last) else {
        let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
                       and last are the zero-based offsets of the first and last bytes to copy";
        return Err(argument(NAME, header, message));
    };
    if first >= size {
        return Err(invalid("The specified copy range is invalid for the source object size"));
    }
    if last >= size {
        let message = format!("Range specified is not valid for source object of size: {size}");
        return Err(argument(NAME, header, message));
    }
    Ok(first..last + 1)
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

    #[test]
    fn a_copied_range_is_exact_or_refused() {
        let code = |header| of_copy(Some(header), 10).map_err(|fault| fault.code);
        assert_eq!((of_copy(None, 10), code("bytes=2-9")), (Ok(0..10), Ok(2..10)));
        for header in ["0-8", "bytes=1-", "bytes=-2", "bytes=1-0", "bytes=0-1,3-4", "bytes=0-10"] {
            assert_eq!(code(header).unwrap_err(), "InvalidArgument", "{header}");
        }
        assert_eq!(code("bytes=10-11").unwrap_err(), "InvalidRequest");
    }
}
