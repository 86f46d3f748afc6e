//! Whom a session belongs to. It stands in the session's token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lambda::archive::hex_sha256;
use crate::wire::Request;

/// How a token begins.
const PREFIX: &str = "wavegate1.";
/// How the ARN of a role's session begins behind the account.
const ROLE: &str = "assumed-role/";

/// A caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) arn: String,
    pub(crate) user_id: String,
    pub(crate) account: String,
    /// The tags that a role assumed by it must have, too.
    pub(super) transitive_tags: Vec<String>,
}

impl Session {
    /// The account itself.
    pub(crate) fn of_root(account: &str) -> Self {
        Self {
            arn: format!("arn:aws:iam::{account}:root"),
            user_id: account.to_owned(),
            account: account.to_owned(),
            transitive_tags: Vec::new(),
        }
    }

    /// A user of the account.
    pub(crate) fn of_user(account: &str, arn: String) -> Self {
        Self { arn, user_id: "AIDAWAVEGATELOCALUSER".to_owned(), ..Self::of_root(account) }
    }

    /// One of a role in an account, by the name it was given.
    pub(crate) fn of_role(role: &str, role_id: &str, name: &str, account: &str) -> Self {
        let role = role.rsplit('/').next().unwrap_or(role);
        Self {
            arn: format!("arn:aws:sts::{account}:{ROLE}{role}/{name}"),
            user_id: format!("{role_id}:{name}"),
            ..Self::of_root(account)
        }
    }

    /// Whose session a request has.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let token = request
            .header("x-amz-security-token")
            .map(ToOwned::to_owned)
            .or_else(|| request.query_param("X-Amz-Security-Token"))?;
        let told = token.strip_prefix(PREFIX)?.split('.').next()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(told).ok()?).ok()
    }

    /// A token of it. As on AWS no two are the same: each is for one key.
    pub(crate) fn token(&self, key: &str) -> String {
        // Texts alone always have a JSON form.
        let json = serde_json::to_vec(self).unwrap_or_default();
        let unique = &hex_sha256(key.as_bytes())[..16];
        format!("{PREFIX}{}.{unique}", URL_SAFE_NO_PAD.encode(json))
    }

    /// Whether it is a role's.
    pub(super) fn is_role(&self) -> bool {
        self.arn.splitn(6, ':').nth(5).is_some_and(|resource| resource.starts_with(ROLE))
    }
}

/// What a JSON web token claims.
pub(super) fn claims(token: &str) -> Option<Value> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    #[test]
    fn a_token_says_whose_session_it_is() {
        let role = "arn:aws:iam::123456789012:role/teams/shop";
        let mut session = Session::of_role(role, "AROAX", "me", "123456789012");
        assert_eq!(session.arn, "arn:aws:sts::123456789012:assumed-role/shop/me");
        assert_eq!(
            (session.user_id.as_str(), session.account.as_str()),
            ("AROAX:me", "123456789012")
        );
        session.transitive_tags.push("team".to_owned());
        assert!(session.is_role() && !Session::of_root("000000000000").is_role());
        let mut request = Request {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers: vec![("x-amz-security-token".to_owned(), session.token("KEY"))],
            body: Bytes::new(),
        };
        assert_eq!(Session::of(&request), Some(session.clone()));
        request.headers.clear();
        assert_eq!(Session::of(&request), None);
        // Links that were signed before carry it, too.
        request.query = format!("X-Amz-Security-Token={}", session.token("KEY"));
        assert_eq!(Session::of(&request), Some(session));
        request.query = "X-Amz-Security-Token=another%20cloud's".to_owned();
        assert_eq!(Session::of(&request), None);
    }
}
