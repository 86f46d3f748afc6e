//! Laws of the diagnosis.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::inventory::ExtraVersion;
use crate::name::{AppName, Nonce};
use crate::spec::{
    CodeSource, ComponentUse, FunctionConfig, Hooks, OnBlind, OnFailure, Opaque, RollbackScope,
};
use crate::token::{Position, Token};
use crate::weight::Weight;

const ROLE: &str = "arn:aws:iam::000000000000:role/test";

fn spec() -> AppSpec {
    let name = FunctionName::new("fn").unwrap();
    let function = FunctionSpec {
        name: name.clone(),
        lambda_name: FunctionName::new("shop-fn").unwrap(),
        code: CodeSource::Path("fn".into()),
        config: FunctionConfig {
            role: ROLE.to_owned(),
            memory_mb: 128,
            timeout_s: 3,
            architecture: "x86_64".to_owned(),
            ephemeral_storage_mb: 512,
            ..FunctionConfig::default()
        },
        depends_on: BTreeSet::new(),
        strategy: ComponentUse {
            name: "AllAtOnce".to_owned(),
            component: "all-at-once".to_owned(),
            config: Opaque("{}".to_owned()),
        },
        engine: crate::codedeploy::Engine::Native,
        hooks: Hooks::default(),
        alarms: Vec::new(),
        bake: Duration::ZERO,
    };
    AppSpec {
        name: AppName::new("shop").unwrap(),
        alias: AliasName::new("live").unwrap(),
        on_failure: OnFailure::Rollback,
        on_blind: OnBlind::default(),
        rollback_scope: RollbackScope::App,
        max_parallel: 16,
        keep_versions: 3,
        functions: [(name, function)].into(),
    }
}

fn alias(name: &str, version: &str, extra: Option<(u64, u16)>, description: &str) -> AliasState {
    AliasState {
        name: name.to_owned(),
        version: version.to_owned(),
        extra: extra.map(|(version, bp)| ExtraVersion {
            version: VersionId(version),
            weight: Weight::from_bp(bp).unwrap(),
        }),
        description: description.to_owned(),
        revision: format!("revision of {name}"),
    }
}

fn token() -> Token {
    Token {
        app: AppName::new("shop").unwrap(),
        release: ReleaseId(7),
        epoch: 3,
        sequence: 4,
        position: Position::Promoted,
        stable: Some(VersionId(1)),
        candidate: VersionId(2),
        weight: Weight::FULL,
        nonce: Nonce(1),
        plan: 1,
    }
}

fn lock(phase: LockPhase, owner: Owner) -> Lock {
    let record = LockRecord {
        app: AppName::new("shop").unwrap(),
        release: ReleaseId(7),
        number: 2,
        epoch: 3,
        phase,
        owner: "ana@laptop".to_owned(),
        heartbeat: 1,
        claimed: 1,
        functions: 1,
        on_failure: OnFailure::Rollback,
        scope: RollbackScope::App,
        is_paused: false,
        is_switch: false,
        request: None,
        answered: None,
        plan: 1,
        nonce: Nonce(1),
    };
    Lock { record, owner }
}

fn version(number: u64) -> PublishedVersion {
    PublishedVersion { version: VersionId(number), role: ROLE.to_owned(), dead_letter: None }
}

/// Two versions, the live alias on the second, the pin on the first, nothing beside.
fn healthy() -> Exam {
    let state = VersionState { state: "Active".to_owned(), reason: None };
    let patient = Patient {
        aliases: vec![
            alias("live", "2", None, "mine"),
            alias("wavegate-live-prev", "1", None, "mine"),
        ],
        versions: Some(vec![version(1), version(2)]),
        states: [(VersionId(2), state)].into(),
        mappings: Some(Vec::new()),
        url: Some(None),
        policy: Some(Vec::new()),
        alias_policy: Some(Vec::new()),
        provisioned: Some(Vec::new()),
    };
    Exam {
        functions: [(FunctionName::new("fn").unwrap(), patient)].into(),
        lock: Some(lock(LockPhase::Done, Owner::Silent)),
        unseen: Vec::new(),
    }
}

/// A healthy app, but for one thing.
fn ill(change: impl FnOnce(&mut Patient)) -> Vec<Finding> {
    let mut exam = healthy();
    change(exam.functions.values_mut().next().unwrap());
    diagnose(&spec(), &exam, Side::Stable)
}

fn only(findings: &[Finding], code: &str) -> Finding {
    let codes: Vec<_> = findings.iter().map(|finding| finding.problem.code).collect();
    assert_eq!(codes, [code], "{findings:#?}");
    findings[0].clone()
}

fn hint(finding: &Finding) -> &str {
    finding.problem.hint.as_deref().unwrap()
}

fn set_live(patient: &mut Patient, live: AliasState) {
    patient.aliases[0] = live;
}

#[test]
fn a_healthy_app_has_nothing() {
    assert_eq!(ill(|_| {}), []);
}

#[test]
fn a_split_without_an_owner_goes_to_the_main_version_or_to_the_other_one() {
    for (side, target) in [(Side::Stable, 2), (Side::Candidate, 1)] {
        let mut exam = healthy();
        let live = alias("live", "2", Some((1, 1000)), "mine");
        set_live(exam.functions.values_mut().next().unwrap(), live.clone());
        let found = only(&diagnose(&spec(), &exam, side), SPLIT);
        assert!(found.problem.message.contains("10% of the traffic on version 1"), "{found:?}");
        let heal = found.heal.unwrap();
        assert_eq!((heal.alias.as_str(), heal.lambda_name.as_str()), ("live", "shop-fn"));
        let version = Some(VersionId(target));
        assert_eq!(heal.write, Write::Update { base: live, version, description: "mine".into() });
    }
}

#[test]
fn a_split_is_not_healed_towards_a_version_that_cannot_serve() {
    let findings = ill(|patient| {
        set_live(patient, alias("live", "2", Some((1, 1000)), ""));
        let state = VersionState { state: "Failed".into(), reason: Some("no image".into()) };
        patient.states.insert(VersionId(2), state);
    });
    let codes: Vec<_> = findings.iter().map(|finding| finding.problem.code).collect();
    assert_eq!(codes, [BAD_VERSION, SPLIT]);
    assert!(findings[0].problem.message.contains("is Failed (no image)"), "{findings:?}");
    assert_eq!(findings[1].heal, None);
    assert!(hint(&findings[1]).contains("--to candidate"));
}

#[test]
fn what_a_release_that_runs_owns_is_no_finding_and_nothing_else_is_healed() {
    let shifting = Token {
        position: Position::Forward,
        stable: Some(VersionId(2)),
        candidate: VersionId(1),
        ..token()
    };
    for owner in [Owner::Alive, Owner::Silent] {
        let mut exam = healthy();
        exam.lock = Some(lock(LockPhase::Running, owner));
        let patient = exam.functions.values_mut().next().unwrap();
        set_live(patient, alias("live", "2", Some((1, 1000)), &shifting.encode("mine")));
        let found = only(&diagnose(&spec(), &exam, Side::Stable), UNFINISHED);
        assert_eq!(found.problem.severity == Severity::Error, owner == Owner::Silent);
        assert_eq!(hint(&found).contains("wavegate recover"), owner == Owner::Silent);
        // Another's split is told, and left alone.
        let patient = exam.functions.values_mut().next().unwrap();
        set_live(patient, alias("live", "2", Some((1, 1000)), "mine"));
        let findings = diagnose(&spec(), &exam, Side::Stable);
        assert_eq!(findings[1].problem.code, SPLIT);
        assert_eq!(findings[1].heal, None);
    }
}

#[test]
fn a_held_lock_names_recover_whoever_was_heard() {
    let mut exam = healthy();
    exam.lock = Some(lock(LockPhase::Held, Owner::Alive));
    let found = only(&diagnose(&spec(), &exam, Side::Stable), UNFINISHED);
    assert_eq!(found.problem.severity, Severity::Error);
    assert!(hint(&found).contains("wavegate recover"));
}

#[test]
fn a_left_record_gives_way_to_the_text_the_pin_kept() {
    let own = "y".repeat(250);
    let live = alias("live", "2", None, &token().encode(&own));
    let found = only(
        &ill(|patient| {
            set_live(patient, live.clone());
            patient.aliases[1].description = own.clone();
        }),
        LEFT_RECORD,
    );
    let write = found.heal.unwrap().write;
    assert_eq!(write, Write::Update { base: live, version: None, description: own });
}

#[test]
fn a_pin_with_another_text_restores_nothing() {
    let found = only(
        &ill(|patient| {
            set_live(patient, alias("live", "2", None, &token().encode("mine")));
            patient.aliases[1].description = "an older text".into();
        }),
        LEFT_RECORD,
    );
    let Write::Update { description, .. } = found.heal.unwrap().write else { panic!() };
    assert_eq!(description, "mine");
}

#[test]
fn the_record_of_a_first_deploy_stays() {
    let first = Token { stable: None, ..token() };
    let findings = ill(|patient| set_live(patient, alias("live", "2", None, &first.encode(""))));
    assert_eq!(findings, []);
}

#[test]
fn the_record_of_another_app_is_never_touched() {
    let theirs = Token { app: AppName::new("other").unwrap(), ..token() };
    for extra in [None, Some((1, 1000))] {
        let findings =
            ill(|patient| set_live(patient, alias("live", "2", extra, &theirs.encode(""))));
        let found = only(&findings, LEFT_RECORD);
        assert_eq!(found.heal, None);
        assert!(found.problem.message.contains("`other`"));
    }
}

#[test]
fn an_alias_on_latest_is_told_with_the_commands() {
    let found =
        only(&ill(|patient| set_live(patient, alias("live", "$LATEST", None, ""))), UNPUBLISHED);
    assert!(hint(&found).contains("aws lambda publish-version --function-name shop-fn"));
    assert!(hint(&found).contains("--revision-id 'revision of live'"), "{}", hint(&found));
}

#[test]
fn a_served_version_that_is_gone_is_told_with_the_way_to_the_pin() {
    let found = only(&ill(|patient| patient.versions = Some(vec![version(1)])), BAD_VERSION);
    assert!(found.problem.message.contains("version 2, which does not exist"), "{found:?}");
    assert!(hint(&found).contains("--function-version 1"), "{}", hint(&found));
    assert_eq!(found.heal, None, "which version is right is not known");
}

#[test]
fn an_idle_version_is_well() {
    let findings = ill(|patient| {
        let state = VersionState { state: "Inactive".into(), reason: None };
        patient.states.insert(VersionId(2), state);
    });
    assert_eq!(findings, []);
}

#[test]
fn a_pin_that_points_nowhere_names_what_is_served() {
    let found = only(&ill(|patient| patient.aliases[1].version = "9".into()), PIN);
    let Write::Update { base, version, description } = found.heal.unwrap().write else { panic!() };
    assert_eq!((base.name.as_str(), version), ("wavegate-live-prev", Some(VersionId(2))));
    assert_eq!(description, "mine", "the user's text stays");
}

#[test]
fn a_missing_pin_is_made_where_the_record_tells_what_it_kept() {
    let findings = ill(|patient| {
        set_live(patient, alias("live", "2", None, &token().encode("mine")));
        patient.aliases.truncate(1);
    });
    let pin = findings.iter().find(|finding| finding.problem.code == PIN).unwrap();
    let write = Write::Create { version: VersionId(1), description: "mine".into() };
    assert_eq!(pin.heal.as_ref().unwrap().write, write);
    // Without a record nobody knows whether there ever was one.
    assert_eq!(ill(|patient| patient.aliases.truncate(1)), []);
}

fn mapping(qualifier: Option<&str>, state: &str) -> Vec<Finding> {
    ill(|patient| {
        patient.mappings = Some(vec![Mapping {
            id: "some-id".into(),
            qualifier: qualifier.map(Into::into),
            source: "arn:aws:sqs:eu-west-1:1:q".into(),
            state: state.into(),
        }]);
    })
}

#[test]
fn a_mapping_past_the_alias_is_told_with_the_command_that_moves_it() {
    assert_eq!(mapping(Some("live"), "Enabled"), []);
    for qualifier in [None, Some("$LATEST"), Some("1"), Some("wavegate-live-prev")] {
        let found = only(&mapping(qualifier, "Enabled"), BYPASS);
        assert_eq!(found.problem.severity, Severity::Error, "{qualifier:?}");
        let command =
            "aws lambda update-event-source-mapping --uuid some-id --function-name shop-fn:live";
        assert!(hint(&found).ends_with(command), "{}", hint(&found));
        assert_eq!(found.heal, None);
    }
    for (qualifier, state) in [(Some("beta"), "Enabled"), (None, "Disabled")] {
        let found = only(&mapping(qualifier, state), BYPASS);
        assert_eq!(found.problem.severity, Severity::Warning, "{qualifier:?} {state}");
    }
}

#[test]
fn a_url_on_the_function_itself_is_told() {
    let found = only(&ill(|patient| patient.url = Some(Some("AWS_IAM".into()))), BYPASS);
    assert!(hint(&found).contains("--qualifier live --auth-type AWS_IAM"), "{}", hint(&found));
}

#[test]
fn whoever_may_call_the_function_and_not_the_alias_is_told() {
    let statement = |id: &str, source: &str| Statement {
        id: id.into(),
        action: "lambda:InvokeFunction".into(),
        principal: "s3.amazonaws.com".into(),
        source_arn: Some(source.into()),
        source_account: None,
    };
    let found = only(
        &ill(|patient| {
            let both =
                vec![statement("one", "arn:aws:s3:::a"), statement("two", "arn:aws:s3:::b c")];
            patient.policy = Some(both);
            patient.alias_policy = Some(vec![statement("other", "arn:aws:s3:::a")]);
        }),
        BYPASS,
    );
    let words = hint(&found);
    assert!(found.problem.message.contains("statement `two`"), "{found:?}");
    assert!(words.contains("--qualifier live --statement-id two"), "{words}");
    assert!(words.contains("--source-arn 'arn:aws:s3:::b c'"), "{words}");
    assert!(words.ends_with("remove-permission --function-name shop-fn --statement-id two"));
}

#[test]
fn versions_that_lambda_will_not_split_are_told() {
    let other = || "arn:aws:iam::000000000000:role/other".to_owned();
    let found = only(
        &ill(|patient| {
            patient
                .versions
                .as_mut()
                .unwrap()
                .push(PublishedVersion { role: other(), ..version(3) });
        }),
        UNSPLITTABLE,
    );
    assert!(found.problem.message.starts_with("the role of version 3"), "{found:?}");
    assert!(hint(&found).contains("AllAtOnce"));
    let found = only(
        &ill(|patient| {
            for version in patient.versions.as_mut().unwrap() {
                version.dead_letter = Some("arn:aws:sqs:eu-west-1:1:dead".into());
            }
        }),
        UNSPLITTABLE,
    );
    assert!(found.problem.message.starts_with("the dead-letter target in the manifest (none)"));
}

fn provisioned(qualifier: &str, live: AliasState) -> Vec<Finding> {
    ill(|patient| {
        set_live(patient, live);
        patient.provisioned = Some(vec![Provisioned { qualifier: qualifier.into(), requested: 5 }]);
    })
}

#[test]
fn concurrency_that_is_paid_for_and_not_used_is_told() {
    let live = || alias("live", "2", None, "");
    for qualifier in ["live", "2", "beta"] {
        assert_eq!(provisioned(qualifier, live()), [], "{qualifier}");
    }
    for qualifier in ["1", "wavegate-live-prev"] {
        let found = only(&provisioned(qualifier, live()), CONCURRENCY);
        assert!(hint(&found).ends_with(&format!("--qualifier {qualifier}")), "{found:?}");
    }
}

#[test]
fn concurrency_on_a_split_alias_is_told_beside_the_split() {
    let findings = provisioned("live", alias("live", "2", Some((1, 1000)), ""));
    let codes: Vec<_> = findings.iter().map(|finding| finding.problem.code).collect();
    assert_eq!(codes, [SPLIT, CONCURRENCY]);
}

#[test]
fn awss_own_detour_is_no_split() {
    let found = only(&provisioned("live", alias("live", "2", Some((1, 10_000)), "")), CONCURRENCY);
    assert_eq!((found.problem.severity, found.heal), (Severity::Warning, None));
}

#[test]
fn what_could_not_be_read_is_told_and_judged_by_nobody() {
    let mut exam = healthy();
    let name = FunctionName::new("fn").unwrap();
    exam.functions.insert(
        name.clone(),
        Patient { aliases: vec![alias("live", "2", None, "")], ..Patient::default() },
    );
    exam.unseen = vec![
        Unseen { function: Some(name), what: "its policy", why: "denied".into() },
        Unseen { function: None, what: "the event source mappings", why: "denied".into() },
    ];
    let findings = diagnose(&spec(), &exam, Side::Stable);
    let codes: Vec<_> = findings.iter().map(|finding| finding.problem.code).collect();
    assert_eq!(codes, [NOT_SEEN, NOT_SEEN]);
    assert!(findings.iter().all(|finding| finding.problem.severity == Severity::Error));
}
