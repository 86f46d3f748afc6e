//! A doctor and ten questions on an AWS that others wrote.
//!
//! moto has no provisioned concurrency, and says so like a broken service: a part that was not seen
//! is told and never taken for healthy, so an app here is never quite well.

use serde_json::Value;
use wavegate_tests::binary::Finished;

use crate::{Twin, set_code};

fn doctor(twin: &Twin, arguments: &[&str]) -> Finished {
    let all: Vec<&str> = ["doctor", "--output", "json"].iter().chain(arguments).copied().collect();
    twin.project.run(&all).expect(3)
}

/// Codes of the findings about one function, but for what moto does not have.
#[track_caller]
fn codes(told: &Finished, function: &str) -> Vec<String> {
    let told = told.json();
    let findings = told["findings"].as_array().expect("findings").iter();
    let about = findings.filter(|finding| finding["function"] == function);
    let codes = about.map(|finding| finding["code"].as_str().expect("a code").to_owned());
    codes.filter(|code| code != "WG679").collect()
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
fn what_is_wrong_on_a_second_aws_is_found_and_a_split_is_mended() {
    let Some(twin) = Twin::new() else { return };
    for message in ["one", "two"] {
        set_code(&twin.project, message);
        let _ = twin.project.deploy().expect(0);
    }
    let told = doctor(&twin, &[]);
    assert_eq!((codes(&told, "store"), codes(&told, "orders")), (vec![], vec![]), "{told}");
    let unseen = told.json();
    let unseen = unseen["findings"].as_array().unwrap();
    assert!(
        unseen.iter().all(|finding| {
            finding["message"].as_str().unwrap().starts_with("its provisioned concurrency")
        }),
        "{told}"
    );

    // A person, or what CodeDeploy leaves: no record says whose it is.
    twin.aws(&words(
        "lambda update-alias --function-name store --name live --routing-config \
         AdditionalVersionWeights={1=0.1}",
    ));
    // The CLI does not look at AWS_ENDPOINT_URL for queues.
    let queue = format!("sqs create-queue --queue-name q --endpoint-url {}", twin.moto.server.url);
    twin.aws(&words(&queue));
    twin.aws(&words(
        "lambda create-event-source-mapping --function-name orders --event-source-arn \
         arn:aws:sqs:eu-west-1:123456789012:q",
    ));
    twin.aws(&words("lambda create-function-url-config --function-name orders --auth-type NONE"));
    twin.aws(&words(
        "lambda add-permission --function-name orders --statement-id s3 --action \
         lambda:InvokeFunction --principal s3.amazonaws.com --source-arn arn:aws:s3:::uploads",
    ));
    let told = doctor(&twin, &[]);
    assert_eq!(codes(&told, "store"), ["WG665"], "{told}");
    assert_eq!(codes(&told, "orders"), ["WG671"; 3], "{told}");

    let healed = doctor(&twin, &["--heal", "--yes"]);
    let findings = healed.json();
    let split = findings["findings"].as_array().unwrap().iter().find(|f| f["code"] == "WG665");
    assert_eq!(split.unwrap()["healed"], true, "{healed}");
    twin.serves("2");
}

#[test]
fn conformance_tells_what_a_second_aws_does_otherwise() {
    let Some(twin) = Twin::new() else { return };
    let role = "arn:aws:iam::123456789012:role/twin";
    let told = twin.project.run(&["conformance", "--yes", "--role", role, "--output", "json"]);
    let told = told.expect(1);
    assert!(told.has_code("WG677"), "{told}");
    let answers = told.json();
    let answer = |question: &str| -> Value {
        let mut all = answers["answers"].as_array().unwrap().iter();
        all.find(|answer| answer["question"] == question).unwrap().clone()
    };
    for (question, comparison, holds) in [
        ("staleness", "same", Some(true)),
        ("compare_and_swap", "different", Some(false)),
        ("revision_changes", "different", Some(false)),
        ("provisioned_detour", "not shown", None),
        ("alias_limit", "not shown", None),
        ("throttling", "different", None),
        ("internal_error", "same", None),
        ("description", "different", Some(true)),
        ("permission", "not shown", None),
    ] {
        let told = answer(question);
        assert_eq!(told["comparison"], comparison, "{told:#}");
        assert_eq!(told["holds"].as_bool(), holds, "{told:#}");
    }
    let swap = answer("compare_and_swap");
    assert_eq!(swap["seen"]["verdict"], "RevisionId is not enforced", "{swap:#}");
    assert_eq!(swap["local"]["verdict"], "exactly one", "{swap:#}");
    let left = twin.aws(&words("lambda list-functions")).json();
    assert_eq!(left["Functions"].as_array().map(Vec::len), Some(0), "{left}");
}
