//! How an alarm's state follows from its data points: M of N, and what missing points mean.
//!
//! Pure. The source is the user guide, "Configuring how CloudWatch alarms treat missing data", whose
//! two tables are the tests. Where the guide is silent, a state that is not known to be good is
//! never called OK.

/// What an alarm takes missing data points for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MissingData {
    /// As missing: without any data, nothing is known.
    #[default]
    Missing,
    /// As no news: the state stays.
    Ignore,
    /// As bad.
    Breaching,
    /// As good.
    NotBreaching,
}

impl MissingData {
    /// The treatment of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "missing" => Self::Missing,
            "ignore" => Self::Ignore,
            "breaching" => Self::Breaching,
            "notBreaching" => Self::NotBreaching,
            _ => return None,
        })
    }
}

/// What an evaluation comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Within the threshold.
    Ok,
    /// Beyond it.
    Alarm,
    /// Not enough data to tell.
    InsufficientData,
    /// The state stays what it is.
    Retain,
}

/// A verdict with what it was based on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// The positions of the points it rests on, newest first.
    pub(crate) evaluated: Vec<usize>,
    /// How many missing points were filled in.
    pub(crate) filled: usize,
}

/// How many more periods than N an evaluation looks back, so that late or sparse data can stand in
/// for missing points. AWS does not publish the exact number; its tables use 5 for N = 3.
pub(crate) const EXTRA_PERIODS: usize = 2;

/// Judges the points of the evaluation range, oldest first: `Some(true)` breaches, `None` is
/// missing. `m` of `n` points must breach.
pub(crate) fn judge(
    points: &[Option<bool>],
    m: usize,
    n: usize,
    missing: MissingData,
) -> Judgement {
    // Real points as (position, breaching), newest first, at most N of them.
    let real: Vec<(usize, bool)> = points
        .iter()
        .enumerate()
        .rev()
        .filter_map(|(position, point)| point.map(|breaching| (position, breaching)))
        .take(n)
        .collect();
    let breaching = real.iter().filter(|(_, breaching)| *breaching).count();
    let filled = n - real.len();
    let verdict = match missing {
        _ if breaching >= m => Verdict::Alarm,
        _ if filled == 0 => Verdict::Ok,
        MissingData::Breaching if breaching + filled >= m => Verdict::Alarm,
        MissingData::Breaching | MissingData::NotBreaching => Verdict::Ok,
        // A good point among the real ones settles it: the missing ones cannot make it an alarm.
        _ if breaching < real.len() => Verdict::Ok,
        MissingData::Ignore => Verdict::Retain,
        MissingData::Missing if oldest_age(points, &real) >= m => Verdict::Alarm,
        MissingData::Missing => Verdict::InsufficientData,
    };
    Judgement {
        verdict,
        evaluated: real.into_iter().map(|(position, _)| position).collect(),
        filled,
    }
}

/// How many periods ago the oldest real point was; 1 is the newest period, 0 means that there is
/// none. A breach as old as M with nothing but breaches and gaps since makes an alarm even though
/// fewer than M points are there ("Avoiding premature transitions to alarm state").
fn oldest_age(points: &[Option<bool>], real: &[(usize, bool)]) -> usize {
    real.last().map_or(0, |(position, _)| points.len() - position)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The two tables of the user guide; evaluation range 5, N = 3, columns in the order missing,
    /// ignore, breaching, notBreaching. `A` alarm, `O` OK, `I` insufficient data, `R` retain.
    pub(crate) const TABLES: [(usize, &str, usize, &str); 10] = [
        (3, "0-X-X", 0, "OOOO"),
        (3, "0----", 2, "OOOO"),
        (3, "-----", 3, "IRAO"),
        (3, "0XX-X", 0, "AAAA"),
        (3, "--X--", 2, "ARAO"),
        (2, "0-X-X", 0, "AAAA"),
        (2, "00X0X", 0, "AAAA"),
        (2, "0-X--", 1, "OOAO"),
        (2, "----0", 2, "OOAO"),
        (2, "---X-", 2, "ARAO"),
    ];

    pub(crate) const TREATMENTS: [MissingData; 4] = [
        MissingData::Missing,
        MissingData::Ignore,
        MissingData::Breaching,
        MissingData::NotBreaching,
    ];

    fn points(data: &str) -> Vec<Option<bool>> {
        data.chars()
            .map(|point| match point {
                'X' => Some(true),
                '0' => Some(false),
                _ => None,
            })
            .collect()
    }

    fn letter(verdict: Verdict) -> char {
        match verdict {
            Verdict::Alarm => 'A',
            Verdict::Ok => 'O',
            Verdict::InsufficientData => 'I',
            Verdict::Retain => 'R',
        }
    }

    #[test]
    fn missing_data_is_treated_as_the_tables_of_the_user_guide_say() {
        for (m, data, filled, expected) in TABLES {
            for (treatment, expected) in TREATMENTS.into_iter().zip(expected.chars()) {
                let judgement = judge(&points(data), m, 3, treatment);
                assert_eq!(letter(judgement.verdict), expected, "{m} of 3, {data}, {treatment:?}");
                assert_eq!(judgement.filled, filled, "{m} of 3, {data}");
            }
        }
    }

    #[test]
    fn a_young_breach_is_no_alarm_yet() {
        for data in ["----X", "---X-"] {
            let judgement = judge(&points(data), 3, 3, MissingData::Missing);
            assert_ne!(judgement.verdict, Verdict::Alarm, "{data}");
            assert_ne!(judgement.verdict, Verdict::Ok, "{data}");
        }
    }

    #[test]
    fn one_of_one_follows_the_newest_point_there_is() {
        for (data, expected) in [("0-X", 'A'), ("X-0", 'O'), ("X--", 'A'), ("---", 'I')] {
            assert_eq!(letter(judge(&points(data), 1, 1, MissingData::Missing).verdict), expected);
        }
    }

    fn any_points() -> impl Strategy<Value = (Vec<Option<bool>>, usize, usize)> {
        (1usize..8).prop_flat_map(|n| {
            (prop::collection::vec(prop::option::of(any::<bool>()), n + EXTRA_PERIODS), 1..=n)
                .prop_map(move |(points, m)| (points, m, n))
        })
    }

    proptest! {
        #[test]
        fn without_gaps_the_treatment_does_not_matter((points, m, n) in any_points()) {
            let points: Vec<_> = points.iter().map(|point| Some(point.unwrap_or(false))).collect();
            let breaching = points[points.len() - n..].iter().filter(|p| **p == Some(true)).count();
            let expected = if breaching >= m { Verdict::Alarm } else { Verdict::Ok };
            for treatment in TREATMENTS {
                prop_assert_eq!(judge(&points, m, n, treatment).verdict, expected);
            }
        }

        #[test]
        fn gaps_are_filled_only_as_often_as_needed((points, m, n) in any_points()) {
            let real = points.iter().flatten().count();
            for treatment in TREATMENTS {
                let judgement = judge(&points, m, n, treatment);
                prop_assert_eq!(judgement.filled, n.saturating_sub(real));
                prop_assert_eq!(judgement.evaluated.len() + judgement.filled, n);
            }
        }

        #[test]
        fn no_data_and_bad_data_are_never_called_ok_when_missing_is_missing(
            (points, m, n) in any_points()
        ) {
            if points.iter().flatten().all(|breaching| *breaching) {
                let verdict = judge(&points, m, n, MissingData::Missing).verdict;
                prop_assert_ne!(verdict, Verdict::Ok);
            }
        }
    }
}
