//! Policy documents: as much of IAM's language as deployers' policies use, read strictly.

use serde_json::{Map, Value};

use super::need::Need;

/// Bytes of a document: IAM's own limit for the largest kind is 10 240 characters.
const DOCUMENT_MAX: usize = 64 * 1024;

/// The one condition that is understood: which service a role is passed to.
const PASSED_TO: &str = "iam:PassedToService";

/// An identity-based policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// Why a document is no policy that can be rehearsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It is no JSON, or far too long for a policy.
    #[error("it is not a policy: {0}")]
    Unreadable(String),
    /// Something in it that the local cloud does not apply, or that AWS would refuse.
    #[error("{place}: {reason}")]
    Unsupported {
        /// Where: `statement 2 (Shift)`.
        place: String,
        /// What, and what is taken instead.
        reason: String,
    },
}

/// What a policy says to a need. Ordered by who wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// Nothing.
    Silent,
    /// Yes.
    Allowed,
    /// No, whatever else is said.
    Denied,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    effect: Effect,
    actions: Vec<String>,
    resources: Vec<String>,
    /// The services a role may be passed to; any call if absent.
    passed_to: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}

impl Policy {
    /// Reads a policy document.
    ///
    /// # Errors
    /// If it is no policy, or has something in it that the local cloud does not apply.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > DOCUMENT_MAX {
            let words = format!("it is longer than {DOCUMENT_MAX} bytes");
            return Err(PolicyError::Unreadable(words));
        }
        let document: Value = serde_json::from_str(text)
            .map_err(|error| PolicyError::Unreadable(error.to_string()))?;
        let Value::Object(document) = document else {
            return Err(PolicyError::Unreadable("it is not a JSON object".to_owned()));
        };
        let refuse = |reason: String| unsupported("the document", reason);
        for (key, value) in &document {
            match (key.as_str(), value) {
                ("Version", Value::String(version)) if version == "2012-10-17" => {}
                ("Version", _) => return Err(refuse("Version must be \"2012-10-17\"".to_owned())),
                ("Id" | "Statement", _) => {}
                _ => return Err(refuse(format!("`{key}` is not an element of a policy"))),
            }
        }
        if !document.contains_key("Version") {
            return Err(refuse("Version is missing: write \"2012-10-17\"".to_owned()));
        }
        let statements: Vec<&Value> = match document.get("Statement") {
            Some(Value::Array(many)) if !many.is_empty() => many.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err(refuse("there is no Statement".to_owned())),
        };
        let statements = statements.into_iter().enumerate();
        let statements = statements.map(|(at, value)| Statement::parse(at + 1, value));
        Ok(Self { statements: statements.collect::<Result<_, _>>()? })
    }

    /// What it says to a need.
    pub(super) fn judge(&self, need: &Need) -> Verdict {
        let speaking = self.statements.iter().filter(|statement| statement.is_about(need));
        let verdicts = speaking.map(|statement| match statement.effect {
            Effect::Allow => Verdict::Allowed,
            Effect::Deny => Verdict::Denied,
        });
        verdicts.max().unwrap_or(Verdict::Silent)
    }
}

impl Statement {
    fn parse(number: usize, value: &Value) -> Result<Self, PolicyError> {
        let sid = value.get("Sid").and_then(Value::as_str);
        let place = match sid {
            Some(sid) => format!("statement {number} ({sid})"),
            None => format!("statement {number}"),
        };
        let refuse = |reason: String| unsupported(&place, reason);
        let Value::Object(fields) = value else {
            return Err(refuse("it is not a JSON object".to_owned()));
        };
        for key in fields.keys() {
            match key.as_str() {
                "Sid" | "Effect" | "Action" | "Resource" | "Condition" => {}
                "NotAction" | "NotResource" => {
                    return Err(refuse(format!(
                        "`{key}` is not rehearsed: name what is meant in `{}`",
                        &key[3..]
                    )));
                }
                "Principal" | "NotPrincipal" => {
                    return Err(refuse(format!(
                        "`{key}` belongs into a resource's policy, not into one of an identity"
                    )));
                }
                _ => return Err(refuse(format!("`{key}` is not an element of a statement"))),
            }
        }
        let effect = match fields.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err(refuse("Effect must be \"Allow\" or \"Deny\"".to_owned())),
        };
        let actions = texts(fields, "Action").map_err(refuse)?;
        for action in &actions {
            check_action(action).map_err(refuse)?;
        }
        let resources = texts(fields, "Resource").map_err(refuse)?;
        for resource in &resources {
            check_resource(resource).map_err(refuse)?;
        }
        let passed_to = condition(fields).map_err(refuse)?;
        Ok(Self { effect, actions, resources, passed_to })
    }

    fn is_about(&self, need: &Need) -> bool {
        let action = need.action.to_ascii_lowercase();
        // A condition key that a call does not carry is never equal to anything.
        let is_passed = match (&self.passed_to, need.passed_to) {
            (None, _) => true,
            (Some(services), Some(service)) => services.iter().any(|one| one == service),
            (Some(_), None) => false,
        };
        is_passed
            && self.actions.iter().any(|one| glob(&one.to_ascii_lowercase(), &action))
            && self.resources.iter().any(|one| covers(one, &need.resource))
    }
}

fn unsupported(place: &str, reason: String) -> PolicyError {
    PolicyError::Unsupported { place: place.to_owned(), reason }
}

/// One text or a list of them.
fn texts(fields: &Map<String, Value>, key: &str) -> Result<Vec<String>, String> {
    let must = || format!("{key} must be a text or a list of texts");
    let texts: Vec<String> = match fields.get(key) {
        None => return Err(format!("there is no {key}")),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => {
            let texts = many.iter().map(|one| one.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or_else(must)?
        }
        Some(_) => return Err(must()),
    };
    if texts.is_empty() { Err(must()) } else { Ok(texts) }
}

fn check_action(action: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '?' | '-');
    let is_action = action.split_once(':').is_some_and(|(service, name)| {
        let service_is_plain = service.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        !service.is_empty() && service_is_plain && !name.is_empty() && name.chars().all(legal)
    });
    if action == "*" || is_action {
        return Ok(());
    }
    Err(format!("`{action}` is not an action: write it like \"lambda:GetAlias\""))
}

fn check_resource(resource: &str) -> Result<(), String> {
    if resource.contains("${") {
        return Err(format!("`{resource}` has a policy variable, which is not rehearsed"));
    }
    if resource == "*" || (resource.starts_with("arn:") && resource.matches(':').count() >= 5) {
        return Ok(());
    }
    Err(format!("`{resource}` is neither \"*\" nor an ARN with all its parts"))
}

fn condition(fields: &Map<String, Value>) -> Result<Option<Vec<String>>, String> {
    let Some(condition) = fields.get("Condition") else { return Ok(None) };
    let only = || format!("of all conditions only StringEquals with \"{PASSED_TO}\" is rehearsed");
    let operators = condition.as_object().ok_or_else(only)?;
    let keys = operators.get("StringEquals").and_then(Value::as_object).ok_or_else(only)?;
    let is_known =
        operators.len() == 1 && keys.len() == 1 && keys.keys().all(|key| key == PASSED_TO);
    if is_known { texts(keys, PASSED_TO).map(Some) } else { Err(only()) }
}

/// Whether the pattern of an ARN covers a resource: part by part, so that a wildcard in one part
/// never reaches into the next; the last part is all the rest.
pub(super) fn covers(pattern: &str, resource: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let parts = |arn: &str| arn.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
    let (pattern, resource) = (parts(pattern), parts(resource));
    pattern.len() == resource.len()
        && pattern.iter().zip(&resource).all(|(pattern, part)| glob(pattern, part))
}

/// `*` stands for any characters, `?` for one. Time is the product of the lengths at most.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where the last star was, and how far the text had come then.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    seen = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(statement: &Value) -> Result<Policy, PolicyError> {
        Policy::parse(&json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string())
    }

    fn need(action: &str, resource: &str, passed_to: Option<&'static str>) -> Need {
        Need { action: action.to_owned(), resource: resource.to_owned(), passed_to }
    }

    #[test]
    fn wildcards_stand_for_what_iam_says() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xaxbx", true),
            ("**", "x", true),
            ("a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop-auth";
        for (pattern, matches) in [
            ("arn:aws:lambda:eu-west-1:123456789012:function:shop-*", true),
            ("arn:aws:lambda:*:*:function:shop-auth", true),
            ("arn:aws:lambda:eu-*:function:shop-auth", false),
            ("arn:aws:lambda:eu-west-1:123456789012:function:shop-auth:*", false),
            ("arn:aws:lambda:eu-west-1:123456789012:*", true),
            ("arn:aws:s3:eu-west-1:123456789012:*", false),
        ] {
            assert_eq!(covers(pattern, arn), matches, "{pattern}");
        }
        assert!(covers("arn:aws:lambda:r:0:function:f:*", "arn:aws:lambda:r:0:function:f:3"));
        assert!(!covers("arn:aws:lambda:r:0:function:f:*", "arn:aws:lambda:r:0:function:f"));
    }

    #[test]
    fn actions_know_no_case_and_a_role_is_passed_to_one_service() {
        let pass = policy(&json!({
            "Effect": "Allow", "Action": ["IAM:passrole"], "Resource": "arn:aws:iam::0:role/r",
            "Condition": { "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } },
        }))
        .unwrap();
        let role = "arn:aws:iam::0:role/r";
        let lambda = need("iam:PassRole", role, Some("lambda.amazonaws.com"));
        assert_eq!(pass.judge(&lambda), Verdict::Allowed);
        let other = need("iam:PassRole", role, Some("ec2.amazonaws.com"));
        assert_eq!(pass.judge(&other), Verdict::Silent);
        assert_eq!(pass.judge(&need("iam:PassRole", role, None)), Verdict::Silent);
    }

    #[test]
    fn what_is_not_rehearsed_is_refused_in_words() {
        let base = json!({ "Sid": "S", "Effect": "Allow", "Action": "lambda:*", "Resource": "*" });
        assert!(policy(&base).is_ok());
        for (key, value, says) in [
            ("NotAction", json!("lambda:*"), "`Action`"),
            ("NotResource", json!("*"), "`Resource`"),
            ("Principal", json!("*"), "resource's policy"),
            ("Effect", json!("allow"), "\"Allow\""),
            ("Effect", json!(null), "\"Allow\""),
            ("Action", json!([]), "Action must"),
            ("Action", json!("GetAlias"), "lambda:GetAlias"),
            ("Action", json!("lam*:GetAlias"), "not an action"),
            ("Action", json!([1]), "Action must"),
            ("Resource", json!("shop-*"), "an ARN"),
            ("Resource", json!("arn:aws:lambda:${aws:userid}:0:x:y"), "variable"),
            ("Condition", json!({ "StringLike": {} }), "StringEquals"),
            ("Condition", json!({ "StringEquals": { "aws:username": "x" } }), "StringEquals"),
            ("Condition", json!([]), "StringEquals"),
            ("Efect", json!("Allow"), "`Efect`"),
        ] {
            let mut statement = base.clone();
            statement[key] = value;
            let error = policy(&statement).unwrap_err().to_string();
            assert!(error.starts_with("statement 1 (S): "), "{error}");
            assert!(error.contains(says), "{error}");
        }
        for (text, says) in [
            ("", "EOF"),
            ("[]", "object"),
            ("{}", "Version"),
            (r#"{"Version":"2008-10-17"}"#, "2012-10-17"),
            (r#"{"Version":"2012-10-17"}"#, "no Statement"),
            (r#"{"Version":"2012-10-17","Statement":[]}"#, "no Statement"),
            (r#"{"Version":"2012-10-17","Statement":[1]}"#, "not a JSON object"),
            (r#"{"Version":"2012-10-17","Statements":[]}"#, "`Statements`"),
        ] {
            let error = Policy::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let long = Policy::parse(&" ".repeat(DOCUMENT_MAX + 1)).unwrap_err().to_string();
        assert!(long.contains("longer than"), "{long}");
    }

    proptest::proptest! {
        #[test]
        fn reading_and_judging_are_total(text in ".*", pattern in "[a*?]{0,20}", subject in "[ab]{0,40}") {
            let _ = Policy::parse(&text);
            let _ = glob(&pattern, &subject);
        }
    }
}
