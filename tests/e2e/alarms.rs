//! Alarms that exist: red before the start, missing, and red in the middle.

use wavegate_tests::binary::{LocalCloud, Project};

use crate::app::{LONG, mini, set_message};

const ALARMS: &str = "[alarms.red]\nuse = \"cloudwatch-alarm\"\nalarm = \"orders-5xx\"\n";

/// Deployed once, changed, and watched by an alarm that does not exist yet.
fn watched() -> (Project, LocalCloud) {
    let project = mini(&[("shop", &[])], ALARMS);
    let cloud = project.start_cloud(&[]);
    let _ = project.deploy().expect(0);
    set_message(&project, "shop", "two");
    project.edit("deploy.toml", "depends_on = []\n", "alarms = [\"red\"]\n");
    (project, cloud)
}

#[test]
fn an_alarm_that_does_not_exist_refuses_and_touches_nothing() {
    let (project, cloud) = watched();
    let before = cloud.cloud.alias("shop", "live").json();
    let refused = project.deploy().expect(3);
    assert!(refused.has_code("WG412") && refused.stderr.contains("red"), "{refused}");
    assert_eq!(cloud.cloud.alias("shop", "live").json(), before);
    assert_eq!(cloud.cloud.versions("shop").len(), 1);
    assert_eq!(project.status().lock(), Some("done"));
}

#[test]
fn an_alarm_that_is_red_at_the_start_refuses_unless_it_is_to_be_ignored() {
    let (project, cloud) = watched();
    cloud.cloud.put_alarm("orders-5xx");
    cloud.cloud.set_alarm("orders-5xx", "ALARM");
    let refused = project.deploy().expect(3);
    assert!(refused.has_code("WG413"), "{refused}");
    assert!(refused.stderr.contains("if_already_alarming"), "{refused}");
    assert_eq!(cloud.cloud.versions("shop").len(), 1);

    let ignoring = format!("{ALARMS}if_already_alarming = \"ignore\"\n");
    project.edit("deploy.toml", ALARMS, &ignoring);
    let done = project.deploy().expect(0);
    assert_eq!(done.outcome(), "done", "{done}");
    assert_eq!(project.status().serves("shop"), Some(2));
}

#[test]
fn an_alarm_that_turns_red_in_mid_shift_puts_back() {
    let (project, cloud) = watched();
    cloud.cloud.put_alarm("orders-5xx");
    cloud.cloud.set_alarm("orders-5xx", "OK");
    project.edit(
        "deploy.toml",
        "alarms = [\"red\"]\n",
        &format!("alarms = [\"red\"]\nstrategy = \"{LONG}\"\n"),
    );
    let mut deploy = project.begin_deploy();
    deploy.wait_weight("shop", 2500);
    cloud.cloud.set_alarm("orders-5xx", "ALARM");
    let failed = deploy.finish().expect(1);
    assert!(failed.stderr.contains("red"), "{failed}");
    assert!(failed.about("alarm", "shop").iter().any(|alarm| alarm["status"] == "firing"));
    assert_eq!(failed.functions("put_back"), ["shop"], "{failed}");
    assert_eq!(project.status().serves("shop"), Some(1));
}

#[test]
fn waiting_for_a_red_alarm_shifts_only_when_it_is_quiet() {
    let (project, cloud) = watched();
    cloud.cloud.put_alarm("orders-5xx");
    cloud.cloud.set_alarm("orders-5xx", "ALARM");
    project.edit("deploy.toml", ALARMS, &format!("{ALARMS}if_already_alarming = \"wait\"\n"));
    let mut deploy = project.begin_deploy();
    deploy.wait_event("waiting", "shop");
    assert_eq!(project.status().serves("shop"), Some(1));
    cloud.cloud.set_alarm("orders-5xx", "OK");
    let done = deploy.finish().expect(0);
    assert_eq!(done.functions("weight"), ["shop"], "{done}");
}
