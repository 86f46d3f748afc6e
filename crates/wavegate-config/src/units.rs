//! The small languages inside strings: durations, sizes, ARNs, S3 URLs.
//!
//! Parsers answer `None` or a reason and never look at positions; [`crate::check`] hangs them there.

use std::time::Duration;

/// Parses `90s`, `10m`, `1h30m`, `250ms`: whole numbers with units, the larger units first.
///
/// `None` for anything else, a bare number among it, and for more than 2^64 milliseconds.
pub fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let mut rest = text;
    let mut total: u64 = 0;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let (number, after) = split_at_first(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_at_first(after, |c| c.is_ascii_digit());
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        if *factor >= smallest {
            return None;
        }
        smallest = *factor;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
        rest = after;
    }
    (smallest != u64::MAX).then(|| Duration::from_millis(total))
}

/// Parses `256MB`, `1GB`, `1.5GB` to MiB, which Lambda calls megabytes.
///
/// Units are told in any case, with or without the `i` of `MiB` and a space before them.
pub fn size_mb(text: &str) -> Option<u32> {
    let (number, unit) = split_at_first(text, |c| !(c.is_ascii_digit() || c == '.'));
    let factor = match unit.trim_start().to_ascii_uppercase().as_str() {
        "MB" | "MIB" => 1,
        "GB" | "GIB" => 1024,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    // Three digits are enough for any whole number of MiB that people write.
    if fraction.is_empty() || fraction.len() > 3 {
        return None;
    }
    let scale = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let thousandths = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let thousandths = thousandths.checked_add(fraction.parse().ok()?)?.checked_mul(factor)?;
    thousandths.is_multiple_of(scale).then(|| u32::try_from(thousandths / scale).ok())?
}

/// The parts of an ARN: partition, service, region, account, resource.
pub(crate) struct Arn<'a> {
    pub(crate) service: &'a str,
    pub(crate) account: &'a str,
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`; the resource may hold colons.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let fits = arn == "arn"
            && partition.starts_with("aws")
            && [partition, service, region].into_iter().all(is_word)
            && is_account
            && !resource.is_empty()
            && !resource.contains(char::is_whitespace);
        fits.then_some(Self { service, account, resource })
    }
}

/// What the ARN of a role looks like, for messages.
pub(crate) const ROLE_FORM: &str = "arn:aws:iam::123456789012:role/NAME";

/// Whether a text looks like an IAM role's ARN. Source: `RoleArn` of Lambda's API model.
pub(crate) fn is_role_arn(text: &str) -> bool {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&b);
    Arn::parse(text).is_some_and(|arn| {
        let name = arn.resource.strip_prefix("role/");
        arn.service == "iam"
            && !arn.account.is_empty()
            && name.is_some_and(|name| !name.is_empty() && name.bytes().all(is_legal))
    })
}

/// Whether a text looks like a layer version's ARN.
pub(crate) fn is_layer_arn(text: &str) -> bool {
    Arn::parse(text).is_some_and(|arn| {
        let mut parts = arn.resource.split(':');
        let version = |text: &str| text.parse::<u64>().is_ok();
        arn.service == "lambda"
            && parts.next() == Some("layer")
            && parts.next().is_some_and(|name| !name.is_empty())
            && parts.next().is_some_and(version)
            && parts.next().is_none()
    })
}

/// Whether a text looks like an ARN of what Lambda takes as a dead-letter target.
pub(crate) fn is_dead_letter_arn(text: &str) -> bool {
    Arn::parse(text).is_some_and(|arn| matches!(arn.service, "sqs" | "sns"))
}

/// Whether a text looks like a topic's ARN.
pub(crate) fn is_topic_arn(text: &str) -> bool {
    Arn::parse(text).is_some_and(|arn| arn.service == "sns")
}

/// Splits `s3://bucket/key`; both parts must be there.
pub(crate) fn s3_url(text: &str) -> Option<(&str, &str)> {
    let (bucket, key) = text.strip_prefix("s3://")?.split_once('/')?;
    (is_bucket(bucket) && !key.is_empty()).then_some((bucket, key))
}

/// Whether a text may be a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens.
pub(crate) fn is_bucket(text: &str) -> bool {
    let is_legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    (3..=63).contains(&text.len()) && text.bytes().all(is_legal)
}

/// Whether a text may be a region's id, such as `ap-northeast-2`.
pub(crate) fn is_region(text: &str) -> bool {
    let is_legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (2..=32).contains(&text.len()) && text.bytes().all(is_legal)
}

fn split_at_first(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, ms) in [
            ("90s", Some(90_000)),
            ("10m", Some(600_000)),
            ("1h30m", Some(5_400_000)),
            ("250ms", Some(250)),
            ("0s", Some(0)),
            ("2d", Some(172_800_000)),
            ("1m1ms", Some(60_001)),
            ("", None),
            ("10", None),
            ("m", None),
            ("10 m", None),
            ("-1s", None),
            ("1.5s", None),
            ("1s1m", None),
            ("1s1s", None),
            ("10minutes", None),
            ("99999999999999999999s", None),
            ("99999999999999999h", None),
        ] {
            assert_eq!(duration(text), ms.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn sizes_are_mebibytes() {
        for (text, mb) in [
            ("256MB", Some(256)),
            ("1GB", Some(1024)),
            ("1.5GB", Some(1536)),
            ("512 mib", Some(512)),
            ("2GiB", Some(2048)),
            ("256", None),
            ("MB", None),
            ("0.3MB", None),
            ("1.MB", None),
            ("1.2.3GB", None),
            ("5KB", None),
            ("99999999999999999999GB", None),
        ] {
            assert_eq!(size_mb(text), mb, "{text}");
        }
    }

    #[test]
    fn arns_are_told_by_their_service() {
        assert!(is_role_arn("arn:aws:iam::123456789012:role/shop"));
        assert!(is_role_arn("arn:aws-us-gov:iam::123456789012:role/path/shop"));
        for bad in [
            "shop",
            "arn:aws:iam::1234:role/shop",
            "arn:aws:iam::123456789012:user/shop",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a b",
            "arn:gcp:iam::123456789012:role/shop",
        ] {
            assert!(!is_role_arn(bad), "{bad}");
        }
        assert!(is_layer_arn("arn:aws:lambda:eu-west-1:123456789012:layer:deps:7"));
        assert!(!is_layer_arn("arn:aws:lambda:eu-west-1:123456789012:layer:deps"));
        assert!(is_dead_letter_arn("arn:aws:sqs:eu-west-1:123456789012:dead"));
        assert!(!is_dead_letter_arn("arn:aws:s3:eu-west-1:123456789012:dead"));
    }

    #[test]
    fn s3_urls_name_bucket_and_key() {
        assert_eq!(s3_url("s3://my-bucket/a/b.zip"), Some(("my-bucket", "a/b.zip")));
        for bad in
            ["s3://b/k", "s3://my-bucket", "s3://my-bucket/", "s3:///key", "http://my-bucket/k"]
        {
            assert_eq!(s3_url(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn parsers_answer_any_text(text in ".{0,40}") {
            let _ = (duration(&text), size_mb(&text), is_role_arn(&text), is_layer_arn(&text), s3_url(&text));
        }

        #[test]
        fn what_people_read_is_what_they_may_write(seconds in 0_u64..10_000_000) {
            let span = Duration::from_secs(seconds);
            let shown = wavegate_core::time::human(span).to_string();
            let again = duration(&shown);
            // Hours are shown without their seconds; all else comes back as it was.
            if seconds < 3600 || seconds.is_multiple_of(60) {
                prop_assert_eq!(again, Some(span));
            } else {
                prop_assert!(again.is_some());
            }
        }
    }
}
