//! The units CloudWatch knows.

use std::fmt;

/// A unit of a metric. Data of different units are kept apart, as CloudWatch does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// No unit was given.
    #[default]
    None,
    /// Seconds.
    Seconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// Kilobytes.
    Kilobytes,
    /// Megabytes.
    Megabytes,
    /// Gigabytes.
    Gigabytes,
    /// Terabytes.
    Terabytes,
    /// Bits.
    Bits,
    /// Kilobits.
    Kilobits,
    /// Megabits.
    Megabits,
    /// Gigabits.
    Gigabits,
    /// Terabits.
    Terabits,
    /// Percent.
    Percent,
    /// A count of something.
    Count,
    /// Bytes per second.
    BytesPerSecond,
    /// Kilobytes per second.
    KilobytesPerSecond,
    /// Megabytes per second.
    MegabytesPerSecond,
    /// Gigabytes per second.
    GigabytesPerSecond,
    /// Terabytes per second.
    TerabytesPerSecond,
    /// Bits per second.
    BitsPerSecond,
    /// Kilobits per second.
    KilobitsPerSecond,
    /// Megabits per second.
    MegabitsPerSecond,
    /// Gigabits per second.
    GigabitsPerSecond,
    /// Terabits per second.
    TerabitsPerSecond,
    /// A count per second.
    CountPerSecond,
}

/// In the order in which AWS lists them, which is also the order in which a query without a unit
/// prefers them.
static NAMES: [(Unit, &str); 27] = [
    (Unit::Megabits, "Megabits"),
    (Unit::Terabits, "Terabits"),
    (Unit::Gigabits, "Gigabits"),
    (Unit::Count, "Count"),
    (Unit::Bytes, "Bytes"),
    (Unit::Gigabytes, "Gigabytes"),
    (Unit::GigabytesPerSecond, "Gigabytes/Second"),
    (Unit::Kilobytes, "Kilobytes"),
    (Unit::KilobitsPerSecond, "Kilobits/Second"),
    (Unit::Terabytes, "Terabytes"),
    (Unit::TerabitsPerSecond, "Terabits/Second"),
    (Unit::BytesPerSecond, "Bytes/Second"),
    (Unit::Percent, "Percent"),
    (Unit::Megabytes, "Megabytes"),
    (Unit::MegabitsPerSecond, "Megabits/Second"),
    (Unit::Milliseconds, "Milliseconds"),
    (Unit::Microseconds, "Microseconds"),
    (Unit::KilobytesPerSecond, "Kilobytes/Second"),
    (Unit::GigabitsPerSecond, "Gigabits/Second"),
    (Unit::MegabytesPerSecond, "Megabytes/Second"),
    (Unit::Bits, "Bits"),
    (Unit::BitsPerSecond, "Bits/Second"),
    (Unit::CountPerSecond, "Count/Second"),
    (Unit::Seconds, "Seconds"),
    (Unit::Kilobits, "Kilobits"),
    (Unit::TerabytesPerSecond, "Terabytes/Second"),
    (Unit::None, "None"),
];

impl Unit {
    /// The unit of that name, as CloudWatch spells it.
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(unit, _)| *unit)
    }

    /// Its place in the order of preference.
    pub(crate) fn rank(self) -> usize {
        NAMES.iter().position(|(unit, _)| *unit == self).unwrap_or(NAMES.len())
    }

    /// The name as CloudWatch spells it.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(unit, _)| *unit == self).map_or("None", |(_, name)| name)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
