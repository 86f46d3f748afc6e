//! How CloudWatch writes moments and numbers in the texts of alarms.

/// `15/01/27 07:59:00`, as reasons have it.
pub(crate) fn short(millis: i64) -> String {
    date(millis, "%d/%m/%y %H:%M:%S")
}

/// `2027-01-15T07:59:00.000+0000`, as JSON has it.
pub(crate) fn full(millis: i64) -> String {
    date(millis, "%Y-%m-%dT%H:%M:%S%.3f+0000")
}

/// `Friday 15 January, 2027 07:59:00 UTC`, as the reasons of composite alarms have it.
pub(crate) fn spoken(millis: i64) -> String {
    date(millis, "%A %d %B, %Y %H:%M:%S UTC")
}

fn date(millis: i64, format: &str) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .map_or_else(|_| String::new(), |time| time.strftime(format).to_string())
}

/// A number as the service writes it: `5.0`, `0.25`, and `1.6E7` from ten millions on.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let scientific = format!("{value:E}");
    match scientific.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_moments_look_as_cloudwatch_writes_them() {
        let rows = [
            (0.0, "0.0"),
            (5.0, "5.0"),
            (84.938_238_237_239_15, "84.93823823723915"),
            (-2_126_585.0, "-2126585.0"),
            (1e7, "1.0E7"),
            (16_777_216.0, "1.6777216E7"),
            (0.0005, "5.0E-4"),
        ];
        for (value, expected) in rows {
            assert_eq!(number(value), expected);
        }
        assert_eq!(short(1_658_505_465_394), "22/07/22 15:57:45");
        assert_eq!(full(1_658_505_465_394), "2022-07-22T15:57:45.394+0000");
        assert_eq!(spoken(1_658_505_465_394), "Friday 22 July, 2022 15:57:45 UTC");
    }
}
