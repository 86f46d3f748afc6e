//! Levels of logs: AWS leaves out what is below the one that a function is configured for. That goes
//! for logs in JSON only.

use serde::Deserialize;
use serde_json::Value;

/// How loud an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

/// The form of a function's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Everything, as it comes.
    Text,
    /// Lambda's own events as JSON, and the function's filtered if they are JSON.
    Json {
        /// Lambda's own events from this one on.
        system: Level,
        /// The function's from this one on.
        application: Level,
    },
}

impl Level {
    /// The level of that number in the frames of AWS's runtime clients.
    pub(super) fn numbered(number: u8) -> Option<Self> {
        let all = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];
        all.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The level of that name, by which libraries name it, too.
    fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "TRACE" => Self::Trace,
            "DEBUG" => Self::Debug,
            "INFO" => Self::Info,
            "WARN" | "WARNING" => Self::Warn,
            "ERROR" => Self::Error,
            "FATAL" | "CRITICAL" => Self::Fatal,
            _ => return None,
        })
    }
}

impl Format {
    /// What a function is configured for.
    pub(super) fn of(logging: Option<&Value>) -> Self {
        match logging {
            Some(logging) if logging["LogFormat"] == "JSON" => {
                let level = |member: &str| {
                    logging[member].as_str().and_then(Level::named).unwrap_or(Level::Info)
                };
                let system = level("SystemLogLevel");
                Self::Json { system, application: level("ApplicationLogLevel") }
            }
            _ => Self::Text,
        }
    }

    /// Whether an event of the function's is kept, whose level is known or stands in it. AWS: one in JSON
    /// that does not say its level has INFO.
    pub(super) fn keeps(self, event: &[u8], level: Option<Level>) -> bool {
        #[derive(Deserialize)]
        struct Leveled<'a> {
            #[serde(borrow)]
            level: Option<&'a str>,
        }
        let Self::Json { application, .. } = self else { return true };
        if let Some(level) = level {
            return level >= application;
        }
        if application == Level::Trace || !event.trim_ascii_start().starts_with(b"{") {
            return true;
        }
        match serde_json::from_slice::<Leveled<'_>>(event) {
            Ok(event) => event.level.and_then(Level::named).unwrap_or(Level::Info) >= application,
            Err(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_below_the_level_is_left_out_of_json_only() {
        let format = |level: &str| {
            Format::of(Some(&json!({ "LogFormat": "JSON", "ApplicationLogLevel": level })))
        };
        let lines: [&[u8]; 5] = [
            b"{\"level\": \"debug\", \"a\": 1}\n",
            b"{\"a\": {\"level\": \"ERROR\"}}",
            b"{\"level\": \"WARNING\"}",
            b"plain",
            b"{no json}",
        ];
        for (level, wanted) in [
            ("TRACE", [true, true, true, true, true]),
            ("INFO", [false, true, true, true, true]),
            ("WARN", [false, false, true, true, true]),
            ("FATAL", [false, false, false, true, true]),
        ] {
            assert_eq!(lines.map(|line| format(level).keeps(line, None)), wanted, "{level}");
        }
        let text =
            Format::of(Some(&json!({ "LogFormat": "Text", "ApplicationLogLevel": "FATAL" })));
        assert!(lines.iter().all(|line| text.keeps(line, Some(Level::Trace))));
        assert!(format("ERROR").keeps(b"text", Some(Level::Fatal)));
        assert!(!format("ERROR").keeps(b"{\"level\": \"ERROR\"}", Level::numbered(4)));
        assert_eq!((Level::numbered(0), Level::numbered(7)), (None, None));
        let both = Format::Json { system: Level::Info, application: Level::Info };
        assert_eq!(Format::of(Some(&json!({ "LogFormat": "JSON" }))), both);
    }
}
