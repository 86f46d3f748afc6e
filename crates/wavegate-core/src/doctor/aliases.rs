//! What aliases say: the live alias's routing and record, the versions behind it, the pin.

use super::command::lambda;
use super::{BAD_VERSION, CONCURRENCY, Case, Finding, LEFT_RECORD, PIN, SPLIT, Side, UNPUBLISHED};
use super::{Heal, Write};
use crate::inventory::{AliasState, ExtraVersion};
use crate::name::VersionId;
use crate::token::{DESCRIPTION_MAX, Token, own_text};
use crate::weight::Weight;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let Some(live) = case.live() else { return Vec::new() };
    let token = Token::decode(&live.description);
    if token.as_ref().is_some_and(|token| case.under_way == Some(token.release)) {
        // It is the release's own, and `recover`'s if nobody is home.
        return Vec::new();
    }
    let mut findings = Vec::new();
    match live.main() {
        None => findings.push(unpublished(case, live)),
        Some(main) => findings.extend(bad_versions(case, live, main)),
    }
    match (live.extra, live.main()) {
        (Some(extra), Some(main)) => findings.push(split(case, live, main, extra, token.as_ref())),
        _ => findings.extend(token.as_ref().and_then(|token| left_record(case, live, token))),
    }
    findings.extend(pin(case, live, token.as_ref()));
    findings
}

fn unpublished(case: &Case<'_>, live: &AliasState) -> Finding {
    let function = case.function.lambda_name.as_str();
    let publish = lambda("publish-version", &[("function-name", function)]);
    let update = lambda(
        "update-alias",
        &[
            ("function-name", function),
            ("name", &live.name),
            ("function-version", "N"),
            ("revision-id", &live.revision),
        ],
    );
    case.finding(
        UNPUBLISHED,
        format!("alias `{}` points at $LATEST, which changes under it and is no version to go back to", live.name),
        format!("publish what it serves ({publish}), then point the alias at the version that this answers with: {update}"),
    )
}

fn bad_versions(case: &Case<'_>, live: &AliasState, main: VersionId) -> Vec<Finding> {
    let routed = std::iter::once(main).chain(live.extra.map(|extra| extra.version));
    let ailing = routed.filter_map(|version| Some((version, case.ailment(version)?)));
    ailing
        .map(|(version, ailment)| {
            let share = match live.extra {
                Some(extra) if extra.version == version => format!("{} of", extra.weight),
                Some(_) => "most of".to_owned(),
                None => "all".to_owned(),
            };
            let message = format!(
                "{share} the traffic of alias `{}` goes to version {version}, which {ailment}",
                live.name
            );
            case.finding(BAD_VERSION, message, elsewhere(case, live, version))
        })
        .collect()
}

/// The command that moves an alias off a version: to the pin, else to the newest other one.
fn elsewhere(case: &Case<'_>, live: &AliasState, bad: VersionId) -> String {
    let pinned = case.alias(&case.spec.alias.pin()).and_then(AliasState::main);
    let newest = || {
        let versions = case.patient.versions.iter().flatten().map(|found| found.version);
        versions.filter(|version| *version != bad).max()
    };
    let is_well = |version: &VersionId| *version != bad && case.exists(*version);
    let Some(target) = pinned.filter(is_well).or_else(newest) else {
        return "there is no other version: `wavegate deploy` after the cause is mended".to_owned();
    };
    let command = lambda(
        "update-alias",
        &[
            ("function-name", case.function.lambda_name.as_str()),
            ("name", &live.name),
            ("function-version", &target.to_string()),
            ("routing-config", "AdditionalVersionWeights={}"),
            ("revision-id", &live.revision),
        ],
    );
    format!("which version is right, a person has to say; to version {target}: {command}")
}

fn split(
    case: &Case<'_>,
    live: &AliasState,
    main: VersionId,
    extra: ExtraVersion,
    token: Option<&Token>,
) -> Finding {
    if is_detour(case, live, main, extra) {
        return case.note(
            CONCURRENCY,
            format!(
                "AWS itself still routes alias `{}` to version {} until the provisioned concurrency of version {main} is ready",
                live.name, extra.version
            ),
            "look again in some minutes; if it stays, `aws lambda get-provisioned-concurrency-config` tells why".to_owned(),
        );
    }
    let whose = match token {
        Some(token) if token.app != case.spec.name => return anothers(case, live, token),
        Some(token) => format!("release {} left it so", token.release),
        None => "a person left it so, or a CodeDeploy deployment that was stopped".to_owned(),
    };
    let message = format!(
        "alias `{}` is split without an owner: version {main}, and {} of the traffic on version {}; {whose}",
        live.name, extra.weight, extra.version
    );
    let (target, other, flag) = match case.side {
        Side::Stable => (main, extra.version, "candidate"),
        Side::Candidate => (extra.version, main, "stable"),
    };
    if let Some(ailment) = case.ailment(target) {
        let hint = format!(
            "version {target} {ailment}: `wavegate doctor --heal --to {flag}` sends all traffic to version {other}"
        );
        return case.finding(SPLIT, message, hint);
    }
    let hint = format!(
        "`wavegate doctor --heal` sends all traffic to version {target}; with `--to {flag}`, to version {other}"
    );
    let description = match token {
        Some(token) if token.stable.is_some() => restored(case, live),
        _ => live.description.clone(),
    };
    let write = Write::Update { base: live.clone(), version: Some(target), description };
    let words = format!("all traffic of alias `{}` to version {target}", live.name);
    let heal = Some(case.heal(case.spec.alias.clone(), write, words));
    Finding { heal, ..case.finding(SPLIT, message, hint) }
}

/// AWS routes everything to the version that an alias left, until the new one's environments are
/// ready. Source: terraform-provider-aws pull request 48116.
fn is_detour(case: &Case<'_>, live: &AliasState, main: VersionId, extra: ExtraVersion) -> bool {
    let main = main.to_string();
    extra.weight == Weight::FULL
        && case
            .patient
            .provisioned
            .iter()
            .flatten()
            .any(|provisioned| provisioned.qualifier == live.name || provisioned.qualifier == main)
}

fn anothers(case: &Case<'_>, live: &AliasState, token: &Token) -> Finding {
    case.finding(
        LEFT_RECORD,
        format!("alias `{}` carries the record of a release of another app, `{}`", live.name, token.app),
        format!("one function belongs to one app: take it out of one of the manifests, or end that release (`wavegate status` of `{}`)", token.app),
    )
}

/// A record that was not taken away when its release ended. The one of a first deploy stays for
/// good: there was no text before it.
fn left_record(case: &Case<'_>, live: &AliasState, token: &Token) -> Option<Finding> {
    if token.app != case.spec.name {
        return Some(anothers(case, live, token));
    }
    token.stable?;
    let message = format!(
        "alias `{}` still carries the record of release {}, which is over, in the place of its own description",
        live.name, token.release
    );
    let description = restored(case, live);
    let words = if description.is_empty() {
        format!("the description of alias `{}` back to none", live.name)
    } else {
        format!("the description of alias `{}` back to its own text", live.name)
    };
    let write = Write::Update { base: live.clone(), version: None, description };
    let hint =
        "`wavegate doctor --heal` gives it its own description back; no traffic moves".to_owned();
    let heal = Some(case.heal(case.spec.alias.clone(), write, words));
    Some(Finding { heal, ..case.finding(LEFT_RECORD, message, hint) })
}

/// The user's own description: the pin has it whole, the live alias as much as fitted beside the
/// record.
fn restored(case: &Case<'_>, live: &AliasState) -> String {
    let kept = own_text(&live.description);
    let pin = case.alias(&case.spec.alias.pin()).map(|pin| own_text(&pin.description));
    let is_cut = live.description.chars().count() >= DESCRIPTION_MAX;
    match pin {
        Some(whole) if whole == kept || (is_cut && whole.starts_with(kept)) => whole.to_owned(),
        _ => kept.to_owned(),
    }
}

fn pin(case: &Case<'_>, live: &AliasState, token: Option<&Token>) -> Option<Finding> {
    let pin_alias = case.spec.alias.pin();
    let served = live.main()?;
    let before = token.filter(|token| token.app == case.spec.name).and_then(|token| token.stable);
    let before = before.filter(|version| *version != served && case.exists(*version));
    if let Some(pin) = case.alias(&pin_alias) {
        return bad_pin(case, pin, before.unwrap_or(served));
    }
    let before = before?;
    let message = format!(
        "the pin alias `{pin_alias}` is missing: nothing keeps version {before}, to go back to, from being deleted"
    );
    let write = Write::Create { version: before, description: restored(case, live) };
    Some(healed_pin(case, message, write, before))
}

fn bad_pin(case: &Case<'_>, pin: &AliasState, target: VersionId) -> Option<Finding> {
    let ailment = match pin.main() {
        None => "points at $LATEST".to_owned(),
        Some(_) if pin.extra.is_some() => "is split".to_owned(),
        Some(version) if !case.exists(version) => {
            format!("points at version {version}, which does not exist")
        }
        Some(_) => return None,
    };
    // With nothing to go back to, it names what is served: `rollback` then leaves it alone.
    let is_lost = pin.main().is_some_and(|version| !case.exists(version));
    let loss = if is_lost { "; what it kept cannot be gone back to" } else { "" };
    let message = format!("the pin alias `{}` {ailment}{loss}", pin.name);
    if !case.exists(target) {
        let hint = "mend the live alias first, then look again".to_owned();
        return Some(case.finding(PIN, message, hint));
    }
    let description = pin.description.clone();
    let write = Write::Update { base: pin.clone(), version: Some(target), description };
    Some(healed_pin(case, message, write, target))
}

fn healed_pin(case: &Case<'_>, message: String, write: Write, target: VersionId) -> Finding {
    let name = case.spec.alias.pin();
    let hint =
        format!("`wavegate doctor --heal` points it at version {target}; it takes no traffic");
    let words = format!("the pin alias `{name}` to version {target}");
    let heal: Option<Heal> = Some(case.heal(name, write, words));
    Finding { heal, ..case.finding(PIN, message, hint) }
}
