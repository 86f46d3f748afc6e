//! What becomes of a call: forwarded or not, answered how, and when a process dies of it.

use std::time::Duration;

/// What is done with one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Real time before anything happens.
    pub hold: Duration,
    /// How often it reaches the cloud: not at all, once, or twice. Of two answers the last counts.
    pub forwarded: u8,
    /// What the client is told.
    pub reply: Reply,
    /// When the process that is aimed at is killed.
    pub kill: Option<Moment>,
}

/// What the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The cloud's own answer.
    Theirs,
    /// The connection is cut.
    Cut,
    /// Nothing, for as long as the client waits.
    Silence,
    /// Another answer in place of the cloud's.
    Another(Canned),
    /// What the cloud answered so many virtual milliseconds ago, if it is known.
    Old(i64),
}

/// An answer that no cloud gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canned {
    /// The HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

/// A body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// This text.
    Text(String),
    /// So many bytes of blanks, one piece after another until the client has enough.
    Blanks(u64),
    /// One byte each time, for ever.
    Drip(Duration),
}

/// When a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Before the cloud sees the call.
    Before,
    /// When the cloud has applied it and nobody was told.
    Applied,
    /// When the process has read the answer.
    Answered,
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Before, Self::Applied, Self::Answered];
}

/// Everything a single call can suffer without a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// 429.
    Throttled,
    /// 429 that asks for a second.
    ThrottledWait,
    /// 500, and nothing was done.
    Refused500,
    /// 503, and nothing was done.
    Refused503,
    /// 500, and all was done.
    Applied500,
    /// The request is lost with its connection.
    CutBefore,
    /// The answer is lost with its connection.
    CutAfter,
    /// The network repeats the request; the second answer comes through.
    Twice,
    /// An answer of 20 seconds ago.
    Stale,
    /// A login page with a 200, and nothing was done.
    Html,
    /// Half of an answer, and all was done.
    Malformed,
    /// A 200 without a word, and all was done.
    Empty,
    /// An answer that does not end, and all was done.
    Oversize,
    /// Elsewhere.
    Redirect,
    /// The session is over.
    ExpiredToken,
    /// The clock is wrong.
    Skewed,
    /// Not allowed.
    Denied,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Throttled,
        Self::ThrottledWait,
        Self::Refused500,
        Self::Refused503,
        Self::Applied500,
        Self::CutBefore,
        Self::CutAfter,
        Self::Twice,
        Self::Stale,
        Self::Html,
        Self::Malformed,
        Self::Empty,
        Self::Oversize,
        Self::Redirect,
        Self::ExpiredToken,
        Self::Skewed,
        Self::Denied,
    ];

    /// What is done with a call that suffers it.
    pub fn deed(self) -> Deed {
        match self {
            Self::Throttled => refused(429, "TooManyRequestsException", "Rate exceeded"),
            Self::ThrottledWait => {
                let mut deed = refused(429, "TooManyRequestsException", "Rate exceeded");
                if let Reply::Another(canned) = &mut deed.reply {
                    canned.headers.push(("retry-after", "1".to_owned()));
                }
                deed
            }
            Self::Refused500 => refused(500, "ServiceException", "An error occurred"),
            Self::Refused503 => refused(503, "ServiceUnavailable", "Service is unavailable"),
            Self::Applied500 => {
                let deed = refused(500, "ServiceException", "An error occurred");
                Deed { forwarded: 1, ..deed }
            }
            Self::CutBefore => Deed { forwarded: 0, reply: Reply::Cut, ..Deed::pass() },
            Self::CutAfter => Deed { reply: Reply::Cut, ..Deed::pass() },
            Self::Twice => Deed { forwarded: 2, ..Deed::pass() },
            Self::Stale => Deed { reply: Reply::Old(20_000), ..Deed::pass() },
            Self::Html => {
                let page = "<!DOCTYPE html><html><body>Please log in</body></html>";
                answered(200, "text/html; charset=utf-8", page, 0)
            }
            Self::Malformed => answered(200, "application/json", "{\"AliasArn\": \"arn:aw", 1),
            Self::Empty => answered(200, "application/json", "", 1),
            Self::Oversize => Deed::another(
                Canned {
                    status: 200,
                    headers: vec![("content-type", "application/json".to_owned())],
                    body: Body::Blanks(u64::MAX),
                },
                1,
            ),
            Self::Redirect => {
                let mut deed = answered(302, "text/plain", "", 0);
                if let Reply::Another(canned) = &mut deed.reply {
                    // Nobody listens there; whoever follows shows it by another error.
                    canned.headers.push(("location", "http://127.0.0.1:9/elsewhere".to_owned()));
                }
                deed
            }
            Self::ExpiredToken => refused(
                403,
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ),
            Self::Skewed => refused(
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            ),
            Self::Denied => refused(
                403,
                "AccessDeniedException",
                "User: tester is not authorized to perform this action",
            ),
        }
    }
}

impl Deed {
    /// Nothing special.
    pub fn pass() -> Self {
        Self { hold: Duration::ZERO, forwarded: 1, reply: Reply::Theirs, kill: None }
    }

    /// Another answer, after the call reached the cloud so often.
    pub fn another(canned: Canned, forwarded: u8) -> Self {
        Self { forwarded, reply: Reply::Another(canned), ..Self::pass() }
    }

    /// Never answered.
    pub fn silence(is_applied: bool) -> Self {
        Self { forwarded: u8::from(is_applied), reply: Reply::Silence, ..Self::pass() }
    }

    /// The process dies of it.
    pub fn kill(moment: Moment) -> Self {
        match moment {
            Moment::Before => {
                Self { forwarded: 0, reply: Reply::Cut, kill: Some(moment), ..Self::pass() }
            }
            Moment::Applied => Self { reply: Reply::Cut, kill: Some(moment), ..Self::pass() },
            Moment::Answered => Self { kill: Some(moment), ..Self::pass() },
        }
    }

    /// Whether the call is treated as it would be without a proxy.
    pub fn is_plain(&self) -> bool {
        *self == Self::pass()
    }
}

/// A refusal in the words of AWS, before anything is done.
pub fn refused(status: u16, code: &str, message: &str) -> Deed {
    let body = serde_json::json!({ "Type": "User", "__type": code, "message": message });
    let mut deed = answered(status, "application/json", &body.to_string(), 0);
    if let Reply::Another(canned) = &mut deed.reply {
        canned.headers.push(("x-amzn-errortype", code.to_owned()));
    }
    deed
}

fn answered(status: u16, kind: &str, text: &str, forwarded: u8) -> Deed {
    let headers = vec![("content-type", kind.to_owned())];
    Deed::another(Canned { status, headers, body: Body::Text(text.to_owned()) }, forwarded)
}
