//! Calls that are not answered before their deadline, which is one of real time.

use std::time::Duration;

use wavegate_tests::proxy::{Body, Canned, Deed, Reply};

use super::{assert_done, release};
use crate::pair;
use crate::parallel;

/// Slow enough that half a minute of real time is no long outage.
const TIME_SCALE: f64 = 4.0;

/// Longer than a call may take.
const TOO_LATE: Duration = Duration::from_secs(33);

#[derive(Debug, Clone, Copy)]
enum Slowness {
    /// Applied, and never answered.
    Applied,
    /// Neither applied nor answered.
    Lost,
    /// Applied after its sender has given up.
    Late,
    /// Answered a byte at a time.
    Drip,
}

impl std::fmt::Display for Slowness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Slowness {
    fn deed(self) -> Deed {
        match self {
            Self::Applied => Deed::silence(true),
            Self::Lost => Deed::silence(false),
            Self::Late => Deed { hold: TOO_LATE, ..Deed::pass() },
            Self::Drip => Deed {
                reply: Reply::Another(Canned {
                    status: 200,
                    headers: vec![("content-type", "application/json".to_owned())],
                    body: Body::Drip(Duration::from_millis(200)),
                }),
                ..Deed::pass()
            },
        }
    }
}

#[test]
fn a_write_without_an_answer_is_judged_by_looking() {
    use Slowness::{Applied, Drip, Late, Lost};
    let prepared = pair::prepared(TIME_SCALE, "10s");
    let (_, failures) = parallel::each(&[Applied, Lost, Late, Drip], |slowness| {
        let trial = prepared.copy();
        let slowness = *slowness;
        let ended = release(&trial, move |call| match call.name().as_str() {
            "UpdateAlias auth:live #2" => slowness.deed(),
            _ => Deed::pass(),
        });
        assert_done(&trial, &ended);
        assert!(!ended.of("retry").is_empty(), "{ended}");
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
