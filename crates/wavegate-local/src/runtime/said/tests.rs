//! What the platform says, as text and as JSON, in the words of AWS.

use std::sync::Arc;

use super::*;
use crate::home::Home;
use crate::lambda::input::Code;
use crate::lambda::model::{Configuration, Deployed, Route};

fn job() -> Job {
    let configuration = Configuration { runtime: Some("python3.13".into()), ..Default::default() };
    let code = Code::Zip { sha256: String::new(), size: 0 };
    let route = Route {
        function: "fn".into(),
        qualifier: None,
        alias: None,
        version: "$LATEST".into(),
        invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:fn".into(),
        deployed: Deployed { configuration, code, deployment: "d".into() },
    };
    Job {
        home: Arc::new(Home { region: "us-east-1".into(), account: "000000000000".into() }),
        request_id: "id".into(),
        route: Arc::new(route),
        root: None,
        layers: Vec::new(),
        role_id: None,
        payload: "{}".into(),
        client_context: None,
        trace: None,
        is_provisioned: false,
    }
}

/// The events without their times.
fn timeless(said: &Said<'_>, least: Level) -> Vec<String> {
    let events = said.json(least).into_iter();
    events
        .map(|event| {
            let rest = event.split_once("\",\"type\":").unwrap().1;
            format!("{{\"type\":{rest}")
        })
        .collect()
}

#[test]
fn a_runtimes_version_is_named_as_aws_names_it() {
    for (runtime, wanted) in [
        ("python3.13", "python:3.13.v1"),
        ("nodejs22.x", "nodejs:22.v1"),
        ("provided.al2023", "provided:al2023.v1"),
    ] {
        assert_eq!(runtime_version(runtime), wanted);
    }
}

#[test]
fn a_failed_initialization_is_reported_with_its_phase() {
    let exited = Failure::Exited("Runtime exited with error: exit status 1".into());
    let told = |took_ms, is_ahead, failure| {
        Said::InitEnd(Initialized { took_ms, is_ahead, is_provisioned: false, failure }).text()
    };
    assert_eq!(
        told(10.174, true, Some(&exited)),
        ["INIT_REPORT Init Duration: 10.17 ms\tPhase: init\tStatus: error\tError Type: \
          Runtime.ExitError\n"]
    );
    assert_eq!(
        told(1000.0, false, Some(&Failure::TimedOut)),
        ["INIT_REPORT Init Duration: 1000.00 ms\tPhase: invoke\tStatus: timeout\n"]
    );
    assert!(told(1.0, true, None).is_empty());
}

#[test]
fn json_has_awss_members_in_their_order() {
    let job = job();
    let stream = "2026/10/08/[$LATEST]22be";
    let begun = Said::InitStart(Beginning { job: &job, stream });
    let arn = runtime_arn("us-east-1");
    assert_eq!(
        timeless(&begun, Level::Info),
        [format!(
            "{{\"type\":\"platform.initStart\",\"record\":{{\"initializationType\":\"on-demand\",\"phase\":\
             \"init\",\"runtimeVersion\":\"python:3.13.v1\",\"runtimeVersionArn\":\"{arn}\",\
             \"functionName\":\"fn\",\"functionVersion\":\"$LATEST\",\"instanceId\":\
             \"2026/10/08/fn[$LATEST]22be\",\"instanceMaxMemory\":134217728}}}}"
        )]
    );
    assert_eq!(
        timeless(&Said::Start(&job), Level::Info),
        ["{\"type\":\"platform.start\",\"record\":{\"requestId\":\"id\",\"functionArn\":\
          \"arn:aws:lambda:us-east-1:000000000000:function:fn\",\"version\":\"$LATEST\"}}"]
    );
    let measured = Measured { duration_ms: 1233.96, init_ms: Some(463.5124), used_mb: 123 };
    let ended = Said::End(Ended { job: &job, measured, produced: 7, failure: None });
    assert_eq!(
        timeless(&ended, Level::Debug),
        [
            "{\"type\":\"platform.runtimeDone\",\"record\":{\"requestId\":\"id\",\"status\":\"success\",\
             \"metrics\":{\"durationMs\":1233.96,\"producedBytes\":7}}}",
            "{\"type\":\"platform.report\",\"record\":{\"requestId\":\"id\",\"metrics\":{\"durationMs\":\
             1233.96,\"billedDurationMs\":1698,\"memorySizeMB\":128,\"maxMemoryUsedMB\":123,\
             \"initDurationMs\":463.512},\"status\":\"success\"}}",
        ]
    );
    let timed_out = Initialized {
        took_ms: 10_000.487,
        is_ahead: true,
        is_provisioned: false,
        failure: Some(&Failure::TimedOut),
    };
    assert_eq!(
        timeless(&Said::InitEnd(timed_out), Level::Warn)[1],
        "{\"type\":\"platform.initReport\",\"record\":{\"initializationType\":\"on-demand\",\"phase\":\
         \"init\",\"status\":\"timeout\",\"metrics\":{\"durationMs\":10000.487}}}"
    );
}

#[test]
fn json_is_filtered_by_awss_table_of_levels() {
    let job = job();
    let measured = Measured { duration_ms: 1.0, init_ms: None, used_mb: 1 };
    let exited = Failure::Exited("Runtime exited".into());
    let ended = |failure| Said::End(Ended { job: &job, measured, produced: 0, failure });
    let initialized = |failure, is_provisioned| {
        Said::InitEnd(Initialized { took_ms: 1.0, is_ahead: true, is_provisioned, failure })
    };
    for (said, debug, info, warn) in [
        (Said::Start(&job), 1, 1, 0),
        (ended(None), 2, 1, 0),
        (ended(Some(&exited)), 2, 2, 2),
        (ended(Some(&Failure::TooLarge)), 2, 1, 0),
        (initialized(None, false), 2, 0, 0),
        (initialized(None, true), 2, 1, 0),
        (initialized(Some(&exited), false), 2, 2, 2),
    ] {
        let counts = [Level::Debug, Level::Info, Level::Warn].map(|least| said.json(least).len());
        assert_eq!(counts, [debug, info, warn], "{said:?}");
    }
    assert!(
        ended(Some(&exited)).json(Level::Warn)[1].contains("\"errorType\":\"Runtime.ExitError\"")
    );
}
