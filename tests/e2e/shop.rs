//! The repository's own demo, as a newcomer runs it: the shop of seven functions.

use std::collections::BTreeMap;

use serde_json::Value;
use wavegate_tests::binary::{Finished, Project, has_tool};

use crate::binomial::assert_split;

const ALL: [&str; 7] =
    ["auth", "cart", "catalog", "checkout", "checkout-smoke", "pricing", "storefront"];

/// What every function serves.
fn all_at(versions: &[(&str, u64)]) -> BTreeMap<String, Option<u64>> {
    let version = |name: &str| versions.iter().find(|(n, _)| *n == name).map_or(1, |(_, v)| *v);
    ALL.iter().map(|name| ((*name).to_owned(), Some(version(name)))).collect()
}

fn place(ended: &Finished, is_it: impl Fn(&Value) -> bool) -> usize {
    ended.events.iter().position(is_it).unwrap_or_else(|| panic!("not told\n{ended}"))
}

/// Requests that each version of `function` served while it had `weight_bp`: from the first count
/// told after that weight was set to the last one before the promotion.
fn served_in_shift(ended: &Finished, function: &str, weight_bp: u64) -> (u64, u64) {
    let begin = place(ended, |event| {
        event["event"] == "weight" && event["function"] == function && event["set_bp"] == weight_bp
    });
    let end = place(ended, |event| {
        event["event"] == "phase" && event["function"] == function && event["to"] == "promoting"
    });
    let within = ended.events[begin..end].iter();
    let told: Vec<&Value> = within
        .filter(|event| event["event"] == "traffic" && event["function"] == function)
        .map(|event| &event["served"])
        .collect();
    let (Some(first), Some(last)) = (told.first(), told.last()) else {
        panic!("no counts\n{ended}");
    };
    let count =
        |served: &Value, version: &str| served[version]["invocations"].as_u64().unwrap_or(0);
    let served = |version| count(last, version) - count(first, version);
    (served("1"), served("2"))
}

fn first_deploy(project: &Project) {
    let first = project.deploy().expect(0);
    assert_eq!(first.outcome(), "done", "{first}");
    let passed = |hook: &str, function: &str| {
        let hooks = first.about("hook", function);
        hooks.iter().any(|told| told["hook"] == hook && told["state"] == "passed")
    };
    assert!(passed("smoke", "checkout") && passed("verify", "checkout"), "{first}");
    assert!(passed("verify", "storefront"), "{first}");
    // Everything that a function needs is in place before it is.
    let order = first.functions("weight");
    let at =
        |name: &str| order.iter().position(|n| *n == name).unwrap_or_else(|| panic!("{first}"));
    for (function, needs) in [
        ("cart", "catalog"),
        ("cart", "auth"),
        ("pricing", "catalog"),
        ("storefront", "auth"),
        ("checkout", "cart"),
        ("checkout", "pricing"),
        ("checkout", "checkout-smoke"),
    ] {
        assert!(at(needs) < at(function), "{needs} before {function}: {order:?}");
    }
    let writes = first.calls();
    assert_eq!(writes["CreateFunction"], 7, "{writes:?}");
    assert_eq!(project.status().all(), all_at(&[]));
}

fn one_change(project: &Project) {
    project.edit("examples/shop/functions/catalog/app.py", "fresh from the market", "half price");
    let second = project.deploy().expect(0);
    assert_eq!(second.functions("published"), ["catalog"], "{second}");
    let weights: Vec<u64> = second
        .about("weight", "catalog")
        .iter()
        .filter_map(|weight| weight["actual_bp"].as_u64())
        .collect();
    assert_eq!(weights, [1000, 10_000], "{second}");
    assert_eq!(second.of("weight").len(), 2, "{second}");
    let (stable, candidate) = served_in_shift(&second, "catalog", 1000);
    assert!(stable + candidate >= 20, "{stable} and {candidate} requests\n{second}");
    assert_split(stable + candidate, candidate, 0.1);
    for function in ALL {
        assert!(second.served(function).values().all(|(_, errors)| *errors == 0), "{second}");
    }
    assert_eq!(project.status().all(), all_at(&[("catalog", 2)]));
}

fn no_change(project: &Project) {
    let cloud = project.start_cloud(&[]);
    let nothing = project.deploy().expect(0);
    let calls = cloud.cloud.calls();
    assert!(
        calls.keys().all(|call| call.starts_with("Get") || call.starts_with("List")),
        "{calls:?}"
    );
    assert!(nothing.of("started").is_empty(), "{nothing}");
    let _ = cloud.stop().expect(0);
}

fn a_bad_change(project: &Project) {
    project.edit(
        "examples/shop/functions/storefront/index.mjs",
        "export async function handler(event, context) {\n",
        "export async function handler(event, context) {\n  throw new Error('broken')\n",
    );
    let auth = project.read("examples/shop/functions/auth/index.mjs");
    project
        .write("examples/shop/functions/auth/index.mjs", &format!("{auth}\n// second edition\n"));
    let failed = project.deploy().expect(1);
    assert_eq!(failed.outcome(), "rolled_back", "{failed}");
    assert!(failed.has_code("WG631"), "{failed}");
    let firing = failed.about("alarm", "storefront");
    assert!(firing.iter().any(|alarm| alarm["alarm"] == "errors" && alarm["status"] == "firing"));
    // `auth` was promoted and done by then; the failing one goes back first.
    let promoted = place(&failed, |event| {
        event["event"] == "phase" && event["function"] == "auth" && event["to"] == "done"
    });
    let aborting = place(&failed, |event| event["event"] == "aborting");
    assert!(promoted < aborting, "{failed}");
    assert_eq!(failed.functions("put_back"), ["storefront", "auth"], "{failed}");
    assert_eq!(project.status().all(), all_at(&[("catalog", 2)]));
}

#[test]
fn the_shop_is_deployed_changed_left_alone_and_put_back() {
    if !has_tool("the shop", &["node", "--version"]) {
        return;
    }
    let project = Project::of_the_repository();
    first_deploy(&project);
    one_change(&project);
    no_change(&project);
    a_bad_change(&project);
}
