//! The smallest app with an order: `auth`, and `shop` that depends on it, each released by a canary and
//! watched by an alarm.

use std::sync::Arc;

use wavegate_tests::binary::{Cloud, Project};

use crate::bench::{Prepared, Trial};
use crate::shop::{self, Alias};

pub(crate) const FUNCTIONS: [&str; 2] = ["auth", "shop"];

/// The alarm that watches both.
pub(crate) const ALARM: &str = "pair-errors";

const MANIFEST: &str = r#"
[app]
name = "pair"
target = "local"

[defaults]
runtime = "python3.13"
handler = "app.handler"
strategy = "short"
alarms = ["errors"]
bake = "10s"

[functions.auth]
code = "functions/auth"

[functions.shop]
code = "functions/shop"
depends_on = ["auth"]

[strategies.short]
use = "canary"
percent = 10
bake = "BAKE"

[alarms.errors]
use = "cloudwatch-alarm"
alarm = "pair-errors"
"#;

/// Both are deployed, and another edition of both lies ready. A shift lasts for `bake`.
pub(crate) fn prepared(time_scale: f64, bake: &str) -> Arc<Prepared> {
    let project = Project::new();
    project.write("deploy.toml", &MANIFEST.replace("BAKE", bake));
    edition(&project, "one");
    Prepared::new(
        project,
        time_scale,
        |hosted| {
            hosted.direct.put_alarm(ALARM);
            hosted.direct.set_alarm(ALARM, "OK");
        },
        |hosted, project| {
            shop::describe(&hosted.direct, &FUNCTIONS);
            edition(project, "two");
        },
    )
}

/// Other code in both.
pub(crate) fn edition(project: &Project, text: &str) {
    for function in FUNCTIONS {
        let code = format!("def handler(event, context):\n    return \"{text}\"\n");
        project.write(&format!("functions/{function}/app.py"), &code);
    }
}

/// Asserts that both aliases serve that version alone, and say what their user wrote.
#[track_caller]
pub(crate) fn assert_serve(cloud: &Cloud, version: &str, told: &impl std::fmt::Display) {
    let live = shop::live(cloud, &FUNCTIONS);
    for function in FUNCTIONS {
        let wanted = Alias {
            version: version.to_owned(),
            extra: String::new(),
            description: shop::description(function),
        };
        assert_eq!(live.get(function), Some(&wanted), "{live:#?}\n{told}");
    }
}

/// Asserts the same, and that the lock says so.
#[track_caller]
pub(crate) fn assert_ended(
    trial: &Trial,
    version: &str,
    phase: &str,
    told: &impl std::fmt::Display,
) {
    assert_serve(&trial.cloud.direct, version, told);
    let status = trial.project.status();
    assert_eq!(status.lock(), Some(phase), "{status:?}\n{told}");
}
