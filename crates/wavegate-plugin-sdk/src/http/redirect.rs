//! Which redirects are followed.

use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};

use super::address::origin;

/// How many are followed in a row. A server that needs more is turning in circles.
const MAX_IN_A_ROW: usize = 3;

/// Why a redirect is not followed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It leads to another origin, also when only the scheme or the port differs.
    #[error("redirects to {0}, and a request goes nowhere but where it was sent")]
    Elsewhere(String),
    /// It would make a GET without a body of the request.
    #[error("redirects with {0}, which does not keep the request as it is (307 and 308 do)")]
    Changed(u16),
    /// It never ends.
    #[error("redirects more than {MAX_IN_A_ROW} times in a row")]
    Endless,
}

pub(super) fn policy() -> Policy {
    Policy::custom(|attempt| {
        let (from, followed) = (attempt.previous().last(), attempt.previous().len());
        match check(attempt.status(), from, attempt.url(), followed) {
            Ok(()) => attempt.follow(),
            Err(refusal) => attempt.error(refusal),
        }
    })
}

/// `requests` counts those that were sent already.
fn check(status: StatusCode, from: Option<&Url>, to: &Url, requests: usize) -> Result<(), Refusal> {
    let target = origin(to);
    if from.is_none_or(|from| origin(from) != target) {
        return Err(Refusal::Elsewhere(target));
    }
    if !matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
        return Err(Refusal::Changed(status.as_u16()));
    }
    if requests > MAX_IN_A_ROW {
        return Err(Refusal::Endless);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_origin_is_followed_with_the_request_as_it_is() {
        let elsewhere = |origin: &str| Err(Refusal::Elsewhere(origin.to_owned()));
        for (status, from, to, answer) in [
            (307, "https://a/x", "https://a/y", Ok(())),
            (308, "https://a/x", "https://a:443/y", Ok(())),
            (308, "https://a", "http://a", elsewhere("http://a")),
            (308, "http://a", "https://a", elsewhere("https://a")),
            (307, "http://a", "http://a:81", elsewhere("http://a:81")),
            (307, "https://a", "https://b/?secret", elsewhere("https://b")),
            (307, "https://a", "https://a.b", elsewhere("https://a.b")),
            (307, "https://a", "ftp://a", elsewhere("ftp://a")),
            (301, "https://a", "https://a/y", Err(Refusal::Changed(301))),
            (302, "https://a", "https://a/y", Err(Refusal::Changed(302))),
            (303, "https://a", "https://a/y", Err(Refusal::Changed(303))),
        ] {
            let (from, to) = (Url::parse(from).unwrap(), Url::parse(to).unwrap());
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(check(status, Some(&from), &to, 1), answer, "{status} {from} {to}");
        }
    }

    #[test]
    fn circles_end() {
        let url = Url::parse("https://a").unwrap();
        let check = |requests| check(StatusCode::TEMPORARY_REDIRECT, Some(&url), &url, requests);
        assert_eq!(check(MAX_IN_A_ROW), Ok(()));
        assert_eq!(check(MAX_IN_A_ROW + 1), Err(Refusal::Endless));
    }
}
