//! The shop of the examples, ready for a release that really shifts: seven functions, three waves, a
//! canary, a linear shift, hooks in a function and in a program, an alarm.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use wavegate_tests::binary::{Cloud, Project, repository};

pub(crate) const FUNCTIONS: [&str; 7] =
    ["auth", "cart", "catalog", "checkout", "checkout-smoke", "pricing", "storefront"];

/// The alarm that watches every shift. Nothing but its own state moves it.
const ALARM: &str = "shop-errors";

/// The manifest of the demo with short bakes, no traffic and an alarm that needs none. What takes real
/// time, as code does, may take as long as it likes: a busy machine is no crash.
const MANIFEST: &str = r#"
[app]
name = "shop"
target = "local"

[defaults]
runtime = "python3.13"
handler = "app.handler"
timeout = "15m"
strategy = "short"
alarms = ["errors"]
bake = "15s"

[functions.catalog]
code = "functions/catalog"

[functions.auth]
code = "functions/auth"
runtime = "nodejs22.x"
handler = "index.handler"
strategy = "AllAtOnce"
environment = { SESSION_KEY = "only-for-this-test" }

[functions.checkout-smoke]
code = "functions/checkout-smoke"
strategy = "AllAtOnce"
alarms = []

[functions.cart]
code = "functions/cart"
runtime = "nodejs22.x"
handler = "index.handler"
depends_on = ["catalog", "auth"]
strategy = "steady"

[functions.pricing]
code = "functions/pricing"
runtime = "provided.al2023"
handler = "bootstrap"
depends_on = ["catalog"]

[functions.storefront]
code = "functions/storefront"
runtime = "nodejs22.x"
handler = "index.handler"
depends_on = ["auth", "catalog"]
hooks = { post_traffic = ["verify"] }

[functions.checkout]
code = "functions/checkout"
depends_on = ["cart", "pricing", "checkout-smoke"]
hooks = { pre_traffic = ["smoke"], post_traffic = ["verify"] }

[strategies.short]
use = "canary"
percent = 10
bake = "15s"

[strategies.steady]
use = "linear"
percent = 50
every = "15s"

[hooks.smoke]
use = "lambda"
function = "checkout-smoke"
qualifier = "live"
timeout = "100h"

[hooks.verify]
use = "command"
command = ["true"]
timeout = "100h"

[alarms.errors]
use = "cloudwatch-alarm"
alarm = "shop-errors"
"#;

/// Lays out the shop in an empty project.
pub(crate) fn lay_out(project: &Project) {
    project.write("deploy.toml", MANIFEST);
    project.copy(&repository().join("examples/shop/functions"), "functions");
}

/// A second release: other code in every function.
pub(crate) fn change(project: &Project) {
    for (function, file, comment) in [
        ("auth", "index.mjs", "//"),
        ("cart", "index.mjs", "//"),
        ("catalog", "app.py", "#"),
        ("checkout", "app.py", "#"),
        ("checkout-smoke", "app.py", "#"),
        ("pricing", "bootstrap", "#"),
        ("storefront", "index.mjs", "//"),
    ] {
        let path = project.path(&format!("functions/{function}/{file}"));
        append(&path, &format!("\n{comment} another edition\n"));
    }
}

/// From here on releases go all at once and ask nobody.
pub(crate) fn hurry(project: &Project) {
    let text = project.read("deploy.toml");
    let lines = text.lines().filter(|line| !line.starts_with("hooks = "));
    let lines = lines.map(|line| match line {
        "strategy = \"short\"" | "strategy = \"steady\"" => "strategy = \"AllAtOnce\"",
        "bake = \"15s\"" => "bake = \"1s\"",
        other => other,
    });
    let lines: Vec<&str> = lines.collect();
    project.write("deploy.toml", &(lines.join("\n") + "\n"));
}

/// The alarm, and that all is well.
pub(crate) fn set_alarm(cloud: &Cloud) {
    cloud.put_alarm(ALARM);
    cloud.set_alarm(ALARM, "OK");
}

/// What the user of the live alias of a function wrote there.
pub(crate) fn description(function: &str) -> String {
    format!("the door of {function}")
}

/// Describes every live alias, as its user would by hand.
pub(crate) fn describe(cloud: &Cloud, functions: &[&str]) {
    for function in functions {
        let text = json!({ "Description": description(function) });
        cloud.update_alias(function, "live", &text).json();
    }
}

/// What an alias is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alias {
    pub(crate) version: String,
    pub(crate) extra: String,
    pub(crate) description: String,
}

/// What the live aliases are, as the cloud says itself.
pub(crate) fn live(cloud: &Cloud, functions: &[&str]) -> BTreeMap<String, Alias> {
    let alias = |function: &&str| {
        let told = cloud.alias(function, "live").json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let extra = match &told["RoutingConfig"]["AdditionalVersionWeights"] {
            Value::Object(weights) if !weights.is_empty() => {
                Value::from(weights.clone()).to_string()
            }
            _ => String::new(),
        };
        let version = text(&told["FunctionVersion"]);
        ((*function).to_owned(), Alias { version, extra, description: text(&told["Description"]) })
    };
    functions.iter().map(alias).collect()
}

fn append(path: &Path, text: &str) {
    let mut all = std::fs::read(path).expect("a function");
    all.extend_from_slice(text.as_bytes());
    std::fs::write(path, all).expect("a function");
}
