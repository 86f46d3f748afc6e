//! What stands beside the aliases: triggers that call past them, versions that cannot share
//! traffic, concurrency that is paid for and not used.

use super::command::{lambda, word};
use super::{BYPASS, CONCURRENCY, Case, Finding, Mapping, Provisioned, Statement, UNSPLITTABLE};
use crate::inventory::AliasState;
use crate::name::VersionId;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    // Before the first deploy there is no alias to call past.
    let Some(live) = case.live() else { return Vec::new() };
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(case.patient.mappings.iter().flatten().filter_map(|m| mapping(case, m)));
    findings.extend(case.patient.url.iter().flatten().map(|auth| url(case, auth)));
    findings.extend(permissions(case));
    findings.extend(unsplittable(case, live));
    findings.extend(
        case.patient.provisioned.iter().flatten().filter_map(|p| provisioned(case, live, p)),
    );
    findings
}

fn mapping(case: &Case<'_>, mapping: &Mapping) -> Option<Finding> {
    let alias = case.spec.alias.as_str();
    let function = case.function.lambda_name.as_str();
    let own = [case.spec.alias.lock(), case.spec.alias.pin()];
    let calls = match mapping.qualifier.as_deref() {
        Some(qualifier) if qualifier == alias => return None,
        None | Some("$LATEST") => "the function itself ($LATEST)".to_owned(),
        Some(number) if VersionId::parse(number).is_some() => format!("version {number} for good"),
        Some(name) if own.iter().any(|own| own.as_str() == name) => {
            format!("`{name}`, an alias of wavegate's own")
        }
        Some(name) => format!("another alias, `{name}`"),
    };
    let is_foreign_alias = calls.starts_with("another alias");
    let is_off = mapping.state == "Disabled";
    let off = if is_off { " (it is switched off)" } else { "" };
    let message = format!(
        "the event source mapping of {} calls {calls}{off}: no release moves its traffic",
        mapping.source
    );
    let target = format!("{function}:{alias}");
    let command =
        lambda("update-event-source-mapping", &[("uuid", &mapping.id), ("function-name", &target)]);
    let hint = format!("move it where it was made (Terraform, SAM, ...), or: {command}");
    // A queue of its own for a second alias may well be meant.
    if is_off || is_foreign_alias {
        return Some(case.note(BYPASS, message, hint));
    }
    Some(case.finding(BYPASS, message, hint))
}

fn url(case: &Case<'_>, auth: &str) -> Finding {
    let function = case.function.lambda_name.as_str();
    let alias = case.spec.alias.as_str();
    let create = lambda(
        "create-function-url-config",
        &[("function-name", function), ("qualifier", alias), ("auth-type", auth)],
    );
    let delete = lambda("delete-function-url-config", &[("function-name", function)]);
    case.finding(
        BYPASS,
        "a function URL calls the function itself ($LATEST): no release moves its traffic".to_owned(),
        format!("give the alias a URL of its own, with another address ({create}), move its callers, then: {delete}"),
    )
}

/// Who may call the function itself and not the alias can only have been set up to call past it.
fn permissions(case: &Case<'_>) -> Vec<Finding> {
    let function = case.function.lambda_name.as_str();
    let alias = case.spec.alias.as_str();
    let (Some(own), Some(of_alias)) = (&case.patient.policy, &case.patient.alias_policy) else {
        return Vec::new();
    };
    let invokes = |statement: &&Statement| {
        ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:*", "*"]
            .contains(&statement.action.as_str())
    };
    let is_same = |a: &Statement, b: &Statement| {
        (&a.principal, &a.source_arn, &a.source_account)
            == (&b.principal, &b.source_arn, &b.source_account)
    };
    let bypassing = own
        .iter()
        .filter(invokes)
        .filter(|statement| !of_alias.iter().any(|other| is_same(statement, other)));
    bypassing
        .map(|statement| {
            let from = statement.source_arn.as_ref().or(statement.source_account.as_ref());
            let from = from.map(|from| format!(" ({from})")).unwrap_or_default();
            let mut options = vec![
                ("function-name", function),
                ("qualifier", alias),
                ("statement-id", statement.id.as_str()),
                ("action", statement.action.as_str()),
                ("principal", statement.principal.as_str()),
            ];
            options.extend(statement.source_arn.as_deref().map(|arn| ("source-arn", arn)));
            options.extend(statement.source_account.as_deref().map(|id| ("source-account", id)));
            let add = lambda("add-permission", &options);
            let remove = lambda(
                "remove-permission",
                &[("function-name", function), ("statement-id", &statement.id)],
            );
            case.finding(
                BYPASS,
                format!(
                    "{}{from} may call the function itself and not the alias `{alias}` (statement `{}`): what it sends, no release moves",
                    statement.principal, statement.id
                ),
                format!("let it call the alias ({add}), point it at {function}:{alias}, then: {remove}"),
            )
        })
        .collect()
}

/// Lambda splits traffic only between versions with the same role and the same dead-letter target.
fn unsplittable(case: &Case<'_>, live: &AliasState) -> Option<Finding> {
    let versions = case.patient.versions.as_ref()?;
    let main = live.main()?;
    let served = versions.iter().find(|found| found.version == main)?;
    let newest = versions.iter().max_by_key(|found| found.version)?;
    let config = &case.function.config;
    let mut differ = Vec::new();
    for (what, of_served, of_newest, wanted) in [
        ("role", Some(&served.role), Some(&newest.role), Some(&config.role)),
        (
            "dead-letter target",
            served.dead_letter.as_ref(),
            newest.dead_letter.as_ref(),
            config.dead_letter.as_ref(),
        ),
    ] {
        let told = |value: Option<&String>| value.map_or("none", String::as_str).to_owned();
        if of_served != of_newest {
            differ.push(format!("the {what} of version {} ({})", newest.version, told(of_newest)));
        }
        if of_served != wanted && of_newest != wanted {
            differ.push(format!("the {what} in the manifest ({})", told(wanted)));
        }
    }
    if differ.is_empty() {
        return None;
    }
    let (subject, verb) =
        (differ.join(" and "), if differ.len() == 1 { "differs" } else { "differ" });
    Some(case.finding(
        UNSPLITTABLE,
        format!("{subject} {verb} from version {main}, which is served: Lambda refuses to split traffic between such versions"),
        "release once with `strategy = \"AllAtOnce\"`, or give both the same; then canaries work again".to_owned(),
    ))
}

fn provisioned(case: &Case<'_>, live: &AliasState, provisioned: &Provisioned) -> Option<Finding> {
    let Provisioned { qualifier, requested } = provisioned;
    let function = case.function.lambda_name.as_str();
    let delete = lambda(
        "delete-provisioned-concurrency-config",
        &[("function-name", function), ("qualifier", qualifier)],
    );
    let extra = live.extra.filter(|_| *qualifier == live.name);
    // AWS's own detour is told with the alias's routing.
    if let Some(extra) = extra.filter(|extra| extra.weight < crate::weight::Weight::FULL) {
        return Some(case.finding(
            CONCURRENCY,
            format!(
                "alias `{qualifier}` has provisioned concurrency ({requested}) and is split with version {}: Lambda spreads it over both, and refuses to change it meanwhile",
                extra.version
            ),
            format!("end the split first; or put the concurrency on the versions in its place: {delete}"),
        ));
    }
    let own = [case.spec.alias.lock(), case.spec.alias.pin()];
    let is_own = |name: &str| own.iter().any(|own| own.as_str() == name);
    let routes = |alias: &&AliasState| {
        !is_own(&alias.name)
            && (alias.version == *qualifier
                || alias.extra.is_some_and(|extra| extra.version.to_string() == *qualifier))
    };
    let is_idle = match VersionId::parse(qualifier) {
        Some(_) => !case.patient.aliases.iter().any(|alias| routes(&alias)),
        None => is_own(qualifier),
    };
    is_idle.then(|| {
        let what = match VersionId::parse(qualifier) {
            Some(version) => format!("version {version}, which no alias routes to,"),
            None => format!("`{}`, which takes no traffic,", word(qualifier)),
        };
        case.finding(
            CONCURRENCY,
            format!(
                "{what} has provisioned concurrency ({requested}): it is paid for and not used"
            ),
            delete.clone(),
        )
    })
}
