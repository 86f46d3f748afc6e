//! Which places invocations take, and the rules for events.

use serde_json::json;

use super::*;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:queue";

impl Bench {
    fn admit(&mut self, qualifier: Option<&str>) -> Result<Admission, ApiError> {
        let route = self.lambda.route(self.now, &mut self.ids, "fn", qualifier).unwrap();
        self.lambda.admit(self.now, &route)
    }
}

#[test]
fn reserved_concurrency_bounds_a_function_and_leaves_the_rest_a_minimum() {
    let mut bench = Bench::with_versions(1);
    bench.lambda.put_concurrency(bench.now, "fn", 2).unwrap();
    let first = bench.admit(None).unwrap();
    assert_eq!((first.concurrent, first.is_provisioned), (1, false));
    assert_eq!(bench.admit(None).unwrap().concurrent, 2);
    let refused = bench.admit(None).unwrap_err();
    assert_eq!((refused.status, refused.code), (429, "TooManyRequestsException"));
    assert_eq!(refused.reason, Some("ReservedFunctionConcurrentInvocationLimitExceeded"));
    bench.lambda.release(&first);
    assert_eq!(bench.admit(None).unwrap().concurrent, 2);
    assert!(bench.lambda.put_concurrency(bench.now, "fn", 901).is_err());
    assert!(!bench.lambda.is_shut("fn"));
    bench.lambda.put_concurrency(bench.now, "fn", 0).unwrap();
    assert!(bench.admit(None).is_err());
    assert!(bench.lambda.is_shut("fn"));
}

#[test]
fn what_is_provisioned_for_a_version_is_nobody_elses() {
    let mut bench = Bench::with_versions(2);
    bench.lambda.put_concurrency(bench.now, "fn", 2).unwrap();
    bench.provision("1").unwrap();
    assert!(!bench.admit(Some("1")).unwrap().is_provisioned, "not ready yet");
    bench.now += SETTLE * 60;
    let place = bench.admit(Some("1")).unwrap();
    assert!(place.is_provisioned);
    // One of the two places is provisioned, and the other one is taken.
    assert!(bench.admit(Some("2")).is_err());
    assert!(bench.admit(Some("1")).is_err());
    bench.lambda.release(&place);
    assert!(bench.admit(Some("2")).is_err());
    assert!(bench.admit(Some("1")).unwrap().is_provisioned);
}

#[test]
fn an_event_goes_by_the_rules_of_the_very_qualifier_it_names() {
    let mut bench = Bench::with_versions(1);
    let default = bench.lambda.delivery("fn", None);
    assert_eq!((default.retries, default.age_max_ms), (2, 21_600_000));
    assert_eq!((default.on_success, default.on_failure), (None, None));
    let input = EventInvokeInput {
        maximum_retry_attempts: Some(0),
        maximum_event_age_in_seconds: Some(60),
        destination_config: Some(json!({"OnFailure": {"Destination": QUEUE}})),
    };
    bench.lambda.put_event_invoke(bench.now, "fn", None, input).unwrap();
    for qualifier in [None, Some("$LATEST")] {
        let own = bench.lambda.delivery("fn", qualifier);
        assert_eq!((own.retries, own.age_max_ms), (0, 60_000));
        assert_eq!((own.on_success, own.on_failure), (None, Some(QUEUE.to_owned())));
    }
    assert_eq!(bench.lambda.delivery("fn", Some("1")).retries, 2);
}

#[test]
fn provisioned_concurrency_waits_for_whoever_starts_its_environments() {
    let mut bench = Bench::with_versions(2);
    bench.provision("1").unwrap();
    assert!(bench.lambda.take_starts(bench.now).is_empty(), "nobody starts any");
    bench.now += SETTLE * 60;
    let status = |bench: &Bench, key: &str| {
        let shown = bench.lambda.get_provisioned(bench.now, "fn", Some(key)).unwrap();
        (shown["Status"].as_str().unwrap().to_owned(), shown["StatusReason"].clone())
    };
    assert_eq!(status(&bench, "1").0, "READY");
    // What was ready before somebody does is started, and stays ready.
    bench.lambda.start_provisioned();
    let starts = bench.lambda.take_starts(bench.now);
    assert_eq!((starts.len(), starts[0].count, starts[0].route.version.as_str()), (1, 1, "1"));
    assert_eq!(status(&bench, "1").0, "READY");

    bench.provision("2").unwrap();
    let first = bench.lambda.take_starts(bench.now);
    bench.now += SETTLE * 60;
    assert_eq!(status(&bench, "2").0, "IN_PROGRESS");
    assert!(!bench.admit(Some("2")).unwrap().is_provisioned);
    // Asked for anew: what came of the first start is of no interest any more.
    bench.provision("2").unwrap();
    bench.now += SETTLE * 60;
    bench.lambda.provisioned_started(bench.now, &first[0], true).unwrap();
    assert_eq!(status(&bench, "2").0, "IN_PROGRESS");
    let second = bench.lambda.take_starts(bench.now);
    bench.lambda.provisioned_started(bench.now, &second[0], false).unwrap();
    assert_eq!(status(&bench, "2"), ("FAILED".to_owned(), json!("FUNCTION_ERROR_INIT_FAILURE")));
    assert!(!bench.admit(Some("2")).unwrap().is_provisioned);
    bench.provision("2").unwrap();
    let third = bench.lambda.take_starts(bench.now);
    bench.now += SETTLE * 60;
    bench.lambda.provisioned_started(bench.now, &third[0], true).unwrap();
    assert_eq!(status(&bench, "2").0, "READY");
    assert!(bench.admit(Some("2")).unwrap().is_provisioned);
}

#[test]
fn an_alias_that_moves_keeps_the_environments_it_leaves_until_the_new_ones_are_ready() {
    let mut bench = Bench::with_versions(2);
    bench.create_alias("live", "1", &[]).unwrap();
    bench.provision("live").unwrap();
    bench.now += SETTLE * 60;
    let deployments = |bench: &Bench| {
        let kept = bench.lambda.provisioned_environments(bench.now);
        (kept.environments.len(), kept.until_ms.is_some())
    };
    assert_eq!(deployments(&bench), (1, false));
    let moved = UpdateAlias { function_version: Some("2".into()), ..UpdateAlias::default() };
    bench.update_alias("live", moved).unwrap();
    assert_eq!(deployments(&bench), (2, true));
    let place = bench.admit(Some("live")).unwrap();
    assert_eq!((place.version.as_str(), place.is_provisioned), ("1", true));
    bench.now += SETTLE * 60;
    assert_eq!(deployments(&bench), (1, false));
    let place = bench.admit(Some("live")).unwrap();
    assert_eq!((place.version.as_str(), place.is_provisioned), ("2", true));
    bench.lambda.delete_provisioned(bench.now, "fn", Some("live")).unwrap();
    assert_eq!(deployments(&bench), (0, false));
}
