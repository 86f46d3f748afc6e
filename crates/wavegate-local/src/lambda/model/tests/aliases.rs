//! Aliases and their weights.

use super::*;

#[test]
fn the_alias_errors_are_those_recorded_on_aws() {
    const VALUE: &str = "failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]";
    type Case<'a> = (&'a str, &'a [(&'a str, f64)], u16, &'a str, String);
    let cases: &[Case<'_>] = &[
        ("1", &[("2", 0.1), ("3", 0.1)], 400, "InvalidParameterValueException",
         "Number of items in AdditionalVersionWeights cannot be greater than 1".into()),
        ("1", &[("2", 2.0)], 400, "ValidationException",
         format!("1 validation error detected: Value '{{2=2.0}}' at 'routingConfig.additionalVersionWeights' {VALUE}")),
        ("1", &[("2", -1.0)], 400, "ValidationException",
         format!("1 validation error detected: Value '{{2=-1.0}}' at 'routingConfig.additionalVersionWeights' {VALUE}")),
        ("1", &[("1", 0.5)], 400, "InvalidParameterValueException",
         "Invalid function version 1. Function version 1 is already included in routing configuration.".into()),
        ("$LATEST", &[("1", 0.5)], 400, "InvalidParameterValueException",
         "$LATEST is not supported for an alias pointing to more than 1 version".into()),
        ("10", &[], 404, "ResourceNotFoundException", format!("Function not found: {ARN}:10")),
        ("1", &[("10", 0.5)], 404, "ResourceNotFoundException", format!("Function not found: {ARN}:10")),
    ];
    let mut bench = Bench::with_versions(3);
    bench.create_alias("there", "1", &[]).unwrap();
    for (version, extra, status, code, message) in cases {
        let made = bench.create_alias("live", version, extra).unwrap_err();
        assert_eq!(told(&made), (*status, *code, message.as_str()));
        let input = UpdateAlias {
            function_version: Some((*version).into()),
            routing_config: routing(extra),
            ..UpdateAlias::default()
        };
        let updated = bench.update_alias("there", input).unwrap_err();
        assert_eq!(told(&updated), (*status, *code, message.as_str()));
    }
    let latest = bench.create_alias("live", "1", &[("$LATEST", 0.5)]).unwrap_err();
    assert_eq!(latest.code, "ValidationException");
    assert!(latest.message.contains("pattern: [0-9]+"), "{latest}");
    let digits = bench.create_alias("123", "1", &[]).unwrap_err();
    assert_eq!(digits.code, "ValidationException");
    assert!(digits.message.ends_with("pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"), "{digits}");
}

#[test]
fn absent_and_present_aliases_are_told_as_on_aws() {
    let mut bench = Bench::with_versions(1);
    bench.create_alias("live", "1", &[]).unwrap();
    let again = bench.create_alias("live", "1", &[]).unwrap_err();
    let message = format!("Alias already exists: {ARN}:live");
    assert_eq!(told(&again), (409, "ResourceConflictException", message.as_str()));
    let got = bench.lambda.get_alias("fn", "no").unwrap_err();
    let message = format!("Cannot find alias arn: {ARN}:no");
    assert_eq!(told(&got), (404, "ResourceNotFoundException", message.as_str()));
    let updated = bench.update_alias("no", UpdateAlias::default()).unwrap_err();
    let message = format!("Alias not found: {ARN}:no");
    assert_eq!(told(&updated), (404, "ResourceNotFoundException", message.as_str()));
    assert_eq!(bench.lambda.delete_alias(bench.now, "fn", "no"), Ok(()));
    assert_eq!(bench.create_alias("latest", "$LATEST", &[]).unwrap().function_version, "$LATEST");
}

#[test]
fn every_update_of_an_alias_gives_it_a_new_revision() {
    let mut bench = Bench::with_versions(2);
    let mut last = bench.create_alias("live", "1", &[("2", 0.1)]).unwrap();
    let function = bench.latest().revision_id;
    for _ in 0..3 {
        let next = bench.update_alias("live", UpdateAlias::default()).unwrap();
        assert_ne!(next.revision_id, last.revision_id);
        assert_eq!(next.routing_config, routing(&[("2", 0.1)]), "weights are kept when not sent");
        last = next;
    }
    let stale = UpdateAlias { revision_id: Some("stale".into()), ..UpdateAlias::default() };
    let refused = bench.update_alias("live", stale).unwrap_err();
    assert_eq!(
        told(&refused),
        (
            412,
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the \
             GetFunction/GetAlias API to retrieve the latest Revision Id"
        )
    );
    assert_eq!(bench.lambda.get_alias("fn", "live").unwrap(), last, "a refusal changes nothing");
    let promote = UpdateAlias {
        function_version: Some("2".into()),
        routing_config: routing(&[]),
        revision_id: Some(last.revision_id),
        ..UpdateAlias::default()
    };
    let promoted = bench.update_alias("live", promote).unwrap();
    assert_eq!((promoted.function_version.as_str(), promoted.routing_config), ("2", None));
    assert_eq!(bench.latest().revision_id, function, "aliases leave the function's revision alone");
}

#[test]
fn versions_of_a_weighted_alias_share_role_and_dead_letters() {
    for change in [
        ConfigurationInput { role: Some(format!("{ROLE}2")), ..ConfigurationInput::default() },
        ConfigurationInput {
            dead_letter_config: Some(crate::lambda::input::DeadLetterConfig {
                target_arn: Some("arn:aws:sqs:us-east-1:000000000000:q".into()),
            }),
            ..ConfigurationInput::default()
        },
    ] {
        let mut bench = Bench::with_versions(1);
        bench.configure(change).unwrap();
        bench.settle();
        bench.publish(&PublishVersion::default()).unwrap();
        let refused = bench.create_alias("live", "1", &[("2", 0.5)]).unwrap_err();
        assert_eq!(refused.code, "InvalidParameterValueException");
        assert!(bench.create_alias("live", "2", &[]).is_ok());
    }
}

#[test]
fn descriptions_of_aliases_hold_256_characters() {
    let mut bench = Bench::with_versions(1);
    bench.create_alias("live", "1", &[]).unwrap();
    let described =
        |text: String| UpdateAlias { description: Some(text), ..UpdateAlias::default() };
    let full = "é".repeat(256);
    assert_eq!(bench.update_alias("live", described(full.clone())).unwrap().description, full);
    let refused = bench.update_alias("live", described("é".repeat(257))).unwrap_err();
    assert_eq!(refused.code, "ValidationException");
}

#[test]
fn a_weighted_alias_splits_by_chance_within_a_binomial_bound() {
    let mut bench = Bench::with_versions(2);
    bench.create_alias("live", "1", &[("2", 0.1)]).unwrap();
    let mut extra = 0_i32;
    for _ in 0..10_000 {
        let route = bench.lambda.route(bench.now, &mut bench.ids, "fn", Some("live")).unwrap();
        assert_eq!(route.alias.as_deref(), Some("live"));
        extra += i32::from(route.version == "2");
    }
    // Five standard deviations: sqrt(10000 * 0.1 * 0.9) = 30.
    assert!((1000 - extra).abs() < 150, "{extra}");
    let full = UpdateAlias { routing_config: routing(&[("2", 1.0)]), ..UpdateAlias::default() };
    bench.update_alias("live", full).unwrap();
    let all = (0..100).all(|_| {
        bench.lambda.route(bench.now, &mut bench.ids, "fn", Some("live")).unwrap().version == "2"
    });
    assert!(all);
}
