//! STS: who the caller is, and credentials of sessions.
//!
//! Credentials are made up: the local cloud verifies no signature, and keeps no session. Who a session
//! belongs to stands in its token ([`Session`]), so it outlives restarts and takes no room. Its end is in
//! real time, because clients compare it with their own clock; nothing refuses it afterwards.

mod session;
mod tags;

use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use session::Session;
use tags::Tag;

use crate::clock::wall_ms;
use crate::cloud::Cloud;
use crate::iam::Need;
use crate::identity::{check_session, new_id};
use crate::ids::Ids;
use crate::wire::time::seconds;
use crate::wire::{Answer, Fault, Output, Request, Route, validate};

/// AWS: how long a session of a role is unless the request says otherwise.
const ROLE_SECONDS: u32 = 3600;
/// AWS: the longest session of a role that was assumed with a role's credentials.
const CHAINED_SECONDS: u32 = 3600;
/// AWS: how long other sessions are unless the request says otherwise.
const USER_SECONDS: u32 = 43_200;
/// AWS: characters of a session's policy and tags that are packed into a token.
const PACKED_MAX: usize = 2048;
/// How the keys of sessions begin. AWS's begin with ASIA, and those are refused here as real ones.
const KEY_PREFIX: &str = "WAVE";

/// The members of all inputs; each operation reads of them what its model has.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    role_arn: String,
    role_session_name: String,
    name: String,
    policy: Option<String>,
    duration_seconds: Option<u32>,
    tags: Vec<Tag>,
    transitive_tag_keys: Vec<String>,
    source_identity: Option<String>,
    web_identity_token: String,
    provider_id: Option<String>,
}

/// Answers a request.
pub(crate) fn answer(cloud: &Cloud, route: &Route, request: &Request, request_id: &str) -> Answer {
    let outcome = route.decode(request).and_then(|input| {
        validate::check(route.service, &input, "ValidationError")?;
        let asked = Asked::deserialize(Value::Object(input.members))
            .map_err(|error| Fault::new("ValidationError", error.to_string()))?;
        perform(cloud, &input.operation.name, &asked, request)
    });
    route.answer(outcome.map(Output::of), request_id)
}

fn perform(
    cloud: &Cloud,
    operation: &str,
    asked: &Asked,
    request: &Request,
) -> Result<Value, Fault> {
    let caller = cloud.caller(request);
    if let Some(policy) = &asked.policy {
        check_session(policy)?;
    }
    match operation {
        "GetCallerIdentity" => Ok(json!({
            "Account": caller.account, "Arn": caller.arn, "UserId": caller.user_id,
        })),
        "GetAccessKeyInfo" => Ok(json!({ "Account": cloud.home.account })),
        "GetSessionToken" => Ok(json!({
            "Credentials": credentials(cloud, &caller, asked.duration_seconds, USER_SECONDS),
        })),
        "GetFederationToken" => Ok(federate(cloud, asked)),
        "AssumeRole" => {
            let need = Need::new("sts:AssumeRole", asked.role_arn.as_str());
            if let Some(why) = cloud.refusal(request, &[need]) {
                return Err(denied(why));
            }
            assume(cloud, &caller, asked)
        }
        "AssumeRoleWithWebIdentity" => assume_by_token(cloud, &caller, asked),
        other => Err(Fault::front(500, "InternalFailure", format!("{other} is not performed"))),
    }
}

fn assume(cloud: &Cloud, caller: &Session, asked: &Asked) -> Result<Value, Fault> {
    check_arn(&asked.role_arn)?;
    let transitive = tags::transitive(&asked.tags, &asked.transitive_tag_keys, caller)?;
    if caller.is_role() && asked.duration_seconds.is_some_and(|asked| asked > CHAINED_SECONDS) {
        return Err(Fault::new(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role \
             chaining",
        ));
    }
    let mut session = session_of_role(cloud, caller, asked)?;
    session.transitive_tags = transitive;
    let mut answer = json!({
        "AssumedRoleUser": { "Arn": session.arn, "AssumedRoleId": session.user_id },
        "Credentials": credentials(cloud, &session, asked.duration_seconds, ROLE_SECONDS),
    });
    let packed = packed_size(asked);
    if packed > 0 {
        answer["PackedPolicySize"] = packed.into();
    }
    if let Some(source) = &asked.source_identity {
        answer["SourceIdentity"] = source.as_str().into();
    }
    Ok(answer)
}

/// Whoever made the token is taken at its word: its signature is not verified.
fn assume_by_token(cloud: &Cloud, caller: &Session, asked: &Asked) -> Result<Value, Fault> {
    check_arn(&asked.role_arn)?;
    let session = session_of_role(cloud, caller, asked)?;
    let claims = session::claims(&asked.web_identity_token).unwrap_or_default();
    let claim = |name: &str| claims[name].as_str().map(ToOwned::to_owned);
    let mut answer = json!({
        "AssumedRoleUser": { "Arn": session.arn, "AssumedRoleId": session.user_id },
        "Credentials": credentials(cloud, &session, asked.duration_seconds, ROLE_SECONDS),
    });
    for (member, value) in [
        ("SubjectFromWebIdentityToken", claim("sub")),
        ("Audience", claim("aud")),
        ("Provider", asked.provider_id.clone().or_else(|| claim("iss"))),
    ] {
        if let Some(value) = value {
            answer[member] = value.into();
        }
    }
    Ok(answer)
}

fn federate(cloud: &Cloud, asked: &Asked) -> Value {
    let session = Session {
        arn: format!("arn:aws:sts::{}:federated-user/{}", cloud.home.account, asked.name),
        user_id: format!("{}:{}", cloud.home.account, asked.name),
        account: cloud.home.account.clone(),
        transitive_tags: Vec::new(),
    };
    json!({
        "FederatedUser": { "Arn": session.arn, "FederatedUserId": session.user_id },
        "Credentials": credentials(cloud, &session, asked.duration_seconds, USER_SECONDS),
        "PackedPolicySize": packed_size(asked),
    })
}

/// The session of a role. One that does not exist can be assumed unless roles are checked.
fn session_of_role(cloud: &Cloud, caller: &Session, asked: &Asked) -> Result<Session, Fault> {
    let arn = asked.role_arn.as_str();
    let role = {
        let identity = cloud.identity();
        identity.role_id(arn).map(|id| (id.to_owned(), identity.session_seconds(arn)))
    };
    let role_id = match role {
        Some((_, longest)) if asked.duration_seconds.is_some_and(|asked| asked > longest) => {
            return Err(Fault::new(
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        Some((id, _)) => id,
        None if cloud.shared.check_roles => {
            return Err(denied(format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
                caller.arn
            )));
        }
        None => new_id(&mut cloud.core().ids, "AROA"),
    };
    let account = arn.split(':').nth(4).filter(|account| !account.is_empty());
    let account = account.unwrap_or(&cloud.home.account);
    Ok(Session::of_role(arn, &role_id, &asked.role_session_name, account))
}

fn credentials(cloud: &Cloud, session: &Session, asked: Option<u32>, otherwise: u32) -> Value {
    let ends_ms = wall_ms() + i64::from(asked.unwrap_or(otherwise)) * 1000;
    let mut core = cloud.core();
    let key: String = core.ids.uuid().to_ascii_uppercase().replace('-', "");
    let secret = format!("{}{}", core.ids.uuid(), core.ids.uuid()).replace('-', "");
    let key = format!("{KEY_PREFIX}{}", &key[..16]);
    json!({
        "SessionToken": session.token(&key),
        "AccessKeyId": key,
        "SecretAccessKey": secret[..40],
        "Expiration": seconds(ends_ms - ends_ms.rem_euclid(1000)),
    })
}

/// How full a token is of policies and tags, in percent.
fn packed_size(asked: &Asked) -> usize {
    let policy = asked.policy.as_ref().map_or(0, String::len);
    let tags: usize = asked.tags.iter().map(Tag::len).sum();
    ((policy + tags) * 100).div_ceil(PACKED_MAX)
}

/// Refuses what is no ARN, in AWS's words.
fn check_arn(arn: &str) -> Result<(), Fault> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let is_arn = matches!(parts.as_slice(), ["arn", partition, service, _, _, resource]
        if !partition.is_empty() && !service.is_empty() && !resource.is_empty());
    if is_arn { Ok(()) } else { Err(Fault::new("ValidationError", format!("{arn} is invalid"))) }
}

fn denied(why: String) -> Fault {
    Fault::front(403, "AccessDenied", why)
}
