//! Calls of other accounts: on a function or a layer whose own policy lets them.
//!
//! AWS: such a call names what it is on by its ARN, or by a part of it that has the account.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::cloud::{Cloud, Clouds};
use crate::home::{Home, is_account};
use crate::iam;
use crate::wire::{Fault, Input, Request};

/// Where a call is performed: at its caller's, or in the account of what it names.
///
/// # Errors
/// If that is another account, and no policy there lets the caller's.
pub(super) fn place(
    clouds: &Clouds,
    own: &Arc<Cloud>,
    input: &Input,
    request: &Request,
) -> Result<Arc<Cloud>, Fault> {
    let Some(account) = account_of(&input.members, &own.home.region) else {
        return Ok(Arc::clone(own));
    };
    if *account == own.home.account {
        return Ok(Arc::clone(own));
    }
    let home = Home { account: account.to_owned(), region: own.home.region.clone() };
    let needs = iam::of_lambda(&input.operation.name, &input.members, &home);
    let Some(need) = needs.first() else { return Ok(Arc::clone(own)) };
    let lets = |there: &Arc<Cloud>| {
        policy(there, &input.members)
            .is_some_and(|policy| iam::allows_account(&policy, &own.home.account, &need.action))
    };
    clouds.known(&home).filter(lets).ok_or_else(|| {
        let why = iam::unknown_account(&own.caller(request).arn, need);
        Fault::front(403, "AccessDeniedException", why)
    })
}

/// The account of what a call names, if it names one in the region.
fn account_of<'a>(input: &'a Map<String, Value>, region: &str) -> Option<&'a str> {
    let mut members = ["FunctionName", "LayerName", "Arn", "Resource"].into_iter();
    let parts: Vec<&str> = members.find_map(|name| text(input, name))?.split(':').collect();
    let account = match parts.as_slice() {
        ["arn", _, "lambda", of, account, ..] if *of == region => account,
        [account, ..] => account,
        [] => return None,
    };
    is_account(account).then_some(*account)
}

/// The policy of what a call names.
fn policy(there: &Cloud, input: &Map<String, Value>) -> Option<String> {
    let lambda = &there.core().lambda;
    let found = if let Some(arn) = text(input, "Arn") {
        let (layer, number) = arn.rsplit_once(':')?;
        lambda.get_layer_policy(layer, number.parse().ok()?)
    } else if let Some(layer) = text(input, "LayerName") {
        lambda.get_layer_policy(layer, input.get("VersionNumber")?.as_i64()?)
    } else {
        let name = text(input, "FunctionName").or_else(|| text(input, "Resource"))?;
        lambda.get_policy(name, text(input, "Qualifier"))
    };
    found.ok().map(|policy| policy.policy)
}

fn text<'a>(input: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_account_is_told_by_an_arn_or_a_part_of_it() {
        let of = |name: &str, text: &str| {
            let input = json!({ name: text });
            account_of(input.as_object().unwrap(), "us-east-1").map(ToOwned::to_owned)
        };
        let account = Some("123456789012".to_owned());
        for (name, text) in [
            ("FunctionName", "arn:aws:lambda:us-east-1:123456789012:function:fn:live"),
            ("FunctionName", "123456789012:function:fn"),
            ("LayerName", "arn:aws:lambda:us-east-1:123456789012:layer:libs"),
            ("Arn", "arn:aws:lambda:us-east-1:123456789012:layer:libs:1"),
            ("Resource", "arn:aws:lambda:us-east-1:123456789012:function:fn"),
        ] {
            assert_eq!(of(name, text), account, "{text}");
        }
        for text in ["fn", "fn:live", "arn:aws:lambda:eu-west-1:123456789012:function:fn", ""] {
            assert_eq!(of("FunctionName", text), None, "{text}");
        }
    }
}
