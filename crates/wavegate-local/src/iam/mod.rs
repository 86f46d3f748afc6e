//! Permissions: what a call needs, and whether the caller's policies give it.
//!
//! The local cloud lets everybody do everything, unless it is started with policies: then each call
//! that somebody signs is held against them, as AWS holds a call against the identity-based policies
//! of its caller. That is a rehearsal of a policy, not a guard: signatures are not verified.
//!
//! Invariants:
//! - What a policy says is either applied or refused in words when it is read; nothing of it is
//!   skipped.
//! - A call that is refused has changed nothing.
//! - The functions' own calls are not the deployer's: they carry other keys and are not held against
//!   the policies. Neither is a call that nobody signed, which no AWS account would answer.
//!
//! Resource policies hold for AWS's own services only (see `resource`). Deliberately absent: permission
//! boundaries, session policies, service control
//! policies, and every condition but `iam:PassedToService`.

mod need;
mod objects;
mod policy;
mod resource;

pub(crate) use need::{Need, of_alarms, of_deployment, of_lambda};
pub(crate) use objects::of_objects;
pub use policy::{Policy, PolicyError};
pub(crate) use resource::{ServiceCall, allows, allows_account, texts};

use policy::Verdict;

use crate::wire::Request;

/// How the keys begin that functions get in their environments.
const FUNCTION_KEY: &str = "WGFN";

/// The key and the secret of one environment: of AWS's lengths and, as there, no others'.
pub(crate) fn function_keys(environment: u64) -> (String, String) {
    (format!("{FUNCTION_KEY}{environment:016}"), format!("wavegate-secret-{environment:024}"))
}

/// Whether a call is one that a person or a pipeline makes with keys of their own.
pub(crate) fn is_somebodys(request: &Request) -> bool {
    request.signing_key().is_some_and(|key| !key.starts_with(FUNCTION_KEY))
}

/// The caller, by the name that policies are attached to.
pub(crate) fn caller(account: &str) -> String {
    format!("arn:aws:iam::{account}:user/wavegate")
}

/// Why a call may not be made, in AWS's words; `None` if it may.
pub(crate) fn refusal(policies: &[Policy], caller: &str, needs: &[Need]) -> Option<String> {
    needs.iter().find_map(|need| {
        let verdicts = policies.iter().map(|policy| policy.judge(need));
        let because = match verdicts.max().unwrap_or(Verdict::Silent) {
            Verdict::Allowed => return None,
            Verdict::Denied => "with an explicit deny in an identity-based policy".to_owned(),
            Verdict::Silent => silence("identity", need),
        };
        Some(denied(caller, need, &because))
    })
}

/// Why another account's call may not be made, in AWS's words.
pub(crate) fn unknown_account(caller: &str, need: &Need) -> String {
    denied(caller, need, &silence("resource", need))
}

fn denied(caller: &str, Need { action, resource, .. }: &Need, because: &str) -> String {
    format!(
        "User: {caller} is not authorized to perform: {action} on resource: {resource} {because}"
    )
}

/// That no policy of a kind says anything.
fn silence(kind: &str, Need { action, .. }: &Need) -> String {
    format!("because no {kind}-based policy allows the {action} action")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(action: &str, resource: &str) -> Need {
        Need { action: action.to_owned(), resource: resource.to_owned(), passed_to: None }
    }

    #[test]
    fn a_deny_anywhere_wins_and_silence_is_no_permission() {
        let allow = Policy::parse(
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lambda:*","Resource":"*"}}"#,
        )
        .unwrap();
        let deny = Policy::parse(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"lambda:DeleteAlias","Resource":"*"}]}"#,
        )
        .unwrap();
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:fn";
        let said = |action: &str| {
            refusal(&[allow.clone(), deny.clone()], "arn:aws:iam::0:user/x", &[need(action, arn)])
        };
        assert_eq!(said("lambda:GetAlias"), None);
        assert_eq!(
            said("lambda:DeleteAlias").unwrap(),
            format!(
                "User: arn:aws:iam::0:user/x is not authorized to perform: lambda:DeleteAlias on \
                 resource: {arn} with an explicit deny in an identity-based policy"
            )
        );
        assert_eq!(
            said("s3:GetObject").unwrap(),
            format!(
                "User: arn:aws:iam::0:user/x is not authorized to perform: s3:GetObject on \
                 resource: {arn} because no identity-based policy allows the s3:GetObject action"
            )
        );
        assert!(refusal(&[], "x", &[need("lambda:GetAlias", arn)]).is_some());
        // Of several needs the first that is not met is told.
        let needs = [need("lambda:GetAlias", arn), need("iam:PassRole", "r")];
        assert!(refusal(&[allow], "x", &needs).unwrap().contains("iam:PassRole"));
    }
}
